#pragma once
// Everything that decides who may do what, as plain data: read from a configuration, or built by a program. Secrets are
// hashes here, except for the HMAC keys of tokens, which no function shows.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/address.h"
#include "access/digest.h"
#include "access/jwt.h"
#include "access/password.h"
#include "access/principal.h"
#include "access/quota.h"

namespace fanfare::access {

struct RolePlan {
  Role role;
  Limits limits = {};  // of each identity whose first role this is
};

struct KeyPlan {
  std::string name;  // of its principal; unique among keys; no user has it
  Digest digest{};   // SHA-256 of the key
  std::vector<std::string> roles;
  std::vector<AddressRange> from = {};  // empty: everywhere
  std::optional<WallTime> expires_at = {};
};

// A user may have several, each with a password of its own.
struct UserPlan {
  PasswordHash password;
  std::vector<std::string> roles;
  std::vector<AddressRange> from = {};
};

// A client certificate that TLS has verified. It is used by callers without other credentials.
struct CertificatePlan {
  std::string name;                        // of its principal; unique like a key's
  std::optional<Digest> fingerprint = {};  // SHA-256 of the certificate: only this one
  std::string subject = {};                // without a fingerprint: every one with this subject (RFC 4514)
  std::vector<std::string> roles;
  std::vector<AddressRange> from = {};
};

struct TokenPlan {
  JwtRules rules;
  // For tokens without the claim of rules.roles_claim. Names in the claim that are no roles are ignored: an issuer may
  // serve other programs, too.
  std::vector<std::string> default_roles = {};
};

struct AccessPlan {
  std::vector<RolePlan> roles;
  std::vector<KeyPlan> keys = {};
  std::vector<UserPlan> users = {};
  std::vector<CertificatePlan> certificates = {};
  std::optional<TokenPlan> tokens = {};
  std::vector<std::string> anonymous_roles = {};  // of callers without credentials; empty: they are refused
  std::vector<AddressRange> allowed_addresses = {};  // of all callers; empty: every address
  Limits per_address = {};  // an IPv4 address or an IPv6 /64, over all its identities
  std::vector<std::pair<std::string, std::uint32_t>> costs = {};  // see Costs
  // Failed attempts from one address, an IPv4 address or an IPv6 /64. Beyond them passwords are refused unseen.
  Rate failures{.per_second = 1, .burst = 10};
  std::size_t accounts_max = 65'536;  // of addresses, and of identities, that are remembered
};

// The first problem: a role that does not exist, a key's name that stands twice, the same key twice. Empty: none.
std::string problem_of(const AccessPlan& plan);

}  // namespace fanfare::access
