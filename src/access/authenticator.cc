#include "access/authenticator.h"

#include <algorithm>
#include <set>
#include <utility>

namespace fanfare::access {
namespace {

std::string random_bytes(Random& random) {
  Digest noise{};
  random.fill(noise);
  return {reinterpret_cast<const char*>(noise.data()), noise.size()};
}

// A subject of any bytes as a name that no other subject, key or user has.
std::string token_name(const std::string& subject) {
  std::string name = std::string(kTokenNamePrefix) + subject;
  if (principal_name(name) == name) return name;
  return "jwt:#" + to_hex(sha256(subject)).substr(0, 32);
}

using Kind = CredentialOrigin::Kind;

CredentialOrigin origin_of(const PasswordHash& hash) {
  return {.kind = Kind::user, .digest = sha256(rpcauth_text(hash))};
}

CredentialOrigin origin_of(const CertificatePlan& plan) {
  return {.kind = Kind::certificate,
          .digest = plan.fingerprint ? *plan.fingerprint : sha256("subject " + plan.subject)};
}

}  // namespace

std::string problem_of(const AccessPlan& plan) {
  std::set<std::string> roles;
  for (const RolePlan& one : plan.roles) {
    if (!roles.insert(one.role.name).second) return "the role " + one.role.name + " stands twice";
  }
  std::string problem;
  const auto check_roles = [&](const std::string& who, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (problem.empty() && !roles.contains(name))
        problem = who + " has a role that does not exist: " + name;
    }
  };
  std::set<std::string> names;
  std::set<Digest> digests;
  for (const KeyPlan& key : plan.keys) {
    if (!names.insert(key.name).second) return "the name " + key.name + " stands twice";
    if (!digests.insert(key.digest).second) return "the key of " + key.name + " stands twice";
    check_roles(key.name, key.roles);
  }
  for (const UserPlan& user : plan.users) {
    // A user may stand there several times: with the old and the new password.
    if (names.contains(user.password.user)) return "a key and a user have the name " + user.password.user;
    check_roles(user.password.user, user.roles);
  }
  for (const CertificatePlan& one : plan.certificates) {
    if (!names.insert(one.name).second) return "the name " + one.name + " stands twice";
    check_roles(one.name, one.roles);
  }
  check_roles("anonymous", plan.anonymous_roles);
  if (plan.tokens) check_roles("jwt", plan.tokens->default_roles);
  return problem;
}

Authenticator::Authenticator(AccessPlan plan, Random& random)
    : plan_(std::move(plan)),
      pepper_(random_bytes(random)),
      nobody_(hash_password("", random_bytes(random), random)),
      address_limits_(std::make_shared<const Limits>(plan_.per_address)) {
  for (const RolePlan& one : plan_.roles) {
    roles_.try_emplace(one.role.name, one.role, std::make_shared<const Limits>(one.limits));
  }
  for (const KeyPlan& key : plan_.keys) {
    const Digest digest = hmac_sha256(pepper_, to_hex(key.digest));
    keys_.try_emplace(digest, Entry{.caller = caller_of(key.name, key.roles, key.expires_at,
                                                        {.kind = Kind::key, .digest = key.digest}),
                                    .digest = digest,
                                    .from = key.from});
  }
  for (const UserPlan& user : plan_.users) {
    users_.push_back(caller_of(user.password.user, user.roles, std::nullopt, origin_of(user.password)));
  }
  if (!plan_.anonymous_roles.empty()) {
    anonymous_ = caller_of("anonymous", plan_.anonymous_roles, std::nullopt, {.kind = Kind::anonymous});
  }
}

Caller Authenticator::caller_of(std::string_view name, const std::vector<std::string>& roles,
                                std::optional<WallTime> expires_at, const CredentialOrigin& origin) const {
  Principal principal{.name = principal_name(name), .roles = {}, .expires_at = expires_at, .origin = origin};
  Caller caller;
  for (const std::string& one : roles) {
    const auto found = roles_.find(one);
    if (found == roles_.end()) continue;
    if (caller.limits == nullptr) caller.limits = found->second.second;
    principal.roles.push_back(found->second.first);
  }
  if (caller.limits == nullptr) caller.limits = std::make_shared<const Limits>();
  caller.principal = std::make_shared<const Principal>(std::move(principal));
  return caller;
}

std::expected<Caller, Refusal> Authenticator::authenticate(
    const std::expected<Credentials, Denial>& credentials, const Attempt& attempt) const {
  if (!is_in(plan_.allowed_addresses, attempt.address)) {
    return std::unexpected(Refusal{.denial = Denial::address});
  }
  if (!credentials && credentials.error() == Denial::missing) {
    if (attempt.certificate != nullptr) {
      // The handshake proved the key, so a refusal is no guess.
      auto caller = check_certificate(*attempt.certificate, attempt);
      if (caller) return *std::move(caller);
      if (caller.error() != Denial::unknown) return std::unexpected(Refusal{.denial = caller.error()});
    }
    if (anonymous_) return *anonymous_;
    return std::unexpected(Refusal{.denial = Denial::missing});
  }
  if (credentials && credentials->kind() == Credentials::Kind::password) {
    const Duration wait = attempt.account.failures.wait_for(plan_.failures, 1, attempt.now);
    if (wait > Duration::zero()) {
      return std::unexpected(Refusal{.denial = Denial::blocked, .retry_after = wait});
    }
  }
  auto caller = credentials ? check(*credentials, attempt) : std::unexpected(credentials.error());
  if (caller) return *std::move(caller);
  if (!may_be_guess(caller.error())) return std::unexpected(Refusal{.denial = caller.error()});
  const Duration wait = attempt.account.failures.take(plan_.failures, 1, attempt.now);
  if (wait > Duration::zero()) {
    return std::unexpected(Refusal{.denial = Denial::blocked, .retry_after = wait});
  }
  return std::unexpected(Refusal{.denial = caller.error()});
}

