#pragma once
// The client side of the opening handshake, RFC 6455 §4.1: one request out, one response in, no I/O.
//
//   auto handshake = ClientHandshake::make({.host = "example.com", .target = "/chat"}, random);
//   send(handshake->request());
//   auto agreed = handshake->check({.status = 101, .headers = headers});
//
// Any thread. The object keeps its random key and its offer, and checks one response against them.

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/header_field.h"
#include "base/random.h"
#include "ws/deflate_options.h"
#include "ws/handshake.h"
#include "ws/rules.h"

namespace fanfare::ws {

struct ClientHandshakeOptions {
  std::string host;          // as sent in Host: with the port unless it is the scheme's default
  std::string target = "/";  // path and query, percent-encoded by the caller
  std::vector<std::string> subprotocols;
  std::string origin;                // empty: no Origin header
  std::vector<OwnedHeader> headers;  // authorisation, cookies, ...
  DeflateOptions deflate;
};

// The option that cannot be put into a request.
enum class OfferError : std::uint8_t {
  bad_host,
  bad_target,
  bad_subprotocol,  // not a token, or named twice
  bad_header,       // the name is not a token, or name or value contains control bytes
  reserved_header,  // a header that the handshake itself writes
};
std::string_view to_text(OfferError error);

// Views are borrowed for the call.
struct UpgradeResponse {
  int version_major = 1;
  int version_minor = 1;
  int status = 101;
  std::span<const HeaderField> headers;
};

struct ClientAgreement {
  std::string subprotocol;                   // empty: none
  std::optional<DeflateParameters> deflate;  // empty: no compression
};

class ClientHandshake {
 public:
  static std::expected<ClientHandshake, OfferError> make(const ClientHandshakeOptions& options,
                                                         Random& random);

  // The complete request, including the final empty line. Valid as long as the object.
  const std::string& request() const { return request_; }
  // The 16 random bytes sent as Sec-WebSocket-Key, in base64.
  const std::string& key() const { return key_; }

  // Returns the negotiated result, or the first rule of RFC6455§4.1 that the server broke, in that section's
  // order. handshake_status_not_101 also covers every regular refusal, such as a redirect or a 401, which
  // HTTP code must handle.
  std::expected<ClientAgreement, Rule> check(const UpgradeResponse& response) const;

 private:
  ClientHandshake() = default;

  std::string key_;
  std::string request_;
  std::vector<std::string> subprotocols_;
  DeflateOptions deflate_;
};

}  // namespace fanfare::ws
