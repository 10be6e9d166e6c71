#pragma once
// The opening handshake as the server sees it, RFC 6455 §4.2: one request in, one answer out, no I/O. The
// HTTP room reads the request; this decides.
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
  // In order of the server's preference; the first that the client offers is chosen. Compared exactly.
  std::vector<std::string> subprotocols;
  // Refuse a client that offers none of them, instead of going on without a subprotocol.
  bool subprotocol_required = false;
  // RFC6455§10.2: who may connect from a browser; see origin_allowed(). Empty: anyone.
  std::vector<std::string> origins;
  // Refuse a request without Origin, which is what programs other than browsers send.
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

  // The whole 101 response, up to and including the empty line. An extra header is left out if its name is no
  // token, its value holds control bytes, it would repeat one of the handshake's own, or it is about framing
  // or the connection (RFC9110§7.6.1): whatever an application puts there, the response stays one response.
  std::string response(std::span<const HeaderField> extra = {}) const;
};

struct UpgradeRefusal {
  Rule rule;                         // what the client broke
  int status;                        // 400, 403, 405, 426, 431 or 505
  std::string reason;                // for the body: "broken rule: Upgrade names websocket (RFC6455§4.2.1)"
  std::vector<OwnedHeader> headers;  // what the status asks for: Allow, Upgrade, Sec-WebSocket-Version
};

// Whether the client wants a WebSocket here at all, rightly or not: Upgrade names websocket. Everything else
// is an ordinary request. Errors in such an upgrade are accept_upgrade()'s to name.
bool is_upgrade(std::span<const HeaderField> headers);

// Every check of RFC6455§4.2.1, in the order of that section; the first rule that is broken is the answer.
std::expected<UpgradeAccept, UpgradeRefusal> accept_upgrade(const UpgradeRequest& request,
                                                            const UpgradePolicy& policy);

// The refusal for a rule found broken elsewhere (a path that only speaks WebSocket got a plain GET:
// Rule::handshake_upgrade_missing gives the 426). The rule is one of the server's handshake rules.
UpgradeRefusal refuse_upgrade(Rule rule);

// RFC6455§4.2.2: base64(SHA-1(key + the GUID of the protocol)).
std::string accept_key_for(std::string_view key);

// Whether `origin` matches one of the patterns. A pattern is an origin, compared without regard to case
// (https://example.com, http://localhost:3000); an origin whose host starts with "*.", which stands for one
// or more labels (https://*.example.com: not https://example.com itself); or "*", any origin. A missing port
// means the default of the scheme, and never any other.
bool origin_allowed(std::string_view origin, std::span<const std::string> patterns);
// Whether the text can ever match: one of those, or the "null" that sandboxed pages send.
bool is_origin_pattern(std::string_view text);

}  // namespace fanfare::ws
