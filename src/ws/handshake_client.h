#pragma once
// The opening handshake as the client sees it, RFC 6455 §4.1: one request out, one response in, no I/O.
//
//   auto handshake = ClientHandshake::make({.host = "example.com", .target = "/chat"}, random);
//   send(handshake->request());
//   auto agreed = handshake->check({.status = 101, .headers = headers});
//
// Any thread; the object keeps the key it drew and what it offered, and checks one response against them.

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
  std::string host;          // as it goes into Host: with the port unless it is the scheme's default
  std::string target = "/";  // path and query, percent-encoded by the caller
  std::vector<std::string> subprotocols;
  std::string origin;                // empty: no Origin header
  std::vector<OwnedHeader> headers;  // authorisation, cookies, ...
  DeflateOptions deflate;
};

// What of the options cannot stand in a request.
enum class OfferError : std::uint8_t {
  bad_host,
  bad_target,
  bad_subprotocol,  // no token, or named twice
  bad_header,       // no token as name, or control bytes in name or value
  reserved_header,  // one that the handshake itself writes
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

  // The whole request, up to and including the empty line. Good as long as the object.
  const std::string& request() const { return request_; }
  // The 16 random bytes in base64 that went out as Sec-WebSocket-Key.
  const std::string& key() const { return key_; }

  // What the server agreed to, or the first rule of RFC6455§4.1 that it broke, in that section's order.
  // handshake_status_not_101 also stands for every honest refusal, a redirect or a 401: those are HTTP's.
  std::expected<ClientAgreement, Rule> check(const UpgradeResponse& response) const;

 private:
  ClientHandshake() = default;

  std::string key_;
  std::string request_;
  std::vector<std::string> subprotocols_;
  DeflateOptions deflate_;
};

}  // namespace fanfare::ws
