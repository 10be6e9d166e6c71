#pragma once
// The delay before a retry: exponential, with full jitter, so that clients of one failed server do not all
// reconnect at once.

#include "base/random.h"
#include "base/time.h"

namespace fanfare::session {

struct BackoffOptions {
  // Upper bound of the first delay. Each further bound is `multiplier` times the previous one, up to
  // backoff_max.
  Duration backoff_min = std::chrono::milliseconds(250);
  Duration backoff_max = std::chrono::seconds(30);
  double multiplier = 2.0;
  // Each delay is drawn uniformly between zero and its bound; false: it equals the bound.
  bool jitter = true;
};

class Backoff {
 public:
  // `random` must outlive the object.
  Backoff(const BackoffOptions& options, Random& random);

  Duration next();
  void reset();
  // Number of next() calls since the last reset().
  unsigned attempts() const { return attempts_; }

 private:
  BackoffOptions options_;
  Random& random_;
  Duration ceiling_;
  unsigned attempts_ = 0;
};

}  // namespace fanfare::session
