#pragma once
// Checks that every member of a pool is on the network's chain (chain_claim.h), before it is used for
// anything and again and again.
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
// A node that is replaced at its address by one of another chain shows in nothing but the connections to it:
// the old ones end. So an answer over a new one waits for a check that begins later, and all other answers
// of the member wait with it. One check proves every connection that was opened before it began.
//
// A check asks eth_chainId and block 0 at the same time. A member on another chain is not used until a later
// check finds it on the right one. Worker thread only.

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
  std::optional<std::uint64_t> chain_id;       // empty: the members say
  Duration every = std::chrono::seconds(60);   // of a member in use; zero: never
  Duration timeout = std::chrono::seconds(5);  // of each question
  // Between two checks of a member that did not answer; one that is wrong is asked at the longest interval.
  Duration retry_min = std::chrono::milliseconds(250);
  Duration retry_max = std::chrono::seconds(5);
  // How long the first answers wait for those of better members, where nothing is configured.
  Duration preferred_wait = std::chrono::seconds(1);
  // Once, with the chain id decided on. May be empty.
  std::function<void(std::uint64_t)> learnt;
  // After a member was found right or wrong, or came into doubt. May be empty.
  std::function<void()> standing_changed;
};

class ChainChecks {
 public:
  enum class Standing : std::uint8_t { unchecked, right, wrong };
  // `problem` null: the member is on the network's chain.
  using Then = UniqueFunction<void(const Failure* problem)>;
  struct Members {
    std::function<Backend&(std::size_t)> backend;
    // The end of a check's eth_chainId, for the member's health.
    std::function<void(std::size_t, Instant begun, const Result&)> ended;
    std::function<bool(std::size_t)> is_aside;  // its own probes say when it is back
  };

  // The options, the executor and the observer (may be null) outlive this.
  ChainChecks(Executor& worker, const ChainCheckOptions& options, Observer* observer, std::size_t members,
              Members access);

  void begin();
  // No more checks; what waits for one is destroyed unrun.
  void end();

  bool enabled() const { return options_.enabled; }
  Standing standing(std::size_t index) const;
  // Whether a call may go there only after verify().
  bool must_verify(std::size_t index, Repeat repeat) const;
  // `then` runs once, later, after a check: one that begins now or later if `fresh`, otherwise any.
  void verify(std::size_t index, bool fresh, Then then);
  // An answer came from the member. True: it must not be used before prove() says so.
  bool must_prove(std::size_t index, bool new_connection);
  // `then` runs once, later, after a check that began after the member's last new connection was noticed.
  void prove(std::size_t index, Then then);
  // Not used until it is checked again. `at_once` false: whoever knows that it is back calls recheck().
  void doubt(std::size_t index, bool at_once);
  void recheck(std::size_t index);
  // What is wrong with it, for people; empty when nothing is.
  std::string problem(std::size_t index) const;
  const ChainClaim& truth() const { return chain_.truth(); }

 private:
  struct Member {
    Standing standing = Standing::unchecked;
    std::optional<std::uint64_t> connection;  // that the claim came from
    std::string genesis;                      // the last one it has shown
    bool serves_genesis = true;
    std::optional<ChainClaim> complained_of;
    std::optional<Failure> failure;  // of the last check; empty: answered
    Instant checked_at{};
    Duration retry{};
    TimerId timer;
    // The check under way.
    unsigned open = 0;
    Instant begun{};
    std::optional<std::uint64_t> asked_connection;
    ChainClaim claim;
    bool again = false;  // what it brings is out of date
    // An answer came over a new connection, and no check that began since has ended.
    bool unproven = false;
    bool proves = false;  // the check under way began since
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
  LogLimiters log_;  // a node may change as often as it likes
  Members access_;
  NetworkChain chain_;
  std::vector<NetworkChain::Known> known_;
  std::vector<Member> members_;
  TimerId wait_timer_;
  bool waited_enough_ = false;
  // Outlives this: what is told that a check has ended may end the pool.
  std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
};

}  // namespace fanfare::upstream
