#pragma once
// A pool's knowledge about its members, and how it is gained: health, heads and latency; probes of members
// put aside, and head requests to members without calls. Worker thread only, except available().

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log_limiter.h"
#include "base/random.h"
#include "base/time.h"
#include "fanfare/unique_function.h"
#include "upstream/backend.h"
#include "upstream/chain_checks.h"
#include "upstream/executor.h"
#include "upstream/health.h"
#include "upstream/pool.h"

namespace fanfare::upstream {

class PoolMembers {
 public:
  // `problem` null: the member has answered.
  using HeadWaiter = UniqueFunction<void(const Failure* problem)>;

  PoolMembers(Executor& worker, std::vector<std::unique_ptr<Backend>> backends, const PoolOptions& options,
              Observer* observer);

  // Begins to check the chains and, with more than one member, to watch the heads.
  void begin();
  // Stops probes and answers to ask_head().
  void end();
  // After end(): ends the members' calls.
  void destroy_backends();

  std::size_t size() const { return members_.size(); }
  Backend& backend(std::size_t index) { return *members_[index].backend; }
  std::uint64_t head(std::size_t index) const { return members_[index].head; }
  ChainChecks& checks() { return checks_; }

  // The best member that is not in `tried`; never one on another chain, or one that is not enabled. Order: available before aside; on the
  // right chain before unchecked (never unchecked with `only_available`); known to have block `head_wanted`
  // before not known to; keeping up and agreeing with the others before not; then the given order. Among
  // those aside, the one whose probe is due first.
  std::optional<std::size_t> choose(const std::vector<bool>& tried, bool only_available,
                                    std::uint64_t head_wanted = 0) const;

  // A call to the member that began at `begun` has ended.
  void note(std::size_t index, Instant begun, const Result& result) {
    note(index, begun, result, Asked::by_call);
  }
  // Requests the member's head. `waiter` (may be empty) runs when head() is up to date, or the request has
  // failed. One request at a time, shared by all waiters. Never runs after end().
  void ask_head(std::size_t index, HeadWaiter waiter);
  // When the last head request began.
  Instant head_asked_at(std::size_t index) const { return members_[index].head_asked_at; }
  bool is_available(std::size_t index) const { return members_[index].health.available(); }
  // Whether any member may have this block: a member that answers and had it when last heard from, or a
  // member that had it and has failed only recently. A member not heard from yet, and not failing, may have
  // any block.
  bool may_have(std::uint64_t number) const;
  // The highest head of the members that are available and known to be on the right chain; 0: unknown.
  std::uint64_t head_best() const;
  // No answering member has this block. Holds until one is known to have it, or for a while.
  void note_gone(std::uint64_t number);
  // A member that was not asked may be asked now, and may have it.
  void forget_gone() { gone_until_ = {}; }
  bool is_gone(std::uint64_t number) const { return number >= gone_from_ && worker_.now() < gone_until_; }
  void head_seen(std::size_t index, std::uint64_t number);
  void block_seen(std::size_t index, std::uint64_t number);
  void head_stalled(std::uint64_t number, UniqueFunction<void()> found_better);
  void disagreed(std::size_t index);
  // It reported too many requests.
  void limited(std::size_t index) { members_[index].limited_until = worker_.now() + options_.limited_for; }

  void set_enabled(std::size_t index, bool enabled);
  bool is_enabled(std::size_t index) const { return members_[index].enabled; }
  bool has_enabled() const;

  std::vector<MemberStatus> status() const;
  std::size_t available() const { return available_; }

 private:
  struct Member {
    std::unique_ptr<Backend> backend;
    Health health;
    std::uint64_t head = 0;
    Instant head_at{};
    std::optional<Instant> failing_since;
    Duration latency{};
    std::string failure;  // of the last call, if it failed
    TimerId probe_timer;
    bool enabled = true;
    bool stalled = false;
    Duration distrust{};
    Instant distrusted_until{};
    Instant limited_until{};
    std::optional<Instant> confirmed_at;
    bool head_asked = false;  // a head request is pending
    Instant head_asked_at{};
    std::vector<HeadWaiter> head_waiters;
  };

  enum class Asked : std::uint8_t { by_call, by_probe, by_check };
  void note(std::size_t index, Instant begun, const Result& result, Asked asked);
  void confirm(std::size_t index);
  void doubt_chain(std::size_t index, const Failure& failure);
  void cross(std::size_t index, Health::Edge edge, const Failure* failure);
  void arm_probe(std::size_t index);
  void head_answered(std::size_t index, const Failure* problem, std::optional<std::uint64_t> number);
  void watch_heads();
  bool is_second_choice(const Member& member, std::uint64_t head_best) const;
  void set_stalled(std::size_t index, bool stalled);

  Executor& worker_;
  const PoolOptions& options_;
  Observer* observer_;
  LogLimiters log_;  // a node may come and go at any rate
  SystemRandom system_random_;
  Random& random_;
  std::vector<Member> members_;
  ChainChecks checks_;
  TimerId watch_timer_;
  std::uint64_t gone_from_ = 0;
  Instant gone_until_{};
  std::atomic<std::size_t> available_;
  bool ended_ = false;
};

}  // namespace fanfare::upstream
