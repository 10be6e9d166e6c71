#pragma once
// The credentials in a request's head, in every form that gateways and browsers use:
//
//   Authorization: Basic BASE64(user:password)        user and password (RFC 7617)
//   Authorization: Bearer TOKEN                       a key or a JWT (RFC 6750)
//   X-Api-Key: KEY                                    also X-ERPC-Secret-Token, X-Nodecore-Key
//   ?apikey=KEY                                       also api_key, key, secret, token
//   /{project}/evm/{chainId}/KEY                      the path's form, given by the caller
//   Sec-WebSocket-Protocol: fanfare, fanfare.bearer.TOKEN     browsers, which cannot set headers
//
// Pure; any thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace fanfare::access {

// Why a caller is refused. Outsiders get text_of(): it never says which part of a credential is wrong, unless its signature
// shows that the caller has it from the issuer.
enum class Denial : std::uint8_t {
  missing,    // no credentials
  malformed,  // not of any form, or of several that contradict each other
  unknown,    // no such key, user, password or signature
  expired,    // a token after its exp
  too_early,  // a token before its nbf or iat
  address,    // not from an address that may use it
  blocked,    // too many failures from this address
  // The claims of a token with a good signature, so its holder may know:
  no_expiry,    // without exp
  issuer,       // another iss
  audience,     // another aud
  too_long,     // its exp is too far away
  bad_claim,    // a claim of the wrong kind
  other_grant,  // on an open connection: of another identity, or with other roles
  count_,
};
// Whether it may be a guess, which counts as a failed attempt: nothing of the credential was found to be right.
bool may_be_guess(Denial denial);
// For logs and metrics: "missing", "malformed", ...
std::string_view name_of(Denial denial);
// For outsiders, one line without its end.
std::string_view text_of(Denial denial);

// Owned: it outlives the request's memory. Wiped when it is destroyed; never log it.
class Credentials {
 public:
  enum class Kind : std::uint8_t {
    none,
    password,  // user() and secret()
    token,     // secret(): a key or a JWT
  };

  Credentials() = default;
  static Credentials password(std::string user, std::string secret);
  static Credentials token(std::string secret);
  Credentials(Credentials&&) noexcept = default;
  Credentials& operator=(Credentials&&) noexcept = default;
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  ~Credentials();

  Kind kind() const { return kind_; }
  const std::string& user() const { return user_; }
  const std::string& secret() const { return secret_; }

 private:
  Kind kind_ = Kind::none;
  std::string user_;
  std::string secret_;
};

// A longer user, password, key or token is malformed.
inline constexpr std::size_t kSecretBytesMax = 8192;
// What a server selects if a client offers it beside the token, which is never sent back.
inline constexpr std::string_view kSubprotocol = "fanfare";
inline constexpr std::string_view kBearerSubprotocol = "fanfare.bearer.";

// The parts of a request's head that may hold credentials; borrowed for the call.
struct CredentialSources {
  http::Headers headers;
  std::string_view query = {};
  std::string_view path_key = {};  // decoded; empty: the path has none
};
// Several equal credentials are one; several different ones are malformed, so that nobody can mean one and another
// one is used. An empty credential is malformed.
std::expected<Credentials, Denial> find_credentials(const CredentialSources& sources);

// The value of one Authorization header.
std::expected<Credentials, Denial> parse_authorization(std::string_view value);

}  // namespace fanfare::access
