#pragma once
// Several nodes of one network as one backend. Members are preferred in the given order, with exceptions. A
// member comes later if it is unhealthy (health.h) or its head is behind the others'. The same applies if its
// head stands still while others go on, or if another's answer proved it wrong.
//
// A member is used only while it is known to be on the network's chain (chain_checks.h). An unchecked member
// is checked before its first call, and a member on another chain is never used.
//
// A failed call goes to the next member if that is safe: always when nothing of it was sent, otherwise only
// if it may be repeated. A pool never rejects a call it could try: if every member is put aside, the one
// whose probe is due first is used.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "fanfare/unique_function.h"
#include "upstream/backend.h"
#include "upstream/chain_checks.h"
#include "upstream/executor.h"
#include "upstream/health.h"

namespace fanfare::upstream {

struct PoolOptions {
  std::string name = "pool";
  HealthLimits health;
  // For all attempts together, unless the call says otherwise.
  Duration timeout = std::chrono::seconds(30);
  // For one attempt of a repeatable call, as long as another available member is left to try.
  Duration attempt_timeout = std::chrono::seconds(10);
  // A repeatable call without an answer by then is also sent to the next available member, and the first
  // answer counts. At most one call in ten is hedged, so that a slow network does not get twice the load.
  // Unset: never.
  std::optional<Duration> hedge_after;
  // Members that are put aside are probed with a head request when their time is over. They become available
  // when they answer.
  Duration probe_timeout = std::chrono::seconds(5);
  // With more than one member: how often members without recent news are asked for their head. Zero: never.
  Duration watch_heads_every = std::chrono::seconds(10);
  // Blocks behind the best known head; beyond it a member comes after those that keep up.
  std::uint64_t head_lag_max = 5;
  // Interval between two looks at the members, when a failing one may have the block that a call needs and
  // the others do not have it yet.
  Duration behind_retry = std::chrono::milliseconds(100);
  // A failing member counts as having its blocks for so long. If it still fails after that, and the other
  // members with the block no longer have it, the chain went back. Calls then stop waiting for the block.
  Duration head_believed_for = std::chrono::seconds(10);
  // If no member has a block, calls do not ask for it again for so long.
  Duration gone_for = std::chrono::seconds(1);
  // A member with an answer proved wrong comes after the others for so long, twice as long each time.
  Duration distrust_min = std::chrono::seconds(10);
  Duration distrust_max = std::chrono::minutes(10);
  // A member that reported too many requests comes after the others for so long.
  Duration limited_for = std::chrono::seconds(1);
  // After a member rejected a client's call: interval between two tests whether it rejects every caller.
  Duration confirm_every = std::chrono::seconds(1);
  // Whether and how members are checked to be on the network's chain.
  ChainCheckOptions chain = {};
  // For the jitter of the probes; must outlive the pool. Null: the system's.
  Random* random = nullptr;
};

struct MemberStatus {
  std::string_view name;  // valid while the pool exists
  bool enabled = true;    // Pool::set_enabled()
  bool available = true;
  bool checked = true;      // it is known to be on the network's chain
  bool stalled = false;     // its head stands still while another's goes on
  bool lagging = false;     // its head is more than head_lag_max behind
  bool limited = false;     // it reported too many requests just now
  bool distrusted = false;  // was proved wrong recently
  std::string wrong_chain;  // describes the other chain it is on; empty: it is not on one
  std::uint64_t head = 0;   // 0: unknown
  std::uint64_t lag = 0;    // blocks behind the best head; 0 if its head is unknown
  Duration latency{};       // of its answers, smoothed
  Duration retry_in{};      // until the next probe, if it is not available
  std::string failure;      // the last failed call, for people; empty: none since the last answer
};

class Pool final : public Backend {
 public:
  // At least one member. The observer may be null.
  Pool(Executor& worker, std::vector<std::unique_ptr<Backend>> members, PoolOptions options = {},
       Observer* observer = nullptr);
  // Any thread.
  ~Pool() override;

  void call(std::string body, CallOptions options, Done done) override;
  std::string_view name() const override;

  // Worker thread only, all of these.
  // Puts other members, at least one, in place of the present ones. New calls go to them; calls in flight end with the
  // members that have them, which exist until then. The new members have new numbers: what is reported about a member of
  // before is ignored, and a call that only such a member could answer fails with FailureKind::closed, unsent. A changed
  // `options.name` has no effect.
  void replace(std::vector<std::unique_ptr<Backend>> members, PoolOptions options, Observer* observer);
  // Removes all members: until replace(), every call fails with FailureKind::closed, unsent. Calls in flight end as above.
  void clear();
  // The number of the first member (Reply::member); the others follow. Without members: of the next one.
  std::size_t first_member() const { return first_member_; }

  // Reports from a poller: member `member` (Reply::member) has block `number` as its head.
  void head_seen(std::size_t member, std::uint64_t number);
  // The same, when it returned a block that need not be its newest.
  void block_seen(std::size_t member, std::uint64_t number);
  // No new head for longer than usual: requests the head of every member. A member with fewer blocks than
  // another comes after the others until it has caught up. `found_better` runs, once at most, if a member has
  // a block above `number`. Never after the pool is destroyed.
  void head_stalled(std::uint64_t number, UniqueFunction<void()> found_better);
  // Another member's answer proved this member's answer wrong.
  void disagreed(std::size_t member);

  bool checks_chains() const;
  // Whether messages pushed by the member may be trusted: it is known to be on the network's chain.
  bool is_trusted(std::size_t member) const;
  // Checks the member's chain again, if chains are checked. `then` runs once, later, and never after the pool
  // is destroyed; `problem` is null if it is on the network's chain.
  void verify(std::size_t member, ChainChecks::Then then);

  // Worker thread only.
  std::vector<MemberStatus> status() const;
  // A member that is not enabled gets no calls of clients and sources, and what it pushes is not trusted. Its
  // health and its head are still observed. Calls in flight to it continue. All members may be disabled:
  // then every call fails.
  void set_enabled(std::size_t index, bool enabled);
  std::size_t size() const;
  // How many members are not put aside.
  std::size_t available() const;

 private:
  class Impl;
  void retire();
  void refuse(Done done, const char* why);
  // The member with this number, as counted by impl_. Empty: it is not a member any more.
  std::optional<std::size_t> index_of(std::size_t member) const;

  Executor& worker_;
  const std::string name_;
  std::size_t first_member_ = 0;
  std::unique_ptr<Impl> impl_;                  // null: no members
  std::vector<std::unique_ptr<Impl>> retired_;  // members of before, until their calls have ended
  // Tasks that the pool has posted may run after it is destroyed.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fanfare::upstream
