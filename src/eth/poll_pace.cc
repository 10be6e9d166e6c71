#include "eth/poll_pace.h"

#include <algorithm>
#include <utility>

#include "eth/head_poller.h"

namespace fanfare::eth {

namespace {

// Part of the shortest interval that two polls are apart when a block is due.
constexpr int kStepMinPart = 8;

}  // namespace

PollPace::PollPace(const HeadPollerOptions& options, Random& random)
    : options_(options),
      random_(random),
      backoff_(options.backoff_min, options.backoff_max),
      rhythm_(options.poll_interval_min / kStepMinPart) {}

bool PollPace::set_pushed(bool pushed) {
  if (pushed_ == pushed) return false;
  pushed_ = pushed;
  rhythm_.forget();
  return true;
}

Duration PollPace::interval() const {
  const auto block_time = block_time_.median();
  if (pushed_) {
    return std::clamp(block_time ? *block_time * 3 / 2 : options_.poll_interval_max,
                      options_.watch_interval_min, options_.watch_interval_max);
  }
  const Duration wanted =
      block_time ? *block_time / options_.polls_per_block : options_.poll_interval_initial;
  return std::clamp(wanted, options_.poll_interval_min, options_.poll_interval_max);
}

Duration PollPace::gap_min() const {
  const auto block_time = block_time_.median();
  const bool may_have_rhythm =
      block_time && *block_time >= options_.poll_interval_min * options_.polls_per_block;
  return may_have_rhythm ? options_.poll_interval_min / kStepMinPart : options_.poll_interval_min;
}

Instant PollPace::next_poll(Instant started, Duration rest) {
  const auto by_rhythm = pushed_ ? std::nullopt : rhythm_.next(started, interval());
  return by_rhythm.value_or(started + rest + interval());
}

void PollPace::finish_round(Instant started, Instant now, std::uint64_t announced) {
  backoff_.reset();
  const auto last_look = std::exchange(last_look_, started);
  if (announced == 0) return;
  if (last_progress_) block_time_.saw_arrival(now - *last_progress_, announced);
  last_progress_ = now;
  // Tags that lag behind the head jump by many blocks at once.
  if (pushed_ || options_.only_forward || !last_look) return;
  const auto block_time = block_time_.median_arrival();
  if (block_time && *block_time > Duration::zero())
    rhythm_.saw_blocks(*last_look, now, announced, *block_time);
}

Duration PollPace::fail_round(Instant now, std::uint64_t announced) {
  if (announced > 0) {
    last_progress_ = now;
    backoff_.reset();
  }
  return backoff_.next(random_);
}

}  // namespace fanfare::eth
