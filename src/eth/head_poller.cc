#include "eth/head_poller.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "jsonrpc/value.h"

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

std::expected<HeaderPtr, std::string> HeadPoller::read_block(std::string_view json) {
  if (jsonrpc::kind_of(json) == jsonrpc::Kind::null)
    return std::unexpected("the node has no such block (yet)");
  auto header = parse_header(json);
  if (!header) return std::unexpected(std::move(header.error()));
  return std::make_shared<const Header>(std::move(*header));
}

HeadPoller::HeadPoller(const HeadPollerOptions& options, jsonrpc::CallIds& call_ids, Random& random)
    : options_(options),
      call_ids_(call_ids),
      random_(random),
      backoff_(options.backoff_min, options.backoff_max) {
  FANFARE_CHECK(options.window_blocks > 0 && options.calls_in_flight_max > 0 && options.polls_per_block > 0);
  status_.poll_interval = interval();
}

void HeadPoller::start(Instant now) {
  if (phase_ == Phase::idle) poll(now);
}

void HeadPoller::poll_now(Instant now) {
  if (phase_ == Phase::idle) {
    poll(now);
  } else {
    behind_ = true;
  }
}

void HeadPoller::restart_polling(Instant now) {
  if (announced_in_round_ > 0) last_progress_ = now;
  clear_round();
  poll(now);
}

void HeadPoller::set_pushed(bool pushed, Instant now) {
  if (std::exchange(pushed_, pushed) == pushed) return;
  status_.poll_interval = interval();
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
  outstanding_.emplace(call(kByNumber, options_.tag), 0);
  timer_ = now + options_.call_timeout;
}

std::uint64_t HeadPoller::call(std::string_view method, std::string_view first_param, std::uint64_t block) {
  ++status_.calls;
  std::string params = "[\"";
  params.append(first_param).append("\",false]");
  const std::uint64_t id = call_ids_.next();
  calls_.push_back({.id = id, .method = method, .params_json = std::move(params), .block = block});
  return id;
}

std::vector<jsonrpc::UpstreamCall> HeadPoller::take_calls() {
  return std::exchange(calls_, {});
}

std::vector<HeadEvent> HeadPoller::take_events() {
  return std::exchange(events_, {});
}

bool HeadPoller::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  if (first_genesis_call_ == call_id) {
    first_genesis_call_.reset();
    const auto genesis = result ? read_block(*result) : std::unexpected(std::string());
    if (genesis && (*genesis)->number == 0) genesis_ = (*genesis)->hash;
    return true;
  }
  const auto found = outstanding_.find(call_id);
  if (found == outstanding_.end()) return false;
  const std::uint64_t number = found->second;
  outstanding_.erase(found);
  timer_ = now + options_.call_timeout;

  if (!result && phase_ == Phase::backfilling) {
    on_backfilled(number, "null", now);
    return true;
  }
  if (!result && ask_again(number)) return true;
  if (!result) {
    // A node that rejects a call about one block may still answer the next poll.
    if (result.error().kind == jsonrpc::CallFailure::Kind::rejected && phase_ != Phase::polling) {
      cannot_resolve(describe(result.error()), now);
    } else {
      give_up_round(describe(result.error()), now);
    }
    return true;
  }
  switch (phase_) {
    case Phase::polling:
      on_latest(*result, now);
      break;
    case Phase::filling:
      on_filled(number, *result, now);
      break;
    case Phase::walking:
      on_walked(*result, now);
      break;
    case Phase::backfilling:
      on_backfilled(number, *result, now);
      break;
    case Phase::comparing_genesis:
      on_genesis(*result, now);
      break;
    case Phase::idle:
      FANFARE_CHECK(false && "an idle poller has no call outstanding");
  }
  return true;
}

// --- one round -------------------------------------------------------------------------------------

