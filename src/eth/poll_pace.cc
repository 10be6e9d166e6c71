#include "eth/poll_pace.h"

#include <algorithm>

#include "eth/head_poller.h"

namespace fanfare::eth {

PollPace::PollPace(const HeadPollerOptions& options, Random& random)
    : options_(options), random_(random), backoff_(options.backoff_min, options.backoff_max) {}

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

void PollPace::finish_round(Instant now, std::uint64_t announced) {
  backoff_.reset();
  if (announced == 0) return;
  if (last_progress_) block_time_.saw_arrival(now - *last_progress_, announced);
  last_progress_ = now;
}

Duration PollPace::fail_round(Instant now, std::uint64_t announced) {
  if (announced > 0) {
    last_progress_ = now;
    backoff_.reset();
  }
  return backoff_.next(random_);
}

}  // namespace fanfare::eth
