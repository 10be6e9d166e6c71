#include "rpc/callers.h"

#include <utility>

#include "access/address.h"
#include "access/credentials.h"

namespace fanfare::rpc {
namespace {

constexpr std::string_view kNoRole = "none";
constexpr std::string_view kOtherRoles = "other";

access::Rate to_access(const RpcRate& rate) {
  return {.per_second = rate.per_second, .burst = rate.burst};
}

std::string problem_of(std::string_view name, const RpcRate& rate) {
  constexpr auto kSeconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(access::kBurstTimeMax).count());
  if (rate.per_second > access::kTokensMax) return std::string(name) + ".per_second: at most 2^40";
  if (rate.burst <= rate.per_second * kSeconds) return {};
  return std::string(name) + ".burst: at most what a minute brings";
}

bool has_same_rights(const RpcIdentity& one, const RpcIdentity& other) {
  return !one.is_shared && one.name == other.name && one.role == other.role &&
         one.permissions == other.permissions && one.methods == other.methods && one.events == other.events;
}

Refusal limit_reached(const access::Exhausted& exhausted) {
  return rpc::limit_reached(access::name_of(exhausted.limit), exhausted.retry_after);
}

}  // namespace

std::string problem_of(const RpcLimits& limits) {
  for (const auto& [name, rate] :
       {std::pair("requests", limits.requests), std::pair("subscriptions", limits.subscriptions),
        std::pair("connections", limits.connections), std::pair("bytes", limits.bytes)}) {
    if (std::string problem = problem_of(name, rate); !problem.empty()) return problem;
  }
  return {};
}

std::shared_ptr<const access::Limits> to_access(const RpcLimits& limits) {
  return std::make_shared<const access::Limits>(
      access::Limits{.requests = to_access(limits.requests),
                     .subscriptions = to_access(limits.subscriptions),
                     .connections = to_access(limits.connections),
                     .bytes = to_access(limits.bytes),
                     .connections_max = limits.connections_max,
                     .subscriptions_max = limits.subscriptions_max});
}

Callers::Callers(const RpcOptions& options)
    : per_identity_(to_access(options.per_identity)),
      per_address_(to_access(options.per_address)),
      limits_addresses_(options.per_address != RpcLimits()),
      identities_(options.accounts_max),
      addresses_(options.accounts_max) {}

// Without limits there is no account.
access::Payer::Share Callers::share_of(const RpcIdentity& identity, std::string_view address, Instant now) {
  if (identity.awaits_credentials) return {};
  auto limits = identity.limits ? to_access(*identity.limits) : per_identity_;
  if (*limits == access::Limits()) return {};
  // The address of a shared name follows a byte that stands in no name of another account.
  std::string key = identity.name;
  if (identity.is_shared) key.append(1, '\0').append(address);
  return {.limits = std::move(limits), .account = identities_.find(key, now)};
}

std::shared_ptr<RoleCounters> Callers::counters_of(const RpcIdentity* identity) {
  std::string_view role = identity == nullptr ? std::string_view() : identity->role;
  if (role.empty()) role = kNoRole;
  const std::scoped_lock lock(mutex_);
  const auto found = roles_.find(role);
  if (found != roles_.end()) return found->second;
  if (roles_.size() >= kRolesMax) role = kOtherRoles;
  std::shared_ptr<RoleCounters>& counters = roles_[std::string(role)];
  if (counters == nullptr) counters = std::make_shared<RoleCounters>();
  return counters;
}

Caller Callers::make(Transport transport, std::shared_ptr<const RpcIdentity> identity, std::string_view peer,
                     Instant now) {
  Caller caller{.transport = transport, .counters = counters_of(identity.get())};
  const std::string address = access::payer_of(access::IpAddress::of_peer(peer));
  access::Payer::Share of_identity;
  access::Payer::Share of_address;
  if (identity != nullptr) of_identity = share_of(*identity, address, now);
  if (limits_addresses_) {
    of_address = {.limits = per_address_, .account = addresses_.find(address, now)};
  }
  // One that may authenticate later gets the share of its identity then.
  const bool awaits = identity != nullptr && (identity->awaits_credentials || identity->is_anonymous);
  if (awaits || of_identity.account != nullptr || of_address.account != nullptr) {
    caller.payer = std::make_shared<access::Payer>(std::move(of_identity), std::move(of_address));
  }
  caller.identity = std::move(identity);
  return caller;
}

std::optional<Refusal> Callers::take_connection(Caller& caller, Instant now) {
  if (caller.payer == nullptr) return std::nullopt;
  const auto exhausted = caller.payer->take_connection(now);
  if (!exhausted) return std::nullopt;
  RoleCounters::add(caller.counters->refused_limit);
  return limit_reached(*exhausted);
}

std::optional<Refusal> Callers::authenticate(Caller& caller, std::shared_ptr<const RpcIdentity> identity,
                                             std::string_view peer, Instant now) {
  const bool had_none =
      caller.identity != nullptr && (caller.identity->awaits_credentials || caller.identity->is_anonymous);
  if (!had_none) {
    if (caller.identity == nullptr || !has_same_rights(*caller.identity, *identity)) {
      return Refusal{.code = kNotPermitted, .message = std::string(access::text_of(access::Denial::unknown))};
    }
    caller.identity = std::move(identity);
    return std::nullopt;
  }
  auto counters = counters_of(identity.get());
  auto share = share_of(*identity, access::payer_of(access::IpAddress::of_peer(peer)), now);
  if (caller.payer != nullptr) {
    if (const auto exhausted = caller.payer->change_identity(std::move(share), now)) {
      RoleCounters::add(counters->refused_limit);
      return limit_reached(*exhausted);
    }
  }
  caller.identity = std::move(identity);
  caller.counters = std::move(counters);
  return std::nullopt;
}

std::vector<RpcRoleMetrics> Callers::metrics() const {
  const std::scoped_lock lock(mutex_);
  std::vector<RpcRoleMetrics> all;
  for (const auto& [role, counters] : roles_) {
    all.push_back({.role = role,
                   .calls = counters->calls.load(std::memory_order_relaxed),
                   .refused_permission = counters->refused_permission.load(std::memory_order_relaxed),
                   .refused_limit = counters->refused_limit.load(std::memory_order_relaxed),
                   .refused_expired = counters->refused_expired.load(std::memory_order_relaxed)});
  }
  return all;
}

}  // namespace fanfare::rpc
