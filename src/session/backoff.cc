#include "session/backoff.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::session {

Backoff::Backoff(const BackoffOptions& options, Random& random)
    : options_(options), random_(random), ceiling_(options.backoff_min) {
  FANFARE_CHECK(options_.backoff_min > Duration::zero() && options_.backoff_max >= options_.backoff_min);
  FANFARE_CHECK(options_.multiplier >= 1.0);
}

Duration Backoff::next() {
  ++attempts_;
  const Duration ceiling = ceiling_;
  // In floating point, so that no multiplier can overflow the value.
  const double grown = static_cast<double>(ceiling.count()) * options_.multiplier;
  ceiling_ = grown >= static_cast<double>(options_.backoff_max.count())
                 ? options_.backoff_max
                 : Duration(static_cast<Duration::rep>(grown));
  if (!options_.jitter) return ceiling;
  const auto bound = static_cast<std::uint64_t>(ceiling.count()) + 1;
  return Duration(static_cast<Duration::rep>(random_.below(bound)));
}

void Backoff::reset() {
  ceiling_ = options_.backoff_min;
  attempts_ = 0;
}

}  // namespace fanfare::session
