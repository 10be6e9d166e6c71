#pragma once
// Several nodes of one network as one backend. The order given is the order of preference; what changes it is
// health (health.h), how far a node's head is behind the others', whether it stands still while they go on,
// and whether its answers were proved wrong by theirs.
//
// A member is used only while it is known to be on the network's chain (chain_checks.h): one that is
// unchecked is checked before the first call goes there, and one on another chain is never asked.
//
// A call that failed goes to the next member if that is safe: always when nothing of it was sent, otherwise
// only when it may be repeated. A pool never refuses what it could try: with every member put aside, the one
// whose probe is due first is asked all the same.

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
  // All attempts together, unless the call says otherwise.
  Duration timeout = std::chrono::seconds(30);
  // One attempt of a repeatable call, as long as another available member is left to be asked.
  Duration attempt_timeout = std::chrono::seconds(10);
  // A repeatable call without an answer by then is given to the next available member too, and the first
  // answer counts. At most one call in ten is hedged, so that a slow network does not get twice the load.
  // Unset: never.
  std::optional<Duration> hedge_after;
  // Members put aside are asked for their head when their time is over, and taken back when they answer.
  Duration probe_timeout = std::chrono::seconds(5);
  // With more than one member: how often those of whom nothing was heard are asked for their head. Zero:
  // never.
  Duration watch_heads_every = std::chrono::seconds(10);
  // Blocks behind the best head known; past it a member comes after those that keep up.
  std::uint64_t head_lag_max = 5;
  // Between two looks at the members when one that fails may have the block a call needs, and the others do
  // not have it yet.
  Duration behind_retry = std::chrono::milliseconds(100);
  // So long after a member began to fail it still counts as having the blocks it had. Later, and when the
  // members that had a block say that they do not have it any more, the chain went back, and calls stop
  // waiting for it.
  Duration head_believed_for = std::chrono::seconds(10);
  // After every member was asked for a block and none had it, calls do not ask again for so long.
  Duration gone_for = std::chrono::seconds(1);
  // A member whose answer was proved wrong comes after the others for so long, twice as long each time.
  Duration distrust_min = std::chrono::seconds(10);
  Duration distrust_max = std::chrono::minutes(10);
  // One that said that it is asked too much comes after the others for so long.
  Duration limited_for = std::chrono::seconds(1);
  // Between two questions to a member whether it refuses everyone, after it refused a client's call.
  Duration confirm_every = std::chrono::seconds(1);
  // Whether, and how, the members are checked for being on the network's chain.
  ChainCheckOptions chain = {};
  // For the jitter of the probes; outlives the pool. Null: the system's.
  Random* random = nullptr;
};

struct MemberStatus {
  std::string_view name;  // good as long as the pool
  bool available = true;
  bool stalled = false;     // stands still while another goes on
  bool distrusted = false;  // was proved wrong a short while ago
  std::string wrong_chain;  // it is on another chain, and this says which; empty: it is not
  std::uint64_t head = 0;   // 0: not known yet
  Duration latency{};       // of its answers, smoothed
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
  // What a poller learned: member `member` (Reply::member) has block `number` as its head.
  void head_seen(std::size_t member, std::uint64_t number);
  // The same, when it showed a block that need not be its newest.
  void block_seen(std::size_t member, std::uint64_t number);
  // No new head for longer than is usual: asks all members for theirs. Whoever has fewer blocks than another
  // comes after the others until it has caught up; `found_better` runs, once at most, when someone has a
  // block above `number`. Never after the pool has gone.
  void head_stalled(std::uint64_t number, UniqueFunction<void()> found_better);
  // The member's answer was proved wrong by another's.
  void disagreed(std::size_t member);

  bool checks_chains() const;
  // Whether what the member says by itself may be believed: it is known to be on the network's chain.
  bool is_trusted(std::size_t member) const;
  // Checks the member's chain again, where chains are checked. `then` runs once, later, and never after the
  // pool has gone; `problem` is null when it is on the network's chain.
  void verify(std::size_t member, ChainChecks::Then then);

  // Worker thread only.
  std::vector<MemberStatus> status() const;
  std::size_t size() const;
  // How many members are not put aside. Any thread.
  std::size_t available() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fanfare::upstream
