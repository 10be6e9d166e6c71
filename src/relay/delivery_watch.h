#pragma once
// Whether a consumer delivers what its stream is known to have: what the broker has acknowledged, or had when the consumer began.
// The broker may fail to do so without any other sign (docs/relay.md, "the stream is deleted"). No I/O; time is an argument.
//
//   expected, and the consumer says kSignsMin times within kWait or longer that it has nothing to deliver
//     -> a new consumer; the same again -> the broker is asked for the message
//
// Signs are counted, not only time, because they come in order with the messages: a process that stood still finds both behind each
// other. A reader that is slow gets messages, and so no signs. One that has ended its consumer gets neither.

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/time.h"

namespace fanfare::relay {

class DeliveryWatch {
 public:
  // The stream has this message, and the reader has not.
  void expect(std::uint64_t sequence, Instant now) {
    if (expected_ == 0) start_counting(now);
    expected_ = std::max(expected_, sequence);
  }
  // Everything up to there has come, or need not come.
  void came(std::uint64_t until, Instant now) {
    if (until <= came_) return;
    came_ = until;
    if (until >= expected_) return forget();
    start_counting(now);
    is_renewed_ = is_still_ = false;
  }
  // The consumer says that it has nothing to deliver.
  void idle() { ++signs_; }
  // Another epoch, another reader, or the broker has the message no more.
  void forget() {
    came_ = expected_ = 0;
    is_renewed_ = is_still_ = false;
  }

  enum class Step : std::uint8_t { wait, renew, compare };
  Step next(Instant now) {
    if (expected_ == 0 || signs_ < kSignsMin || now - since_ < kWait) return Step::wait;
    start_counting(now);
    return std::exchange(is_renewed_, true) ? Step::compare : Step::renew;
  }
  // Does what is due. `restart` makes a new consumer. `compare` asks whether the broker has the message and does not deliver it; its
  // error: the broker does not answer, and this returns false.
  template <typename Compare, typename Restart>
  bool act(Instant now, Compare&& compare, Restart&& restart) {
    const Step step = next(now);
    if (step == Step::wait) return true;
    if (step == Step::compare) {
      const auto is_still = compare();
      if (!is_still) return false;
      if (!*is_still) forget();
    }
    restart();
    return true;
  }
  // The comparison has shown that the broker does not deliver. True: it was not known before.
  bool stands_still() { return !std::exchange(is_still_, true); }
  bool is_still() const { return is_still_; }
  // Zero: nothing is.
  std::uint64_t expected() const { return expected_; }

  static constexpr int kSignsMin = 3;
  // A broker of a cluster that delivers may be a little behind the one that acknowledges.
  static constexpr Duration kWait = std::chrono::seconds(2);

 private:
  void start_counting(Instant now) {
    signs_ = 0;
    since_ = now;
  }

  std::uint64_t came_ = 0;
  std::uint64_t expected_ = 0;
  Instant since_{};
  int signs_ = 0;
  bool is_renewed_ = false;  // the consumer, since something came
  bool is_still_ = false;
};

}  // namespace fanfare::relay
