#pragma once
// How long to wait before trying again: exponential, with full jitter, so that clients that lost the same
// server do not come back all at once.

#include "base/random.h"
#include "base/time.h"

namespace fanfare::session {

struct BackoffOptions {
  // The first wait is at most this long, each further one at most `multiplier` times the one before, never
  // more than backoff_max.
  Duration backoff_min = std::chrono::milliseconds(250);
  Duration backoff_max = std::chrono::seconds(30);
  double multiplier = 2.0;
  // Each wait is drawn uniformly between nothing and what it may be; false: it is what it may be.
  bool jitter = true;
};

class Backoff {
 public:
  // `random` outlives the object.
  Backoff(const BackoffOptions& options, Random& random);

  Duration next();
  void reset();
  // Calls of next() since the last reset().
  unsigned attempts() const { return attempts_; }

 private:
  BackoffOptions options_;
  Random& random_;
  Duration ceiling_;
  unsigned attempts_ = 0;
};

}  // namespace fanfare::session
