// What comes back to a Pool's calls: whether it counts, and whether another member is asked.

#include <algorithm>
#include <utility>

#include "jsonrpc/response.h"
#include "upstream/node_error.h"
#include "upstream/pool_impl.h"

namespace fanfare::upstream {
namespace {

// Whether another member might succeed with the same call.
bool worth_another_try(const Failure& failure) {
  return blames_endpoint(failure) || failure.kind == FailureKind::overloaded ||
         failure.kind == FailureKind::behind || failure.kind == FailureKind::wrong_chain;
}

}  // namespace

void end_record(trace::Attempt& record, const Flight& flight, const Result& result) {
  trace::Attempt::End end{.is_late = flight.over};
  if (!result) {
    end.failure = to_string(result.error().kind);
    if (result.error().http_status != 0) end.http_status = result.error().http_status;
  }
  record.end(end);
}

void Pool::Impl::ended(const FlightPtr& flight, std::size_t member, Instant begun, Result result) {
  if (result && has_wrong_id(flight->options.id, *result)) {
    result = std::unexpected(Failure{
        .kind = FailureKind::bad_reply, .message = "the answer is not to what was asked", .sent = true});
  }
  members_.note(member, begun, result);
  // A call that must not be repeated was checked before.
  const bool reads = flight->options.repeat == Repeat::always;
  if (result && reads && members_.checks().standing(member) == ChainChecks::Standing::wrong) {
    result = std::unexpected(kOnAnother);
  }
  if (result && reads && members_.checks().must_prove(member, result->new_connection)) {
    return hold_back(flight, member, *std::move(result));
  }
  take(flight, member, std::move(result));
}

// Holds back an answer until the node is known to be still on the network's chain.
void Pool::Impl::hold_back(const FlightPtr& flight, std::size_t member, Reply reply) {
  if (!flight->over) arm_deadline(flight, kNoChainInTime);
  auto held = std::make_shared<Reply>(std::move(reply));
  members_.checks().prove(member, [this, flight, member, held](const Failure* problem) {
    take(flight, member, problem == nullptr ? Result(std::move(*held)) : std::unexpected(*problem));
  });
}

void Pool::Impl::take(const FlightPtr& flight, std::size_t member, Result result) {
  if (flight->over) return;
  if (!result) {
    attempt_failed(flight, member, std::move(result.error()));
    return;
  }
  if (contradicts(*flight, *result)) {
    members_.checks().doubt(member, /*at_once=*/true);
    return attempt_failed(flight, member, kOnAnother);
  }
  result->member = first_member_ + member;
  result->gave_way = flight->gave_way;
  if (asks_another(*flight, member, *result)) {
    if (!flight->unhelpful) flight->unhelpful = std::move(*result);
    --flight->in_flight;
    flight->last_member = member;
    return next(flight);
  }
  finish(flight, std::move(result));
}

// An error that only concerns this node reaches the client only if no other node can answer.
bool Pool::Impl::asks_another(const Flight& flight, std::size_t member, const Reply& reply) {
  if (flight.options.id.empty() || flight.options.repeat != Repeat::always) return false;
  const auto answer = answer_of(reply);
  if (!answer || answer->error.empty()) return false;
  const NodeError error = judge_error(answer->error);
  if (error == NodeError::limited) members_.limited(member);
  return error != NodeError::answer && worker_.now() < flight.deadline;
}

// A client that requests the chain id checks the member as well as our own checks do.
bool Pool::Impl::contradicts(const Flight& flight, const Reply& reply) {
  const auto& known = members_.checks().truth().chain_id;
  if (!flight.options.tells_chain_id || !members_.checks().enabled() || !known) return false;
  const auto answer = answer_of(reply);
  const auto told = answer ? read_chain_id(answer->result) : std::nullopt;
  return told && told != known;
}

void Pool::Impl::attempt_failed(const FlightPtr& flight, std::size_t member, Failure failure) {
  --flight->in_flight;
  const bool safe = !failure.sent || flight->options.repeat == Repeat::always;
  if (!safe || !worth_another_try(failure)) {
    finish(flight, std::unexpected(std::move(failure)));
    return;
  }
  flight->reasons[member] = failure.message;
  flight->last = std::move(failure);
  flight->last_member = member;
  if (worker_.now() >= flight->deadline) {
    // Members still in flight may answer; no further member is tried.
    if (flight->in_flight == 0) finish(flight, std::unexpected(*flight->last));
    return;
  }
  next(flight);
}

// Every member was tried. Members that only lacked the block will have it soon, if it is still part of the
// chain. If it is not, they are called again without requiring it.
void Pool::Impl::exhausted(const FlightPtr& flight) {
  const bool went_back = chain_went_back(*flight);
  const bool wait = any_of(flight->behind) && worker_.now() + options_.behind_retry < flight->deadline;
  if (!went_back && !wait) {
    if (flight->unhelpful) return finish(flight, std::move(*flight->unhelpful));
    if (!flight->last) return refuse(flight);
    return finish(flight, std::unexpected(with_all_reasons(*flight)));
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (flight->behind[i]) flight->tried[i] = flight->behind[i] = false;
  }
  if (went_back) {
    members_.note_gone(flight->options.head_min);
    give_way(*flight);
    return next(flight);
  }
  worker_.cancel(flight->timer);
  flight->timer = worker_.call_after(options_.behind_retry, [this, flight] { next(flight); });
}

// The answer may be below the required block, but no lower than necessary.
void Pool::Impl::give_way(Flight& flight) const {
  flight.options.head_min = 0;
  flight.options.head_preferred = members_.head_best();
  flight.gave_way = true;
}

// The last failure, with the reasons of all members that were tried.
Failure Pool::Impl::with_all_reasons(const Flight& flight) {
  Failure failure = *flight.last;
  auto reasons = flight.reasons;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (std::string problem = members_.checks().problem(i); !problem.empty()) reasons[i] = std::move(problem);
  }
  if (reasons.size() < 2) return failure;
  failure.message.clear();
  for (const auto& [member, reason] : reasons) {
    failure.message.append(failure.message.empty() ? "" : "; ").append(members_.backend(member).name());
    failure.message.append(": ").append(reason);
  }
  return failure;
}

// No member could be used, because all are on another chain or disabled. In the next turn, because `done` never runs
// inside call().
void Pool::Impl::refuse(const FlightPtr& flight) {
  worker_.post([this, flight] {
    if (flight->over) return;  // perhaps with the pool
    finish(flight, std::unexpected(Failure{.kind = FailureKind::wrong_chain,
                                           .message = members_.has_enabled()
                                                          ? "no node of this network is on its chain"
                                                          : "all nodes of this network are disabled"}));
  });
}

void Pool::Impl::finish(const FlightPtr& flight, Result result) {
  flight->over = true;
  const bool is_end = !result && result.error().kind == FailureKind::shutdown;
  if (!result && flight->unhelpful && !is_end) result = std::move(*flight->unhelpful);
  worker_.cancel(flight->timer);
  Done done = std::move(flight->done);
  flights_.erase(FlightPtr(flight));
  if (flights_.empty() && idle_) worker_.post(std::exchange(idle_, {}));
  done(std::move(result));  // last: may destroy this
}

}  // namespace fanfare::upstream
