#include "ws/handshake_client.h"

#include <algorithm>
#include <array>

#include "ws/base64.h"
#include "ws/extension.h"
#include "ws/handshake_text.h"

namespace fanfare::ws {
namespace {

constexpr std::size_t kKeyBytes = 16;

// Excludes everything that would end the line or the host: white space, controls, path, fragment,
// credentials.
bool is_host(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte > 0x20 && byte < 0x7f && !std::string_view("/?#@\\").contains(character);
  });
}

// RFC6455§3: a path and a query in visible ASCII, without a fragment.
bool is_target(std::string_view target) {
  return target.starts_with('/') && std::ranges::all_of(target, [](char character) {
           const auto byte = static_cast<unsigned char>(character);
           return byte > 0x20 && byte < 0x7f && character != '#';
         });
}

bool is_reserved(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kReserved{"Host",
                                                              "Upgrade",
                                                              "Connection",
                                                              "Sec-WebSocket-Key",
                                                              "Sec-WebSocket-Version",
                                                              "Origin",
                                                              "Content-Length",
                                                              "Transfer-Encoding",
                                                              "Sec-WebSocket-Protocol",
                                                              "Sec-WebSocket-Extensions",
                                                              "Sec-WebSocket-Accept"};
  return std::ranges::any_of(kReserved,
                             [&](std::string_view own) { return equals_ignoring_case(own, name); });
}

std::optional<OfferError> check_options(const ClientHandshakeOptions& options) {
  if (!is_host(options.host)) return OfferError::bad_host;
  if (!is_target(options.target)) return OfferError::bad_target;
  // RFC6455§4.1: the subprotocols are distinct tokens.
  if (!std::ranges::all_of(options.subprotocols, is_token)) return OfferError::bad_subprotocol;
  std::vector<std::string> sorted = options.subprotocols;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) return OfferError::bad_subprotocol;
  if (!is_header_value(options.origin)) return OfferError::bad_header;
  for (const OwnedHeader& header : options.headers) {
    if (!is_token(header.name) || !is_header_value(header.value)) return OfferError::bad_header;
    if (is_reserved(header.name)) return OfferError::reserved_header;
  }
  return std::nullopt;
}

void append_header(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string_view to_text(OfferError error) {
  switch (error) {
    case OfferError::bad_host:
      return "the host is empty or holds characters a host cannot have";
    case OfferError::bad_target:
      return "the target is not an absolute path in visible ASCII without fragment";
    case OfferError::bad_subprotocol:
      return "a subprotocol is no token, or is named twice";
    case OfferError::bad_header:
      return "a header has no token as its name, or control characters";
    case OfferError::reserved_header:
      return "a header is one that the handshake itself writes";
  }
  return {};
}

std::expected<ClientHandshake, OfferError> ClientHandshake::make(const ClientHandshakeOptions& options,
                                                                 Random& random) {
  if (const std::optional<OfferError> error = check_options(options)) return std::unexpected(*error);
  ClientHandshake handshake;
  handshake.subprotocols_ = options.subprotocols;
  handshake.deflate_ = options.deflate;
  // RFC6455§4.1: a nonce of 16 bytes, newly chosen for each connection.
  std::array<std::uint8_t, kKeyBytes> nonce{};
  random.fill(nonce);
  handshake.key_ = base64_encode(nonce);

  std::string& text = handshake.request_;
  text.append("GET ").append(options.target).append(" HTTP/1.1\r\n");
  append_header(text, "Host", options.host);
  append_header(text, "Upgrade", "websocket");
  append_header(text, "Connection", "Upgrade");
  append_header(text, "Sec-WebSocket-Key", handshake.key_);
  append_header(text, "Sec-WebSocket-Version", "13");
  if (!options.origin.empty()) append_header(text, "Origin", options.origin);
  if (!options.subprotocols.empty()) {
    std::string list;
    for (const std::string& subprotocol : options.subprotocols) {
      if (!list.empty()) list += ", ";
      list += subprotocol;
    }
    append_header(text, "Sec-WebSocket-Protocol", list);
  }
  if (const std::string offer = deflate_offer(options.deflate); !offer.empty()) {
    append_header(text, "Sec-WebSocket-Extensions", offer);
  }
  for (const OwnedHeader& header : options.headers) append_header(text, header.name, header.value);
  text += "\r\n";
  return handshake;
}

std::expected<ClientAgreement, Rule> ClientHandshake::check(const UpgradeResponse& response) const {
  const std::span<const HeaderField> headers = response.headers;
  // RFC6455§4.1: an HTTP/1.1 response.
  if (response.version_major < 1 || (response.version_major == 1 && response.version_minor < 1)) {
    return std::unexpected(Rule::handshake_response_malformed);
  }
  // RFC6455§4.1, point 1: HTTP handles any other status.
  if (response.status != 101) return std::unexpected(Rule::handshake_status_not_101);
  // RFC6455§4.1, point 2: Upgrade is exactly websocket.
  const FoundHeader upgrade = find_header(headers, "Upgrade");
  if (upgrade.count != 1 || !equals_ignoring_case(trim_space(upgrade.value), "websocket")) {
    return std::unexpected(Rule::handshake_response_upgrade_invalid);
  }
  // RFC6455§4.1, point 3: Connection names upgrade.
  if (!list_names(headers, "Connection", "upgrade")) {
    return std::unexpected(Rule::handshake_response_connection_invalid);
  }
  // RFC6455§4.1, point 4: the server proves that it read the key.
  const FoundHeader accept = find_header(headers, "Sec-WebSocket-Accept");
  if (accept.count != 1) return std::unexpected(Rule::handshake_accept_missing);
  if (trim_space(accept.value) != accept_key_for(key_)) return std::unexpected(Rule::handshake_accept_wrong);
  // RFC6455§4.1, point 5: no extension that was not offered.
  const auto extensions = parse_extensions(headers);
  if (!extensions) return std::unexpected(extensions.error());
  const auto deflate = check_deflate_response(*extensions, deflate_);
  if (!deflate) return std::unexpected(deflate.error());
  // RFC6455§4.1, point 6: one of the offered subprotocols. The server may omit the header.
  const FoundHeader protocol = find_header(headers, "Sec-WebSocket-Protocol");
  const std::string_view chosen = trim_space(protocol.value);
  if (protocol.count > 1 ||
      (protocol.count == 1 && std::ranges::find(subprotocols_, chosen) == subprotocols_.end())) {
    return std::unexpected(Rule::handshake_protocol_not_offered);
  }
  return ClientAgreement{.subprotocol = std::string(chosen), .deflate = *deflate};
}

}  // namespace fanfare::ws
