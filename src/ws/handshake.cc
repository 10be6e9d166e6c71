#include "ws/handshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "ws/base64.h"
#include "ws/extension.h"
#include "ws/handshake_text.h"

namespace fanfare::ws {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kKeyBytes = 16;

// RFC6455§3: a resource name is an absolute path, or (RFC9112§3.2.2) a complete URI; it never has a fragment.
bool is_target(std::string_view target) {
  const bool absolute_path = target.starts_with('/');
  const std::size_t scheme_end = target.find("://");
  const bool absolute_uri =
      scheme_end != std::string_view::npos && scheme_end > 0 && target.size() > scheme_end + 3;
  return (absolute_path || absolute_uri) && std::ranges::all_of(target, [](char character) {
           const auto byte = static_cast<unsigned char>(character);
           return byte > 0x20 && byte != 0x7f && character != '#';
         });
}

// RFC6455§4.2.1, points 1 to 6: the requirements that do not depend on the policy. Empty: all are met.
std::optional<Rule> check_request(const UpgradeRequest& request) {
  // RFC6455§4.2.1: the method is GET.
  if (request.method != "GET") return Rule::handshake_method_not_get;
  // RFC6455§4.2.1: HTTP/1.1 or higher.
  if (request.version_major < 1 || (request.version_major == 1 && request.version_minor < 1)) {
    return Rule::handshake_http_version_too_low;
  }
  // RFC6455§4.2.1: the request target is a resource name.
  if (!is_target(request.target)) return Rule::handshake_target_invalid;
  // RFC6455§4.2.1: one Host header.
  const FoundHeader host = find_header(request.headers, "Host");
  if (host.count != 1 || host.value.empty()) return Rule::handshake_host_missing;
  // RFC6455§4.2.1: Upgrade names websocket, in any case.
  if (!list_names(request.headers, "Upgrade", "websocket")) return Rule::handshake_upgrade_missing;
  // RFC6455§4.2.1: Connection names upgrade; browsers send "keep-alive, Upgrade".
  if (!list_names(request.headers, "Connection", "upgrade")) return Rule::handshake_connection_missing;
  // RFC6455§4.4: check the version before the key, so that a client with another version learns which one we
  // support.
  const FoundHeader version = find_header(request.headers, "Sec-WebSocket-Version");
  if (version.count == 0) return Rule::handshake_version_missing;
  if (version.count > 1) return Rule::handshake_version_repeated;  // RFC6455§11.3.5
  if (version.value != "13") return Rule::handshake_version_unsupported;
  // RFC6455§4.2.1: one key, which decodes to 16 bytes.
  const FoundHeader key = find_header(request.headers, "Sec-WebSocket-Key");
  if (key.count == 0) return Rule::handshake_key_missing;
  if (key.count > 1) return Rule::handshake_key_repeated;  // RFC6455§11.3.1
  const std::optional<std::vector<std::uint8_t>> decoded = base64_decode(key.value);
  if (!decoded || decoded->size() != kKeyBytes) return Rule::handshake_key_invalid;
  return std::nullopt;
}

// RFC6455§10.2: a browser sends the page's origin; other programs need not send one.
bool origin_accepted(const UpgradeRequest& request, const UpgradePolicy& policy) {
  const FoundHeader origin = find_header(request.headers, "Origin");
  if (origin.count == 0) return !policy.origin_required;
  if (origin.count > 1) return false;
  return policy.origins.empty() || origin_allowed(origin.value, policy.origins);
}

// Returns the server's most preferred subprotocol among those offered; empty: none in common.
std::expected<std::string, Rule> choose_subprotocol(const UpgradeRequest& request,
                                                    const UpgradePolicy& policy) {
  const FoundHeader header = find_header(request.headers, "Sec-WebSocket-Protocol");
  const auto offered = list_tokens(request.headers, "Sec-WebSocket-Protocol");
  // RFC6455§4.1: the elements are distinct tokens, at least one.
  if (!offered || (header.count > 0 && offered->empty()))
    return std::unexpected(Rule::handshake_protocol_invalid);
  std::vector<std::string_view> sorted = *offered;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) {
    return std::unexpected(Rule::handshake_protocol_invalid);
  }
  for (const std::string& wanted : policy.subprotocols) {
    if (std::ranges::find(*offered, wanted) != offered->end()) return wanted;
  }
  if (policy.subprotocol_required) return std::unexpected(Rule::handshake_protocol_invalid);
  return std::string();
}

