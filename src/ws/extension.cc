#include "ws/extension.h"

#include <algorithm>
#include <array>

#include "ws/handshake_text.h"

namespace fanfare::ws {
namespace {

constexpr std::string_view kDeflate = "permessage-deflate";
constexpr std::string_view kServerTakeover = "server_no_context_takeover";
constexpr std::string_view kClientTakeover = "client_no_context_takeover";
constexpr std::string_view kServerWindow = "server_max_window_bits";
constexpr std::string_view kClientWindow = "client_max_window_bits";

// Parses one header value. RFC6455§9.1 takes its list and white space rules from RFC2616§2.1: white space is
// allowed between any two tokens, and empty list elements are ignored.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) { skip_space(); }

  bool done() const { return at_ == text_.size(); }
  bool take(char wanted) {
    if (done() || text_[at_] != wanted) return false;
    ++at_;
    skip_space();
    return true;
  }
  // Empty if there is no token here.
  std::string_view take_token() {
    const std::size_t begin = at_;
    while (!done() && is_token_char(text_[at_])) ++at_;
    const std::string_view token = text_.substr(begin, at_ - begin);
    skip_space();
    return token;
  }
  // RFC6455§9.1: a quoted value must be a token after unquoting and unescaping. Call it after the opening
  // quote.
  std::optional<std::string> take_quoted() {
    std::string value;
    while (!done() && text_[at_] != '"') {
      if (text_[at_] == '\\') ++at_;
      if (done() || !is_token_char(text_[at_])) return std::nullopt;
      value += text_[at_++];
    }
    if (done() || value.empty()) return std::nullopt;
    ++at_;
    skip_space();
    return value;
  }
  // Takes the opening quote only; no space is skipped, since the value follows.
  bool take_quote() {
    if (done() || text_[at_] != '"') return false;
    ++at_;
    return true;
  }

