#pragma once
// Who calls, and what it may do: the result of authentication. Every connection and every call carries one, as a
// std::shared_ptr<const Principal>. Immutable once it is shared, so any thread may use it without a lock. It
// contains no secret: it may be logged, and its role may label a metric.
//
//   if (!principal->may({.method = "eth_call", .project = "main", .network = "1"})) refuse();
//   if (principal->is_expired(clock.wall_now())) refuse();

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/digest.h"
#include "access/name_rules.h"
#include "base/time.h"

namespace fanfare::access {

// Contracts by address, in lower-case hexadecimal. Without any, every contract is granted; with `deny` only, every other
// one. A call may name many thousands, and a role may list as many: each is one search.
struct ContractRules {
  std::set<std::string, std::less<>> allow = {};
  std::set<std::string, std::less<>> deny = {};

  bool is_empty() const { return allow.empty() && deny.empty(); }
  bool grants(std::string_view address) const {
    return !deny.contains(address) && (allow.empty() || allow.contains(address));
  }
  bool operator==(const ContractRules&) const = default;
};

// What the role's holders may do. Nothing is granted that is not listed, except where a comment says so.
struct Role {
  std::string name;  // chosen by the operator: bounded, safe for logs and as a metric's label
  NameRules methods = {};
  NameRules topics = {};
  NameRules streams = {};  // by name, whatever their projects
  // Rooms of the canvas, by name. Who may draw in one may look at it, and who may moderate may do both.
  NameRules canvas_view = {};
  NameRules canvas_draw = {};
  NameRules canvas_moderate = {};
  NameRules projects = {};
  // Chain ids in decimal. Empty: every network of the granted projects.
  NameRules networks = {};
  ContractRules contracts = {};

  bool operator==(const Role&) const = default;
};

// One thing that a principal wants to do. Empty members are not asked for. Views are borrowed for the call.
struct Action {
  std::string_view method = {};
  std::string_view topic = {};
  std::string_view stream = {};
  std::string_view canvas_view = {};
  std::string_view canvas_draw = {};
  std::string_view canvas_moderate = {};
  std::string_view project = {};
  std::string_view network = {};                // the chain id in decimal
  std::span<const std::string> contracts = {};  // lower-case hexadecimal with 0x
  // It concerns contracts that it does not name, such as logs without an address. Needs a role that does not
  // restrict contracts.
  bool every_contract = false;
};

// Which credentials a principal comes from, so that those of an open connection can be checked again after the plan has
// changed (authenticator.h). Shows no secret.
struct CredentialOrigin {
  enum class Kind : std::uint8_t { none, key, user, certificate, token, anonymous };

  Kind kind = Kind::none;
  Digest digest{};  // of the plan's hash of the key or password, or of the key that signed the token
  bool has_default_roles = false;  // a token without roles of its own
};

struct Principal {
  std::string name;         // of the key, the user or the token's subject. Printable ASCII, at most 64 bytes
  std::vector<Role> roles;  // at least one, or nothing is granted
  // From then on nothing is granted; the connection ends. Empty: never.
  std::optional<WallTime> expires_at = {};
  CredentialOrigin origin = {};

  // Whether one of the roles grants all of the action. Does not look at expires_at.
  bool may(const Action& action) const { return role_for(action) != nullptr; }
  // The first role that grants all of the action; null: none. Valid during the principal's lifetime.
  const Role* role_for(const Action& action) const;
  // Some role grants the method with a pattern of at least `prefix_size` characters before its '*': the method
  // itself, or its namespace. A role that grants "*" does not name "admin_peers".
  bool names(const Action& action, std::size_t prefix_size) const;
  bool restricts_contracts() const;
  // Strangers have this identity, too: a caller without credentials, or with a token that names no subject.
  bool is_shared() const;
  bool is_expired(WallTime now) const { return expires_at && now >= *expires_at; }
  // The first role's name, for metrics; "none" without roles.
  std::string_view label() const;
};

// Before the subject of a token in a principal's name.
inline constexpr std::string_view kTokenNamePrefix = "jwt:";
inline constexpr std::size_t kPrincipalNameMax = 64;
// `text` as a principal's name: cut to kPrincipalNameMax, other bytes than visible ASCII become '?'.
std::string principal_name(std::string_view text);

}  // namespace fanfare::access
