#pragma once
// Finds the principal of a caller. Immutable except for the accounts; any thread.
//
//   const auto caller = authenticator.authenticate(credentials, {.address = address, .now = ..., .wall_now = ...});
//   if (!caller) answer(401, text_of(caller.error().denial));
//
// Keys are found by a digest that is keyed with a random number of this process, and users' names and passwords are
// compared as digests: the time it takes reveals nothing about a secret. A user that does not exist takes as long as one
// that does.

#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/credentials.h"
#include "access/plan.h"
#include "base/random.h"

namespace fanfare::access {

using PrincipalPtr = std::shared_ptr<const Principal>;

struct Caller {
  PrincipalPtr principal;
  std::shared_ptr<const Limits> limits;  // of its identity
};

// What TLS has verified. Borrowed for the call.
struct ClientCertificate {
  Digest fingerprint{};
  std::string_view subject;
  WallTime valid_until;
};

struct Attempt {
  std::optional<IpAddress> address;  // empty: a Unix socket
  Account& account;                  // of the address
  Instant now;
  WallTime wall_now;
  const ClientCertificate* certificate = nullptr;
};

struct Refusal {
  Denial denial = Denial::unknown;
  Duration retry_after{};  // with Denial::blocked
};

class Authenticator {
 public:
  // The plan has no problem_of().
  Authenticator(AccessPlan plan, Random& random);

  // Passwords are cheap to guess: once an address has failed too often, they are refused unseen until its bucket has a
  // token again. Keys and tokens cannot be guessed, so they keep working there, and only failures must wait.
  std::expected<Caller, Refusal> authenticate(const std::expected<Credentials, Denial>& credentials,
                                              const Attempt& attempt) const;

  // What the credentials of an open connection give under this plan: `before` is what they gave under an earlier one. The
  // error: they are not valid any more, or not from this address. A token keeps its end, and its issuer and audience are not
  // checked again.
  std::expected<Caller, Denial> check_again(const Principal& before,
                                            const std::optional<IpAddress>& address) const;

  const AccessPlan& plan() const { return plan_; }
  const std::shared_ptr<const Limits>& address_limits() const { return address_limits_; }

 private:
  struct Entry {
    Caller caller;
    Digest digest{};  // of the key, keyed with pepper_
    std::vector<AddressRange> from;
  };
  Caller caller_of(std::string_view name, const std::vector<std::string>& roles,
                   std::optional<WallTime> expires_at, const CredentialOrigin& origin) const;
  std::expected<Caller, Denial> check(const Credentials& credentials, const Attempt& attempt) const;
  std::expected<Caller, Denial> check_password(const Credentials& credentials, const Attempt& attempt) const;
  std::expected<Caller, Denial> check_certificate(const ClientCertificate& certificate,
                                                  const Attempt& attempt) const;
  std::expected<Caller, Denial> check_token_again(const Principal& before) const;
  std::expected<Caller, Denial> check_token(const Credentials& credentials, const Attempt& attempt) const;

  const AccessPlan plan_;
  std::string pepper_;
  PasswordHash nobody_;
  std::map<std::string, std::pair<Role, std::shared_ptr<const Limits>>, std::less<>> roles_;
  std::map<Digest, Entry> keys_;
  std::vector<Caller> users_;  // in the plan's order
  std::optional<Caller> anonymous_;
  std::shared_ptr<const Limits> address_limits_;
};

}  // namespace fanfare::access
