#include "eth/head_poller.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::eth {
namespace {

std::string describe(const jsonrpc::CallFailure& failure) {
  switch (failure.kind) {
    case jsonrpc::CallFailure::Kind::unreachable:
      return "unreachable: " + failure.message;
    case jsonrpc::CallFailure::Kind::timed_out:
      return "timed out: " + failure.message;
    case jsonrpc::CallFailure::Kind::rejected:
      return "error " + std::to_string(failure.code) + ": " + failure.message;
  }
  return failure.message;
}

}  // namespace

HeadPoller::HeadPoller(const HeadPollerOptions& options, jsonrpc::CallIds& call_ids, Random& random)
    : options_(options),
      pace_(options_, random),
      chain_(options.window_blocks),
      first_genesis_(call_ids),
      requests_(call_ids),
      branch_(options.window_blocks),
      fill_(options.calls_in_flight_max) {
  FANFARE_CHECK(options.window_blocks > 0 && options.calls_in_flight_max > 0 && options.polls_per_block > 0);
  status_.poll_interval = pace_.interval();
}

void HeadPoller::start(Instant now) {
  if (phase_ == Phase::idle) poll(now);
}

void HeadPoller::poll_now(Instant now, Duration rest) {
  if (phase_ == Phase::idle) {
    poll(now);
    rest_ = rest;
  } else {
    behind_ = true;
  }
}

void HeadPoller::restart_polling(Instant now) {
  if (announced_in_round_ > 0) pace_.restart_clock(now);
  clear_round();
  poll(now);
}

void HeadPoller::set_pushed(bool pushed, Instant now) {
  if (!pace_.set_pushed(pushed)) return;
  status_.poll_interval = pace_.interval();
  // Between two polls: reschedules the next one by the new interval. The delay after a failed round stays.
  if (phase_ == Phase::idle && timer_ && status_.failures_in_a_row == 0) {
    timer_ = std::max(now, round_started_ + status_.poll_interval);
  }
}

void HeadPoller::on_timer(Instant now) {
  if (!timer_ || now < *timer_) return;
  if (phase_ == Phase::idle) {
    poll(now);
  } else {
    give_up_round("no answer in time", now);
  }
}

void HeadPoller::poll(Instant now) {
  ++status_.polls;
  phase_ = Phase::polling;
  round_started_ = now;
  announced_in_round_ = 0;
  behind_ = false;
  rest_ = {};
  ask(block_by_tag(options_.tag));
  timer_ = now + options_.call_timeout;
}

void HeadPoller::ask(BlockRequest request) {
  ++status_.calls;
  requests_.send(std::move(request));
}

// One unusable answer does not end the round or discard its other answers: the call goes to another node, if there is
// one. False: the round must end.
bool HeadPoller::ask_again(BlockRequest request) {
  if (phase_ != Phase::walking && phase_ != Phase::filling) return false;
  if (++request.failed >= options_.block_tries_max) return false;
  ask(std::move(request));
  return true;
}

std::vector<jsonrpc::UpstreamCall> HeadPoller::take_calls() {
  std::vector<jsonrpc::UpstreamCall> calls = requests_.take_calls();
  for (jsonrpc::UpstreamCall& one : first_genesis_.take_calls()) calls.push_back(std::move(one));
  return calls;
}

std::vector<HeadEvent> HeadPoller::take_events() {
  return chain_.take_events();
}

bool HeadPoller::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  if (first_genesis_.take_answered(call_id)) {
    const auto genesis = result ? read_block(*result) : std::unexpected(std::string());
    if (genesis && (*genesis)->number == 0) genesis_ = (*genesis)->hash;
    return true;
  }
  auto request = requests_.take_answered(call_id);
  if (!request) return false;
  timer_ = now + options_.call_timeout;
  if (!result) {
    on_failure(*std::move(request), result.error(), now);
    return true;
  }
  switch (phase_) {
    case Phase::polling:
      on_latest(*result, now);
      break;
    case Phase::filling:
      on_filled(*std::move(request), *result, now);
      break;
    case Phase::walking:
      on_walked(*std::move(request), *result, now);
      break;
    case Phase::backfilling:
      on_backfilled(request->number, *result, now);
      break;
    case Phase::comparing_genesis:
      on_genesis(*result, now);
      break;
    case Phase::idle:
      FANFARE_CHECK(false && "an idle poller has no call in flight");
  }
  return true;
}

void HeadPoller::on_failure(BlockRequest request, const jsonrpc::CallFailure& failure, Instant now) {
  if (phase_ == Phase::backfilling) return on_backfilled(request.number, "null", now);
  if (ask_again(std::move(request))) return;
  // A node that rejects a call about one block may still answer the next poll.
  if (failure.kind == jsonrpc::CallFailure::Kind::rejected && phase_ != Phase::polling) {
    cannot_resolve(describe(failure), now);
  } else {
    give_up_round(describe(failure), now);
  }
}

// --- one round -------------------------------------------------------------------------------------

void HeadPoller::on_latest(std::string_view json, Instant now) {
  auto latest = read_block(json);
  if (!latest) return give_up_round(std::string(options_.tag) + ": " + latest.error(), now);
  status_.last_answer = now;
  target_ = std::move(*latest);
  if (chain_.is_empty()) {
    set_baseline(target_);
    pace_.restart_clock(now);
    return start_backfill(now);
  }
  const bool is_passed =
      options_.only_forward && (target_->number <= settled_ || target_->number < chain_.first());
  if (is_passed || shows(target_->number, target_->hash)) {
    stale_polls_ = 0;
    return finish_round(now);
  }
  if (target_->number < chain_.first()) {
    if (!genesis_) return still_stale(now);
    phase_ = Phase::comparing_genesis;
    return ask(block_by_number(0));
  }
  stale_polls_ = 0;
  branch_.start(target_);
  resolve(now);
}

// --- state -----------------------------------------------------------------------------------------

void HeadPoller::set_baseline(HeaderPtr header) {
  if (header->number == 0) {
    genesis_ = header->hash;
  } else if (!options_.only_forward) {
    ++status_.calls;
    first_genesis_.forget();
    first_genesis_.send(block_by_number(0));
  }
  chain_.begin(std::move(header));
}

void HeadPoller::announce(HeaderPtr header) {
  if (chain_.continues_with(*header)) pace_.saw_child(*tip(), *header);
  chain_.append(std::move(header));
  stuck_rounds_ = 0;
  stale_polls_ = 0;
  ++announced_in_round_;
}

void HeadPoller::clear_round() {
  phase_ = Phase::idle;
  requests_.forget();
  branch_.clear();
  fill_.clear();
  below_start_.clear();
  target_.reset();
}

void HeadPoller::finish_round(Instant now) {
  branch_.forget_walked();
  pace_.finish_round(round_started_, now, announced_in_round_);
  clear_round();
  status_.failures_in_a_row = 0;
  status_.poll_interval = pace_.interval();
  // Counted from the start of the round, so that slow answers do not stretch the interval.
  timer_ = behind_ ? now : std::max(now, pace_.next_poll(round_started_, rest_));
}

void HeadPoller::give_up_round(std::string why, Instant now) {
  clear_round();
  ++status_.failures;
  ++status_.failures_in_a_row;
  status_.last_failure = std::move(why);
  timer_ = now + pace_.fail_round(now, announced_in_round_);
}

void HeadPoller::cannot_resolve(std::string why, Instant now) {
  if (++stuck_rounds_ < options_.stuck_rounds_max) return give_up_round(std::move(why), now);
  status_.last_failure = std::move(why);
  jump_to_target(now);
}

}  // namespace fanfare::eth
