#pragma once
// The server side of the opening handshake, RFC 6455 §4.2: one request in, one response out, no I/O. src/http
// parses the request; this code decides.
//
//   const UpgradeRequest request{.method = "GET", .target = "/", .headers = headers};
//   if (is_upgrade(request.headers)) {
//     auto accepted = accept_upgrade(request, policy);
//     accepted ? send(accepted->response()) : send_error(accepted.error());
//   }
//
// Any thread; nothing is kept between calls.

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

// Views are borrowed for the call.
struct UpgradeRequest {
  std::string_view method = "GET";
  int version_major = 1;
  int version_minor = 1;
  std::string_view target = "/";
  std::span<const HeaderField> headers;
};

struct UpgradePolicy {
  // In the server's order of preference; the first one that the client offers is chosen. Case-sensitive.
  std::vector<std::string> subprotocols;
  // Reject a client that offers none of them, instead of continuing without a subprotocol.
  bool subprotocol_required = false;
  // RFC6455§10.2: origins that may connect from a browser; see origin_allowed(). Empty: any.
  std::vector<std::string> origins;
  // Reject requests without an Origin, as programs other than browsers send them.
  bool origin_required = false;
  DeflateOptions deflate;
};

// A header of ours: owned, unlike HeaderField.
struct OwnedHeader {
  std::string name;
  std::string value;

  bool operator==(const OwnedHeader&) const = default;
};

struct UpgradeAccept {
  std::string accept_key;                    // the value of Sec-WebSocket-Accept
  std::string subprotocol;                   // empty: none
  std::optional<DeflateParameters> deflate;  // empty: no compression
  std::string extensions;                    // the value of Sec-WebSocket-Extensions; empty: no such header

  // The complete 101 response, including the final empty line. Extra headers are omitted if the name is not a
  // token, the value contains control bytes, or the header repeats one of the handshake's own. Headers about
  // framing or the connection (RFC9110§7.6.1) are omitted too. So an application's headers can never split
  // the response.
  std::string response(std::span<const HeaderField> extra = {}) const;
};

struct UpgradeRefusal {
  Rule rule;                         // the rule that the client broke
  int status;                        // 400, 403, 405, 426, 431 or 505
  std::string reason;                // for the body: "broken rule: Upgrade names websocket (RFC6455§4.2.1)"
  std::vector<OwnedHeader> headers;  // required by the status: Allow, Upgrade, Sec-WebSocket-Version
};

// Whether the client requests a WebSocket, correctly or not: Upgrade names websocket. All other requests are
// ordinary. accept_upgrade() reports the errors in an upgrade request.
bool is_upgrade(std::span<const HeaderField> headers);

// Makes every check of RFC6455§4.2.1, in that section's order, and reports the first broken rule.
std::expected<UpgradeAccept, UpgradeRefusal> accept_upgrade(const UpgradeRequest& request,
                                                            const UpgradePolicy& policy);

// The rejection for a rule that was found broken elsewhere. For example, a plain GET to a WebSocket-only path
// gets the 426 of Rule::handshake_upgrade_missing. The rule must be one of the server's handshake rules.
UpgradeRefusal refuse_upgrade(Rule rule);

// RFC6455§4.2.2: base64(SHA-1(key + the GUID of the protocol)).
std::string accept_key_for(std::string_view key);

// Whether `origin` matches one of the patterns. A pattern is "*" (any origin) or an origin, compared
// case-insensitively (https://example.com, http://localhost:3000). A host that starts with "*." stands for
// one or more labels (https://*.example.com, which excludes https://example.com itself). A missing port means
// the scheme's default port only.
bool origin_allowed(std::string_view origin, std::span<const std::string> patterns);
// Whether the text can ever match: a pattern as above, or the "null" that sandboxed pages send.
bool is_origin_pattern(std::string_view text);

}  // namespace fanfare::ws
