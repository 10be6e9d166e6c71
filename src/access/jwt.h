#pragma once
// JSON Web Tokens, RFC 7519, in the compact form of RFC 7515: header.payload.signature. HS256, RS256 and ES256.
//
//   eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTcwMDAwMDAwMH0.mac
//   {"alg":"HS256"}      {"sub":"alice","exp":1700000000}            32 bytes
//
// RFC8725§3.1: the algorithm belongs to the key, not to the token. A token whose "alg" is not its key's is refused, so
// neither "none" nor an HMAC keyed with a public key is ever accepted. RFC7515§4.1.11: a token with "crit" is refused.
// Objects with two members of one name are refused, and so are tokens without "exp", unless the rules allow them.
//
// Immutable; any thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/credentials.h"
#include "access/digest.h"
#include "base/time.h"

namespace fanfare::access {

enum class JwtAlgorithm : std::uint8_t { hs256, rs256, es256 };
std::string_view name_of(JwtAlgorithm algorithm);  // "HS256"

// One key with its one algorithm. Cheap to copy; the key's bytes are never shown.
class JwtKey {
 public:
  // Errors are for the operator and show no secret. RFC7518§3.2: a secret of at least 32 bytes.
  static std::expected<JwtKey, std::string> hmac(std::string id, std::string secret);
  // A public key or a certificate in PEM: RSA of at least 2048 bits (RFC7518§3.3), or EC on P-256.
  static std::expected<JwtKey, std::string> pem(std::string id, const std::string& text);
  // One member of a JWK set, RFC 7517: kty oct, RSA, or EC with crv P-256.
  static std::expected<JwtKey, std::string> jwk(std::string_view json);

  const std::string& id() const { return id_; }  // "kid"; may be empty
  JwtAlgorithm algorithm() const { return algorithm_; }
  bool verifies(std::string_view signed_text, std::string_view signature) const;
  // The same for the same key, whatever its id. It shows no secret.
  Digest fingerprint() const;

 private:
  struct Material;
  JwtKey(std::string id, JwtAlgorithm algorithm, std::shared_ptr<const Material> material);
  static std::expected<JwtKey, std::string> of_public(std::string id, std::shared_ptr<Material> material);

  std::string id_;
  JwtAlgorithm algorithm_;
  std::shared_ptr<const Material> material_;
};

// {"keys":[...]}, RFC7517§5. Keys for other uses ("use" other than "sig") and of other types are left out, as the RFC
// asks; a set without a usable key is an error.
std::expected<std::vector<JwtKey>, std::string> parse_jwks(std::string_view json);

struct JwtRules {
  std::vector<JwtKey> keys;
  std::string issuer = {};            // empty: any "iss"
  std::string audience = {};          // empty: any "aud"; else it must be the "aud" or one of its elements
  std::string roles_claim = "roles";  // a list of names, or one text with spaces between them
  Duration leeway = std::chrono::seconds(30);  // for clocks that differ
  bool requires_expiry = true;
  Duration lifetime_max = std::chrono::hours(24 * 366);  // "exp" further away is refused
};

struct JwtClaims {
  std::string subject;
  std::vector<std::string> roles;
  bool has_roles = false;              // the claim is there, and may be empty: such a token grants nothing
  std::optional<WallTime> expires_at;  // "exp" and the leeway: refused from then on
  Digest key{};                        // the fingerprint of the key that signed it
};

inline constexpr std::size_t kTokenBytesMax = kSecretBytesMax;
inline constexpr std::size_t kTokenRolesMax = 32;

// Whether the text has the form of a JWT: three parts of base64url.
bool looks_like_jwt(std::string_view token);
// Denial: malformed, unknown, expired, too_early, or which claim it is. The signature is checked before the claims.
std::expected<JwtClaims, Denial> verify_jwt(std::string_view token, const JwtRules& rules, WallTime now);

}  // namespace fanfare::access
