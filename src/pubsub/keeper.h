#pragma once
// What a topic's home loop does with events that are stored on disk before anybody gets them. One thread.
//
//   stores      numbered, handed to the store, and passed on when it has them. Reports come in order.
//   in memory   the store failed or stalled: the events that wait get positions of a new epoch and are passed on,
//               and so are those that follow. Now and then the store is asked to begin with another epoch.
//
// The epoch changes with each failure, because the disk may or may not hold an event whose writing failed. If its
// epoch went on, a restart could assign an offset that clients know already.

#include <cstdint>
#include <deque>
#include <memory>

#include "base/time.h"
#include "fanfare/topic.h"
#include "pubsub/event_store.h"
#include "pubsub/topic.h"

namespace fanfare::pubsub {

class LoopHub;

class Keeper {
 public:
  Keeper(LoopHub& loop, Topic& topic);

  void take(std::shared_ptr<Flight> flight);
  void take_report(const StoreReport& report);
  // A timer: whether the oldest event waits too long.
  void check_stall();
  // Nothing waits for the disk.
  bool is_idle() const { return waiting_.empty(); }

 private:
  void go_on_in_memory(const char* reason);
  // Gives the event the next position of the topic. False: it cannot be encoded, and its receipt knows.
  bool number(Flight& flight);
  void publish_unstored(const std::shared_ptr<Flight>& flight);
  void try_again();
  void watch(Duration delay);

  LoopHub& loop_;
  Topic& topic_;
  Position last_;  // the last that was assigned
  bool stores_;
  bool begins_ = false;  // the store was asked to begin
  bool is_watched_ = false;
  Instant retry_at_;
  std::deque<std::shared_ptr<Flight>> waiting_;
};

}  // namespace fanfare::pubsub