 private:
  void skip_space() {
    while (!done() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::expected<ExtensionParameter, Rule> parse_parameter(Cursor& cursor) {
  ExtensionParameter parameter{.name = cursor.take_token(), .value = std::nullopt};
  if (parameter.name.empty()) return std::unexpected(Rule::extension_header_malformed);
  if (!cursor.take('=')) return parameter;
  if (cursor.take_quote()) {
    parameter.value = cursor.take_quoted();
    if (!parameter.value) return std::unexpected(Rule::extension_header_malformed);
    return parameter;
  }
  const std::string_view token = cursor.take_token();
  if (token.empty()) return std::unexpected(Rule::extension_header_malformed);
  parameter.value = std::string(token);
  return parameter;
}

std::expected<Extension, Rule> parse_extension(Cursor& cursor) {
  Extension extension{.name = cursor.take_token(), .parameters = {}};
  if (extension.name.empty()) return std::unexpected(Rule::extension_header_malformed);
  while (cursor.take(';')) {
    if (extension.parameters.size() == kExtensionParametersMax) {
      return std::unexpected(Rule::handshake_too_large);
    }
    std::expected<ExtensionParameter, Rule> parameter = parse_parameter(cursor);
    if (!parameter) return std::unexpected(parameter.error());
    extension.parameters.push_back(std::move(*parameter));
  }
  return extension;
}

std::expected<void, Rule> parse_value(std::string_view text, std::vector<Extension>& extensions) {
  Cursor cursor(text);
  const std::size_t before = extensions.size();
  while (!cursor.done()) {
    if (cursor.take(',')) continue;
    if (extensions.size() == kExtensionsMax) return std::unexpected(Rule::handshake_too_large);
    std::expected<Extension, Rule> extension = parse_extension(cursor);
    if (!extension) return std::unexpected(extension.error());
    extensions.push_back(std::move(*extension));
    if (!cursor.done() && !cursor.take(',')) return std::unexpected(Rule::extension_header_malformed);
  }
  // RFC6455§9.1: the list has at least one element.
  if (extensions.size() == before) return std::unexpected(Rule::extension_header_malformed);
  return {};
}

// RFC7692§7.1.2: 8 to 15, without a leading zero.
std::optional<int> parse_window_bits(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kSpellings{"8", "9", "10", "11", "12", "13", "14", "15"};
  const auto* const found = std::ranges::find(kSpellings, text);
  if (found == kSpellings.end()) return std::nullopt;
  return kWindowBitsMin + static_cast<int>(found - kSpellings.begin());
}

std::expected<void, Rule> read_parameter(const ExtensionParameter& parameter, DeflateMessage message,
                                         DeflateTerms& terms) {
  if (parameter.name == kServerTakeover) {
    if (terms.server_no_context_takeover) return std::unexpected(Rule::extension_parameter_repeated);
    // RFC7692§7.1.1.1: server_no_context_takeover has no value.
    if (parameter.value) return std::unexpected(Rule::extension_server_takeover_invalid);
    terms.server_no_context_takeover = true;
    return {};
  }
  if (parameter.name == kClientTakeover) {
    if (terms.client_no_context_takeover) return std::unexpected(Rule::extension_parameter_repeated);
    // RFC7692§7.1.1.2: client_no_context_takeover has no value.
    if (parameter.value) return std::unexpected(Rule::extension_client_takeover_invalid);
    terms.client_no_context_takeover = true;
    return {};
  }
  if (parameter.name == kServerWindow) {
    if (terms.server_max_window_bits) return std::unexpected(Rule::extension_parameter_repeated);
    // RFC7692§7.1.2.1: server_max_window_bits always has a value.
    if (parameter.value) terms.server_max_window_bits = parse_window_bits(*parameter.value);
    if (!terms.server_max_window_bits) return std::unexpected(Rule::extension_server_window_invalid);
    return {};
  }
  if (parameter.name == kClientWindow) {
    if (terms.client_max_window_bits_named) return std::unexpected(Rule::extension_parameter_repeated);
    terms.client_max_window_bits_named = true;
    // RFC7692§7.1.2.2: an offer may name client_max_window_bits without a value, a response may not.
    if (!parameter.value && message == DeflateMessage::offer) return {};
    if (parameter.value) terms.client_max_window_bits = parse_window_bits(*parameter.value);
    if (!terms.client_max_window_bits) return std::unexpected(Rule::extension_client_window_invalid);
    return {};
  }
  // RFC7692§7.1: an unknown parameter makes the offer or response unacceptable.
  return std::unexpected(Rule::extension_parameter_unknown);
}

void append_flag(std::string& value, std::string_view name) {
  value.append("; ").append(name);
}

void append_window(std::string& value, std::string_view name, int bits) {
  value.append("; ").append(name).append("=").append(std::to_string(bits));
}

std::optional<DeflateAgreement> accept_offer(const DeflateTerms& offer, const DeflateOptions& options) {
  DeflateAgreement agreement{.parameters = {}, .header_value = std::string(kDeflate)};
  DeflateParameters& agreed = agreement.parameters;

  // RFC7692§7.1.1.1: accepting the offer includes accepting this; a server may also impose it.
  agreed.server_no_context_takeover = offer.server_no_context_takeover || options.server_no_context_takeover;
  if (agreed.server_no_context_takeover) append_flag(agreement.header_value, kServerTakeover);

  // RFC7692§7.1.1.2: from a client this hints that it will not use takeover anyway. Agreeing makes it
  // binding, so that we can discard its window.
  agreed.client_no_context_takeover = offer.client_no_context_takeover || options.client_no_context_takeover;
  if (agreed.client_no_context_takeover) append_flag(agreement.header_value, kClientTakeover);

  // RFC7692§7.1.2.1: at most the offered size; a server may announce a smaller window without being asked.
  agreed.server_max_window_bits =
      std::min(options.server_max_window_bits, offer.server_max_window_bits.value_or(kWindowBitsMax));
  // An offer of 8 is legal, but no compressor supports it, so it is declined.
  if (agreed.server_max_window_bits < kWindowBitsUsable) return std::nullopt;
  if (offer.server_max_window_bits || agreed.server_max_window_bits < kWindowBitsMax) {
    append_window(agreement.header_value, kServerWindow, agreed.server_max_window_bits);
  }

  // RFC7692§7.1.2.2: if the offer does not name it, the response must not either: the client's window is then
  // 15, whatever our options. A client that offered 8 is inflated like any other.
  if (offer.client_max_window_bits_named) {
    agreed.client_max_window_bits =
        std::min(options.client_max_window_bits, offer.client_max_window_bits.value_or(kWindowBitsMax));
    if (agreed.client_max_window_bits < kWindowBitsMax) {
      append_window(agreement.header_value, kClientWindow, agreed.client_max_window_bits);
    }
  }
  return agreement;
}

}  // namespace

std::expected<std::vector<Extension>, Rule> parse_extensions(std::span<const HeaderField> headers) {
  std::vector<Extension> extensions;
  for (const HeaderField& field : headers) {
    if (!equals_ignoring_case(field.name, "Sec-WebSocket-Extensions")) continue;
    const std::expected<void, Rule> parsed = parse_value(field.value, extensions);
    if (!parsed) return std::unexpected(parsed.error());
  }
  return extensions;
}

std::expected<DeflateTerms, Rule> read_deflate_terms(const Extension& extension, DeflateMessage message) {
  DeflateTerms terms;
  for (const ExtensionParameter& parameter : extension.parameters) {
    const std::expected<void, Rule> read = read_parameter(parameter, message, terms);
    if (!read) return std::unexpected(read.error());
  }
  return terms;
}

std::optional<DeflateAgreement> accept_deflate(std::span<const Extension> offers,
                                               const DeflateOptions& options) {
  if (!options.enabled) return std::nullopt;
  for (const Extension& offer : offers) {
    if (offer.name != kDeflate) continue;
    const std::expected<DeflateTerms, Rule> terms = read_deflate_terms(offer, DeflateMessage::offer);
    if (!terms) continue;  // RFC7692§7.1: such an offer is declined; a later one may be acceptable
    std::optional<DeflateAgreement> agreement = accept_offer(*terms, options);
    if (agreement) return agreement;
  }
  return std::nullopt;
}

std::string deflate_offer(const DeflateOptions& options) {
  if (!options.enabled) return {};
  std::string value(kDeflate);
  if (options.server_no_context_takeover) append_flag(value, kServerTakeover);
  if (options.client_no_context_takeover) append_flag(value, kClientTakeover);
  if (options.server_max_window_bits < kWindowBitsMax) {
    append_window(value, kServerWindow, options.server_max_window_bits);
  }
  // RFC7692§7.1.2.2: named in every offer, so that the server may limit our window. It has no value, because
  // servers that want another window refuse an offer with a value. See docs/decisions/0051.
  append_flag(value, kClientWindow);
  return value;
}

std::expected<std::optional<DeflateParameters>, Rule> check_deflate_response(
    std::span<const Extension> accepted, const DeflateOptions& offered) {
  std::optional<DeflateParameters> agreed;
  for (const Extension& extension : accepted) {
    // RFC6455§9.1: the server accepts only extensions that were offered.
    if (!offered.enabled || extension.name != kDeflate) return std::unexpected(Rule::extension_not_offered);
    // RFC7692§5: at most one offer of an extension is accepted.
    if (agreed) return std::unexpected(Rule::extension_accepted_twice);
    const std::expected<DeflateTerms, Rule> terms = read_deflate_terms(extension, DeflateMessage::response);
    if (!terms) return std::unexpected(terms.error());
    // RFC7692§7.1.1.1: a server that accepts an offer with server_no_context_takeover must repeat it.
    if (offered.server_no_context_takeover && !terms->server_no_context_takeover) {
      return std::unexpected(Rule::extension_server_takeover_ignored);
    }
    // RFC7692§7.1.2.1: a server that accepts an offer with server_max_window_bits must name the same or a
    // smaller size.
    if (offered.server_max_window_bits < kWindowBitsMax &&
        terms->server_max_window_bits.value_or(kWindowBitsMax + 1) > offered.server_max_window_bits) {
      return std::unexpected(Rule::extension_server_window_too_large);
    }
    agreed = DeflateParameters{
        .server_no_context_takeover = terms->server_no_context_takeover,
        // Our own option binds us even if the server did not repeat it.
        .client_no_context_takeover = terms->client_no_context_takeover || offered.client_no_context_takeover,
        .server_max_window_bits = terms->server_max_window_bits.value_or(kWindowBitsMax),
        // RFC7692§7.1.2.2: at most the size the server names, or 15 if it names none. We also stay within our
        // own limit, which needs no agreement: a peer with a larger window can inflate it as well.
        .client_max_window_bits =
            std::min(terms->client_max_window_bits.value_or(kWindowBitsMax), offered.client_max_window_bits),
    };
  }
  return agreed;
}

}  // namespace fanfare::ws
