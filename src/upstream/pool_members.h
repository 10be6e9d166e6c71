#pragma once
// What a pool knows of its members, and how it learns it: health, heads, latency; probes of those put aside,
// and a look at the heads of those nobody asks. Worker thread only, but for available().

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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

  // Begins to check the chains, and to watch the heads where there is more than one member.
  void begin();
  // No more probes, no more answers to ask_head().
  void end();
  // After end(): ends the members' calls.
  void destroy_backends();

  std::size_t size() const { return members_.size(); }
  Backend& backend(std::size_t index) { return *members_[index].backend; }
  std::uint64_t head(std::size_t index) const { return members_[index].head; }
  ChainChecks& checks() { return checks_; }

  // The best member that is not in `tried`, never one on another chain: available before aside; known to be
  // on the right chain before unchecked (never that with `only_available`); having block `head_wanted` before
  // not being known to; keeping up and agreeing with the others before not; then the order given. Of those
  // aside, the one whose probe is due first.
  std::optional<std::size_t> choose(const std::vector<bool>& tried, bool only_available,
                                    std::uint64_t head_wanted = 0) const;

  // A call to the member, begun at `begun`, has ended.
  void note(std::size_t index, Instant begun, const Result& result) {
    note(index, begun, result, Asked::by_call);
  }
  // Asks the member for its head; `waiter` (may be empty) runs when head() is as new as it gets, or the
  // question has failed. One question at a time, shared by all who wait. Never runs after end().
  void ask_head(std::size_t index, HeadWaiter waiter);
  // When the last question began.
  Instant head_asked_at(std::size_t index) const { return members_[index].head_asked_at; }
  bool is_available(std::size_t index) const { return members_[index].health.available(); }
  // Whether any member may have this block: one that is answering and had it when it was last heard of, or
  // one that has failed since, but not for long.
  bool may_have(std::uint64_t number) const;
  // The highest head of those that are available and known to be on the right chain; 0: none is known.
  std::uint64_t head_best() const;
  // All members that answer were asked, and none has this block: until one shows that it has, or for a while.
  void note_gone(std::uint64_t number);
  bool is_gone(std::uint64_t number) const { return number >= gone_from_ && worker_.now() < gone_until_; }
  void head_seen(std::size_t index, std::uint64_t number);
  void block_seen(std::size_t index, std::uint64_t number);
  void head_stalled(std::uint64_t number, UniqueFunction<void()> found_better);
  void disagreed(std::size_t index);
  // It said that it is asked too much.
  void limited(std::size_t index) { members_[index].limited_until = worker_.now() + options_.limited_for; }

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
    TimerId probe_timer;
    bool stalled = false;
    Duration distrust{};
    Instant distrusted_until{};
    Instant limited_until{};
    std::optional<Instant> confirmed_at;
    bool head_asked = false;  // and not answered yet
    Instant head_asked_at{};
    std::vector<HeadWaiter> head_waiters;
  };

  enum class Asked : std::uint8_t { by_call, by_probe, by_check };
  void note(std::size_t index, Instant begun, const Result& result, Asked asked);
  void confirm(std::size_t index);
  void doubt_chain(std::size_t index, const Failure& failure);
  void cross(std::size_t index, Health::Edge edge, const Failure* failure);
  void arm_probe(std::size_t index);
  void watch_heads();
  bool is_second_choice(const Member& member, std::uint64_t head_best) const;
  void set_stalled(std::size_t index, bool stalled);

  Executor& worker_;
  const PoolOptions& options_;
  Observer* observer_;
  LogLimiters log_;  // a node may come and go as often as it likes
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