void HeadPoller::on_latest(std::string_view json, Instant now) {
  auto latest = read_block(json);
  if (!latest) return give_up_round(std::string(options_.tag) + ": " + latest.error(), now);
  status_.last_answer = now;
  target_ = std::move(*latest);
  if (view_.empty()) {
    set_baseline(target_);
    last_progress_ = now;
    return start_backfill(now);
  }
  const bool is_passed = options_.only_forward && target_->number <= tip_->number;
  if (is_passed || in_view(target_->number, target_->hash)) {
    stale_polls_ = 0;
    return finish_round(now);
  }
  if (target_->number < view_first_) {
    if (!genesis_) return still_stale(now);
    phase_ = Phase::comparing_genesis;
    outstanding_.emplace(call(kByNumber, "0x0"), 0);
    return;
  }
  stale_polls_ = 0;
  branch_ = {target_};
  resolve(now);
}

// --- state -----------------------------------------------------------------------------------------

void HeadPoller::set_baseline(HeaderPtr header) {
  view_ = {header->hash};
  view_first_ = header->number;
  if (header->number == 0) {
    genesis_ = header->hash;
  } else if (!options_.only_forward) {
    first_genesis_call_ = call(kByNumber, "0x0");
  }
  tip_ = header;
  events_.emplace_back(Baseline{std::move(header)});
}

void HeadPoller::announce(HeaderPtr header) {
  if (view_.empty()) {
    view_first_ = header->number;
  } else if (tip_->hash == header->parent_hash) {
    block_time_.saw_timestamps(tip_->timestamp_s, header->timestamp_s);
  }
  view_.push_back(header->hash);
  // One more than the window: the block from which a fork of full depth starts.
  while (view_.size() > std::size_t{options_.window_blocks} + 1) {
    view_.pop_front();
    ++view_first_;
    view_trimmed_ = true;
  }
  tip_ = header;
  stuck_rounds_ = 0;
  stale_polls_ = 0;
  ++announced_in_round_;
  events_.emplace_back(NewHead{std::move(header)});
}

bool HeadPoller::in_view(std::uint64_t number, const Hash256& hash) const {
  return number >= view_first_ && number < view_end() && view_[number - view_first_] == hash;
}

Duration HeadPoller::interval() const {
  const auto block_time = block_time_.median();
  if (pushed_) {
    return std::clamp(block_time ? *block_time * 3 / 2 : options_.poll_interval_max,
                      options_.watch_interval_min, options_.watch_interval_max);
  }
  const Duration wanted =
      block_time ? *block_time / options_.polls_per_block : options_.poll_interval_initial;
  return std::clamp(wanted, options_.poll_interval_min, options_.poll_interval_max);
}

void HeadPoller::clear_round() {
  phase_ = Phase::idle;
  outstanding_.clear();
  branch_.clear();
  filled_.clear();
  failed_tries_.clear();
  gap_before_fill_.reset();
  target_.reset();
}

void HeadPoller::finish_round(Instant now) {
  walked_.clear();
  if (announced_in_round_ > 0) {
    if (last_progress_) block_time_.saw_arrival(now - *last_progress_, announced_in_round_);
    last_progress_ = now;
  }
  clear_round();
  backoff_.reset();
  status_.failures_in_a_row = 0;
  status_.poll_interval = interval();
  // Counted from the start of the round, so that slow answers do not stretch the interval.
  timer_ = behind_ ? now : std::max(now, round_started_ + status_.poll_interval);
}

void HeadPoller::give_up_round(std::string why, Instant now) {
  if (announced_in_round_ > 0) {
    last_progress_ = now;
    backoff_.reset();  // it grows until a round succeeds
  }
  clear_round();
  ++status_.failures;
  ++status_.failures_in_a_row;
  status_.last_failure = std::move(why);
  timer_ = now + backoff_.next(random_);
}

void HeadPoller::cannot_resolve(std::string why, Instant now) {
  if (++stuck_rounds_ < options_.stuck_rounds_max) return give_up_round(std::move(why), now);
  status_.last_failure = std::move(why);
  jump_to_target();
  finish_round(now);
}

}  // namespace fanfare::eth
