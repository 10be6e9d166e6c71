#pragma once
// The calls of a Pool on their way through its members. Only for pool.cc (out to the members) and
// pool_answers.cc (what comes back).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "upstream/pool.h"
#include "upstream/pool_members.h"

namespace fanfare::upstream {

inline const Failure kOnAnother{.kind = FailureKind::wrong_chain, .message = "the node is on another chain"};
inline constexpr const char* kNoChainInTime = "no node said in time which chain it is on";

inline bool any_of(const std::vector<bool>& members) {
  return std::ranges::find(members, true) != members.end();
}

// One call on its way through the members. Lives until done() was called and the last attempt has ended.
struct Flight {
  std::string body;
  CallOptions options;
  Done done;
  std::uint64_t serial = 0;
  Instant begun{};
  Instant deadline{};
  std::vector<bool> tried;
  std::vector<bool> deferred;  // counted as tried until the others were tried
  std::vector<bool> behind;    // tried, without the block
  std::size_t in_flight = 0;
  std::optional<Failure> last;
  std::optional<std::size_t> last_member;
  std::optional<Reply> unhelpful;              // the first error that another node might not give
  std::map<std::size_t, std::string> reasons;  // the last failure of each member
  bool gave_way = false;
  std::optional<std::size_t> waits_for_check_of;
  std::uint64_t wait_serial = 0;  // identifies the wait, which ends early if another member is ready
  TimerId timer;  // the hedge, the next look at the members, or the deadline of a head request
  bool over = false;
};
using FlightPtr = std::shared_ptr<Flight>;

// Before the flight learns of the result.
void end_record(trace::Attempt& record, const Flight& flight, const Result& result);

class Pool::Impl final : Executor::StopListener {
 public:
  // `first_member`: the number of the first member, in replies.
  Impl(Executor& worker, std::vector<std::unique_ptr<Backend>> backends, PoolOptions options,
       Observer* observer, std::size_t first_member);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void call(std::string body, CallOptions options, Done done);
  PoolMembers& members() { return members_; }
  // No further calls come. `idle` runs once, in a later turn, when the present ones have ended.
  void retire(Executor::Task idle);

 private:
  std::uint64_t head_wanted(const Flight& flight) const {
    return std::max(flight.options.head_min, flight.options.head_preferred);
  }
  void defer_some(Flight& flight) const;
  void next(const FlightPtr& flight);
  void attempt(const FlightPtr& flight, std::size_t member);
  void check_chain(const FlightPtr& flight, std::size_t member);
  void chains_changed();
  void check_head(const FlightPtr& flight, std::size_t member);
  void send(const FlightPtr& flight, std::size_t member);
  bool asks_another(const Flight& flight, std::size_t member, const Reply& reply);
  bool contradicts(const Flight& flight, const Reply& reply);
  void refuse(const FlightPtr& flight);
  bool chain_went_back(const Flight& flight) const {
    return any_of(flight.behind) && !members_.may_have(flight.options.head_min);
  }
  void give_way(Flight& flight) const;
  Failure with_all_reasons(const Flight& flight);
  using QueueTimePtr = std::shared_ptr<QueueTime>;
  void arm_hedge(const FlightPtr& flight, const QueueTimePtr& queue_time);
  void hedge_at(Instant when, const FlightPtr& flight, const QueueTimePtr& queue_time);
  void ended(const FlightPtr& flight, std::size_t member, Instant begun, Result result);
  void hold_back(const FlightPtr& flight, std::size_t member, Reply reply);
  void arm_deadline(const FlightPtr& flight, std::string why);
  void take(const FlightPtr& flight, std::size_t member, Result result);
  void attempt_failed(const FlightPtr& flight, std::size_t member, Failure failure);
  void exhausted(const FlightPtr& flight);
  void finish(const FlightPtr& flight, Result result);

  void end(const char* why);
  void worker_stopping() override { end("the worker is stopping"); }

  Executor& worker_;
  PoolOptions options_;
  Observer* observer_;
  PoolMembers members_;
  std::unordered_set<FlightPtr> flights_;
  const std::size_t first_member_;
  Executor::Task idle_;  // of retire(), until it is posted
  static constexpr double kHedgesSavedMax = 10;
  double hedges_saved_ = kHedgesSavedMax;
  std::uint64_t serial_ = 0;
};

}  // namespace fanfare::upstream
