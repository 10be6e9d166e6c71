#pragma once
// The callers of a program's methods: the accounts that pay for them, and what those of each role did. One for a
// registry, shared by all loops. Any thread.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/quota.h"
#include "base/time.h"
#include "fanfare/rpc_options.h"
#include "rpc/caller.h"
#include "rpc/methods.h"

namespace fanfare::rpc {

struct RoleCounters {
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> refused_permission{0};
  std::atomic<std::uint64_t> refused_limit{0};
  std::atomic<std::uint64_t> refused_expired{0};

  static void add(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }
};

// The first problem of the limits, such as a burst of more than a minute. Empty: none.
std::string problem_of(const RpcLimits& limits);
std::shared_ptr<const access::Limits> to_access(const RpcLimits& limits);

class Callers {
 public:
  // Roles with counters of their own; what others do is counted as "other".
  static constexpr std::size_t kRolesMax = 1000;

  // The options must outlive it.
  explicit Callers(const RpcOptions& options);

  // `identity` null: the caller is not authenticated. `peer`: session::Member::peer().
  Caller make(Transport transport, std::shared_ptr<const RpcIdentity> identity, std::string_view peer,
              Instant now);
  // The caller opens a WebSocket. The refusal has a time to wait.
  static std::optional<Refusal> take_connection(Caller& caller, Instant now);
  // The caller of an open WebSocket has other credentials. What refuses them; then nothing has changed. `before` has
  // credentials: they are renewed, so they must be those of the same identity with the same rights.
  std::optional<Refusal> authenticate(Caller& caller, std::shared_ptr<const RpcIdentity> identity,
                                      std::string_view peer, Instant now);

  std::vector<RpcRoleMetrics> metrics() const;

 private:
  access::Payer::Share share_of(const RpcIdentity& identity, std::string_view address, Instant now);
  std::shared_ptr<RoleCounters> counters_of(const RpcIdentity* identity);

  const std::shared_ptr<const access::Limits> per_identity_;
  const std::shared_ptr<const access::Limits> per_address_;
  const bool limits_addresses_;
  access::AccountTable identities_;
  access::AccountTable addresses_;
  mutable std::mutex
      mutex_;  // guards what follows; taken per request over HTTP and per connection, not per call
  std::map<std::string, std::shared_ptr<RoleCounters>, std::less<>> roles_;
};

}  // namespace fanfare::rpc