bool is_handshake_header(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kOwn{"Upgrade",
                                                         "Connection",
                                                         "Sec-WebSocket-Accept",
                                                         "Sec-WebSocket-Protocol",
                                                         "Sec-WebSocket-Extensions",
                                                         "Content-Length",
                                                         "Transfer-Encoding",
                                                         "Trailer",
                                                         "Keep-Alive",
                                                         "Proxy-Connection",
                                                         "TE"};
  return std::ranges::any_of(kOwn, [&](std::string_view own) { return equals_ignoring_case(own, name); });
}

void append_header(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool is_upgrade(std::span<const HeaderField> headers) {
  return list_names(headers, "Upgrade", "websocket");
}

std::expected<UpgradeAccept, UpgradeRefusal> accept_upgrade(const UpgradeRequest& request,
                                                            const UpgradePolicy& policy) {
  if (const std::optional<Rule> broken = check_request(request))
    return std::unexpected(refuse_upgrade(*broken));
  // RFC6455§10.2: an unaccepted Origin gets 403.
  if (!origin_accepted(request, policy))
    return std::unexpected(refuse_upgrade(Rule::handshake_origin_refused));

  std::expected<std::string, Rule> subprotocol = choose_subprotocol(request, policy);
  if (!subprotocol) return std::unexpected(refuse_upgrade(subprotocol.error()));

  // RFC6455§9.1: a malformed extension header fails the handshake; an offer that we cannot use does not.
  const auto offers = parse_extensions(request.headers);
  if (!offers) return std::unexpected(refuse_upgrade(offers.error()));

  UpgradeAccept accept{
      .accept_key = accept_key_for(find_header(request.headers, "Sec-WebSocket-Key").value),
      .subprotocol = std::move(*subprotocol),
      .deflate = std::nullopt,
      .extensions = {},
  };
  if (std::optional<DeflateAgreement> agreement = accept_deflate(*offers, policy.deflate)) {
    accept.deflate = agreement->parameters;
    accept.extensions = std::move(agreement->header_value);
  }
  return accept;
}

std::string UpgradeAccept::response(std::span<const HeaderField> extra) const {
  std::string text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  append_header(text, "Sec-WebSocket-Accept", accept_key);
  if (!subprotocol.empty()) append_header(text, "Sec-WebSocket-Protocol", subprotocol);
  if (!extensions.empty()) append_header(text, "Sec-WebSocket-Extensions", extensions);
  for (const HeaderField& field : extra) {
    if (!is_token(field.name) || !is_header_value(field.value) || is_handshake_header(field.name)) continue;
    append_header(text, field.name, field.value);
  }
  text += "\r\n";
  return text;
}

UpgradeRefusal refuse_upgrade(Rule rule) {
  const RuleInfo& broken = info(rule);
  FANFARE_CHECK(broken.code >= 400 && broken.code <= 599);
  UpgradeRefusal refusal{.rule = rule, .status = broken.code, .reason = "", .headers = {}};
  refusal.reason = "broken rule: " + std::string(broken.sentence) + " (" + std::string(broken.clause) + ")";
  // RFC9110§15.5.6: 405 lists the allowed methods. RFC9110§15.5.22: 426 names the protocol to upgrade to.
  if (refusal.status == 405) refusal.headers.push_back({"Allow", "GET"});
  // RFC9110§7.8: Connection must name Upgrade as well; the code that writes the response adds it.
  if (refusal.status == 426) refusal.headers.push_back({"Upgrade", "websocket"});
  // RFC6455§4.4: the versions that we support.
  if (rule == Rule::handshake_version_unsupported || rule == Rule::handshake_version_missing) {
    refusal.headers.push_back({"Sec-WebSocket-Version", "13"});
  }
  return refusal;
}

std::string accept_key_for(std::string_view key) {
  std::string salted(key);
  salted += kGuid;
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  FANFARE_CHECK(EVP_Digest(salted.data(), salted.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1);
  return base64_encode(Bytes(digest.data(), size));
}

}  // namespace fanfare::ws
