#include "streams/message_rate.h"

#include <algorithm>

#include "streams/limits.h"

namespace fanfare::streams {

// Each message moves `full_` by its share of a second; it may be at most one second ahead.
MessageRate::Verdict MessageRate::add(Instant now) {
  constexpr Duration kSecond = std::chrono::seconds(1);
  if (now - second_ >= kSecond) {
    second_ = now;
    in_second_ = 0;
    told_ = false;
  }
  if (++in_second_ > per_second_ * kFloodFactor) return Verdict::flood;
  const Instant full = std::max(full_, now) + kSecond / per_second_;
  if (full - now <= kSecond) {
    full_ = full;
    return Verdict::handle;
  }
  if (told_) return Verdict::ignore;
  told_ = true;
  return Verdict::refuse;
}

}  // namespace fanfare::streams
