#pragma once
// Checks that every member of a pool is on the network's chain (chain_claim.h), before its first use and
// again and again.
//
//   when                                              meanwhile
//   at the start, after a reconnect, after it was     not used
//     put aside, after its connection failed
//   periodically, after other failures, after its     used
//     head went far back
//   before what must not be repeated, where           this call waits
//     reconnects are not noticed (HTTP)
//   after an answer over a new connection             its answers wait
//
// If a node is replaced at its address by a node of another chain, only the connections show it: the old ones
// end. So an answer over a new connection waits for a check that begins later, and all other answers of the
// member wait with it. One check proves every connection that was opened before it began.
//
// A check calls eth_chainId and fetches block 0 at the same time. A member on another chain is not used until
// a later check finds it on the right one. Worker thread only.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log_limiter.h"
#include "base/time.h"
#include "fanfare/unique_function.h"
#include "upstream/backend.h"
#include "upstream/chain_claim.h"
#include "upstream/executor.h"

namespace fanfare::upstream {

struct ChainCheckOptions {
  bool enabled = false;                        // false: every member counts as right
  std::optional<std::uint64_t> chain_id;       // empty: the members decide
  Duration every = std::chrono::seconds(60);   // of a member in use; zero: never
  Duration timeout = std::chrono::seconds(5);  // of each call
  // Between two checks of a member that did not answer. A wrong member is checked at the longest interval.
  Duration retry_min = std::chrono::milliseconds(250);
  Duration retry_max = std::chrono::seconds(5);
  // How long the first answers wait for those of preferred members, if no chain id is configured.
  Duration preferred_wait = std::chrono::seconds(1);
  // Called once, with the chain id decided on. May be empty.
  std::function<void(std::uint64_t)> learnt;
  // Called after a member was found right or wrong, or became doubtful. May be empty.
  std::function<void()> standing_changed;
};

class ChainChecks {
 public:
  enum class Standing : std::uint8_t { unchecked, right, wrong };
  // `problem` null: the member is on the network's chain.
  using Then = UniqueFunction<void(const Failure* problem)>;
  struct Members {
    std::function<Backend&(std::size_t)> backend;
    // Reports the end of a check's eth_chainId, for the member's health.
    std::function<void(std::size_t, Instant begun, const Result&)> ended;
    std::function<bool(std::size_t)> is_aside;  // its own probes find out when it is back
  };

  // The options, the executor and the observer (may be null) must outlive this object.
  ChainChecks(Executor& worker, const ChainCheckOptions& options, Observer* observer, std::size_t members,
              Members access);

  void begin();
  // Stops all checks; waiting callbacks are destroyed unrun.
  void end();

  bool enabled() const { return options_.enabled; }
  Standing standing(std::size_t index) const;
  // Whether a call may be sent there only after verify().
  bool must_verify(std::size_t index, Repeat repeat) const;
  // `then` runs once, later, after a check: if `fresh`, one that begins now or later, otherwise any.
  void verify(std::size_t index, bool fresh, Then then);
  // Call for each answer of the member. True: the answer must not be used before prove() allows it.
  bool must_prove(std::size_t index, bool new_connection);
  // `then` runs once, later, after a check that began after the member's last new connection was noticed.
  void prove(std::size_t index, Then then);
  // The member is not used until it is checked again. `at_once` false: the caller calls recheck() when the
  // member is back.
  void doubt(std::size_t index, bool at_once);
  void recheck(std::size_t index);
  // The problem as text for people; empty if there is none.
  std::string problem(std::size_t index) const;
  const ChainClaim& truth() const { return chain_.truth(); }

 private:
  struct Member {
    Standing standing = Standing::unchecked;
    std::optional<std::uint64_t> connection;  // the connection that the claim came from
    std::string genesis;                      // the last one that it has shown
    bool serves_genesis = true;
    std::optional<ChainClaim> complained_of;
    std::optional<Failure> failure;  // of the last check; empty: it was answered
    Instant checked_at{};
    Duration retry{};
    TimerId timer;
    // The check in progress.
    unsigned open = 0;
    Instant begun{};
    std::optional<std::uint64_t> asked_connection;
    ChainClaim claim;
    bool again = false;  // its result is out of date
    // An answer came over a new connection, and no check that began since then has ended.
    bool unproven = false;
    bool proves = false;  // the check in progress began after that
    bool arm = false;     // it has ended, and the next one has no time yet
    std::vector<Then> waiting;
    std::vector<Then> waiting_for_next;
  };

  void start(std::size_t index);
  void take_chain_id(std::size_t index, const Result& result);
  void take_genesis(std::size_t index, const Result& result);
  void question_ended(std::size_t index);
  void check_ended(std::size_t index);
  void evaluate();
  bool set_standing(std::size_t index, NetworkChain::Verdict verdict);
  void arm(std::size_t index);
  struct Answer {
    Then then;
    std::optional<Failure> problem;
  };
  void take_answers(std::size_t index, std::vector<Answer>& answers);
  std::optional<Failure> verdict_of(std::size_t index) const;

  Executor& worker_;
  const ChainCheckOptions& options_;
  Observer* observer_;
  LogLimiters log_;  // a node may change at any rate
  Members access_;
  NetworkChain chain_;
  std::vector<NetworkChain::Known> known_;
  std::vector<Member> members_;
  TimerId wait_timer_;
  bool waited_enough_ = false;
  // Outlives this object: a callback for a finished check may destroy the pool.
  std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
};

}  // namespace fanfare::upstream
