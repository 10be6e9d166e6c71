#pragma once
// Long work on a loop, done in slices, so that the loop's other connections have their turn in between: one slice a turn of the
// loop for all works. Works are done in the order in which they came, since to do a little of each would make all of them late. One that is
// not done after kSlicesInOrder has turns with others like it, in every other slice, so that it stops nobody. Loop thread.

#include <cstddef>
#include <deque>
#include <memory>

#include "base/time.h"
#include "fanfare/unique_function.h"
#include "net/loop.h"
#include "rpc/slice_load.h"

namespace fanfare::rpc {

// What may be done at once. It ends by the number of steps or by the time, whichever comes first: steps are short, except where
// they call a program's handler.
class Slice {
 public:
  static constexpr std::size_t kStepsMax = 256;
  static constexpr Duration kTimeMax = std::chrono::microseconds(200);

  explicit Slice(Clock& clock) : clock_(clock), end_(clock.now() + kTimeMax) {}

  // Call it before each step. False: the slice is over. The first step is always allowed.
  bool take_step() {
    if (steps_ > 0 && (steps_ >= kStepsMax || clock_.now() >= end_)) return false;
    ++steps_;
    return true;
  }

 private:
  Clock& clock_;
  const Instant end_;
  std::size_t steps_ = 0;
};

class Slices {
 public:
  static constexpr std::uint32_t kSlicesInOrder = 8;
  // Does a slice of the work. True: there is more to do.
  using Work = UniqueFunction<bool(Slice&)>;

  // All must outlive it; the clock is the loop's. `load` counts the work that waits for its next slice; may be null.
  explicit Slices(net::Loop& loop, Clock& clock = system_clock(), SliceLoad* load = nullptr);
  ~Slices();
  Slices(const Slices&) = delete;
  Slices& operator=(const Slices&) = delete;

  // Does the first slice before it returns, and the others in the turns that follow. Work that is not done is destroyed with
  // this object. It must check whether what it refers to still exists.
  void run(Work work);
  // Works that are not done.
  std::size_t size() const { return in_order_.size() + in_turns_.size(); }

 private:
  void go_on();
  void go_on_in_order();
  void go_on_in_turns();
  void go_on_next_turn();
  void note_turn();

  net::Loop& loop_;
  Clock& clock_;
  SliceLoad* const load_;
  Duration used_before_{};          // by the loop's thread, at the end of the last slice
  std::deque<Work> in_order_;       // the front one is being done
  std::uint32_t front_slices_ = 0;  // that it had, without the one in run()
  std::deque<Work> in_turns_;       // the front one has the next turn
  bool turns_are_next_ = false;
  // A task in the loop's mailbox may outlive this object.
  std::shared_ptr<Slices*> self_;
};

}  // namespace fanfare::rpc