std::expected<Caller, Denial> Authenticator::check(const Credentials& credentials,
                                                   const Attempt& attempt) const {
  switch (credentials.kind()) {
    case Credentials::Kind::password:
      return check_password(credentials, attempt);
    case Credentials::Kind::token:
      return check_token(credentials, attempt);
    case Credentials::Kind::none:
      break;
  }
  return std::unexpected(Denial::missing);
}

std::expected<Caller, Denial> Authenticator::check_password(const Credentials& credentials,
                                                            const Attempt& attempt) const {
  const Digest user = sha256(credentials.user());
  std::optional<std::size_t> found;
  bool is_known = false;
  // All of them: how long it takes does not depend on the position. A user may have several passwords.
  for (std::size_t i = 0; i < plan_.users.size(); ++i) {
    const PasswordHash& hash = plan_.users[i].password;
    if (!same(sha256(hash.user), user)) continue;
    is_known = true;
    if (has_password(hash, credentials.secret())) found = i;
  }
  if (!is_known) static_cast<void>(has_password(nobody_, credentials.secret()));
  if (!found) return std::unexpected(Denial::unknown);
  if (!is_in(plan_.users[*found].from, attempt.address)) return std::unexpected(Denial::address);
  return users_[*found];
}

std::expected<Caller, Denial> Authenticator::check_certificate(const ClientCertificate& certificate,
                                                               const Attempt& attempt) const {
  for (const CertificatePlan& one : plan_.certificates) {
    const bool fits = one.fingerprint ? *one.fingerprint == certificate.fingerprint
                                      : !one.subject.empty() && one.subject == certificate.subject;
    if (!fits) continue;
    if (!is_in(one.from, attempt.address)) return std::unexpected(Denial::address);
    if (attempt.wall_now >= certificate.valid_until) return std::unexpected(Denial::expired);
    return caller_of(one.name, one.roles, certificate.valid_until, origin_of(one));
  }
  return std::unexpected(Denial::unknown);
}

std::expected<Caller, Denial> Authenticator::check_token(const Credentials& credentials,
                                                         const Attempt& attempt) const {
  const Digest digest = hmac_sha256(pepper_, to_hex(sha256(credentials.secret())));
  const auto found = keys_.find(digest);
  if (found != keys_.end() && same(found->second.digest, digest)) {
    const Entry& entry = found->second;
    if (!is_in(entry.from, attempt.address)) return std::unexpected(Denial::address);
    if (entry.caller.principal->is_expired(attempt.wall_now)) return std::unexpected(Denial::expired);
    return entry.caller;
  }
  if (!plan_.tokens || !looks_like_jwt(credentials.secret())) return std::unexpected(Denial::unknown);
  const auto claims = verify_jwt(credentials.secret(), plan_.tokens->rules, attempt.wall_now);
  if (!claims) return std::unexpected(claims.error());
  const auto& roles = claims->has_roles ? claims->roles : plan_.tokens->default_roles;
  return caller_of(token_name(claims->subject), roles, claims->expires_at,
                   {.kind = Kind::token, .digest = claims->key, .has_default_roles = !claims->has_roles});
}

std::expected<Caller, Denial> Authenticator::check_token_again(const Principal& before) const {
  if (!plan_.tokens) return std::unexpected(Denial::unknown);
  const bool is_signed = std::ranges::any_of(plan_.tokens->rules.keys, [&](const JwtKey& key) {
    return same(key.fingerprint(), before.origin.digest);
  });
  if (!is_signed) return std::unexpected(Denial::unknown);
  std::vector<std::string> roles = plan_.tokens->default_roles;
  if (!before.origin.has_default_roles) {
    roles.clear();
    for (const Role& role : before.roles) roles.push_back(role.name);
  }
  return caller_of(before.name, roles, before.expires_at, before.origin);
}

std::expected<Caller, Denial> Authenticator::check_again(const Principal& before,
                                                         const std::optional<IpAddress>& address) const {
  if (!is_in(plan_.allowed_addresses, address)) return std::unexpected(Denial::address);
  const Digest& digest = before.origin.digest;
  const auto checked = [&](const Caller& caller,
                           const std::vector<AddressRange>& from) -> std::expected<Caller, Denial> {
    if (!is_in(from, address)) return std::unexpected(Denial::address);
    return caller;
  };
  switch (before.origin.kind) {
    case Kind::key: {
      const auto found = keys_.find(hmac_sha256(pepper_, to_hex(digest)));
      if (found == keys_.end() || found->second.caller.principal->name != before.name) break;
      return checked(found->second.caller, found->second.from);
    }
    case Kind::user:
      for (std::size_t i = 0; i < users_.size(); ++i) {
        const Principal& user = *users_[i].principal;
        if (user.name == before.name && same(user.origin.digest, digest)) {
          return checked(users_[i], plan_.users[i].from);
        }
      }
      break;
    case Kind::certificate:
      for (const CertificatePlan& one : plan_.certificates) {
        if (one.name != before.name || !same(origin_of(one).digest, digest)) continue;
        return checked(caller_of(one.name, one.roles, before.expires_at, before.origin), one.from);
      }
      break;
    case Kind::token:
      return check_token_again(before);
    case Kind::anonymous:
      if (anonymous_) return *anonymous_;
      return std::unexpected(Denial::missing);
    case Kind::none:
      break;
  }
  return std::unexpected(Denial::unknown);
}

}  // namespace fanfare::access
