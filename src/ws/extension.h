#pragma once
// Sec-WebSocket-Extensions: its grammar (RFC6455§9.1) and the negotiation of permessage-deflate as server and
// as client. It is the only extension we support (RFC7692§7.1).
//
//   Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits=10,
//                             permessage-deflate; client_max_window_bits
//                             └ one offer; the list is in order of the client's preference
//
// There are two kinds of failure. A header that violates the grammar fails the handshake. An offer that we
// cannot or must not accept is declined, and the next one is tried, down to no compression at all.

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/header_field.h"
#include "ws/deflate_options.h"
#include "ws/rules.h"

namespace fanfare::ws {

struct ExtensionParameter {
  std::string_view name;
  std::optional<std::string> value;  // unquoted and unescaped

  bool operator==(const ExtensionParameter&) const = default;
};

struct Extension {
  std::string_view name;
  std::vector<ExtensionParameter> parameters;

  bool operator==(const Extension&) const = default;
};

// Limits for one handshake, over all its Sec-WebSocket-Extensions headers. Browsers send one offer with one
// parameter; other libraries send at most a handful.
inline constexpr std::size_t kExtensionsMax = 32;
inline constexpr std::size_t kExtensionParametersMax = 32;  // in one extension

// Returns every extension of every Sec-WebSocket-Extensions header, in order; other headers are skipped. The
// views point into the headers. Errors: extension_header_malformed, or handshake_too_large beyond the two
// limits.
std::expected<std::vector<Extension>, Rule> parse_extensions(std::span<const HeaderField> headers);

// Checks whether one offer (or, as a client, one acceptance) is well formed, independent of our options.
// Offers may name client_max_window_bits without a value; responses may not.
enum class DeflateMessage : std::uint8_t { offer, response };
struct DeflateTerms {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<int> server_max_window_bits;
  bool client_max_window_bits_named = false;  // with or without value
  std::optional<int> client_max_window_bits;
};
std::expected<DeflateTerms, Rule> read_deflate_terms(const Extension& extension, DeflateMessage message);

// As server: the result for the first acceptable offer, and the header value that announces it. Empty if
// compression is off or no offer is acceptable.
struct DeflateAgreement {
  DeflateParameters parameters;
  std::string header_value;
};
std::optional<DeflateAgreement> accept_deflate(std::span<const Extension> offers,
                                               const DeflateOptions& options);

// As client: the header value that offers compression according to the options; empty if compression is off.
std::string deflate_offer(const DeflateOptions& options);

// As client: the server's response to our offer. Empty if it accepted nothing. Errors: every extension_* rule
// that a server can break.
std::expected<std::optional<DeflateParameters>, Rule> check_deflate_response(
    std::span<const Extension> accepted, const DeflateOptions& offered);

}  // namespace fanfare::ws
