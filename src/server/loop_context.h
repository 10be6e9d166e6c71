#pragma once
// One loop's part of a server, for mounts and for what they serve: time, timers, and state that lives as long as
// the loop's mounts. A mount gets it with each request (Target::loop), so one mount object can serve all loops:
//
//   void on_request(session::HttpConnection& session, const Target& target) override {
//     Canvas& canvas = target.loop.state<Canvas>(target.loop);      // this loop's, made at the first use
//     ...
//   }
//
// Thread: the loop's, for everything here, constructor and destructor included. Other threads reach a loop with
// session::Server::post().

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

#include "base/time.h"
#include "fanfare/unique_function.h"
#include "net/loop.h"

namespace fanfare::server {

// Identifies a timer for LoopContext::cancel(); converts to false if it identifies none. Never reused.
struct LoopTimer {
  std::uint64_t number = 0;
  explicit operator bool() const { return number != 0; }
};

class LoopContext {
 public:
  // The loop must outlive this object. `index`: the loop's number within its server, from 0.
  LoopContext(net::Loop& loop, std::size_t index) : loop_(loop), index_(index) {}
  LoopContext(const LoopContext&) = delete;
  LoopContext& operator=(const LoopContext&) = delete;
  // Destroys the waiting timers without running them, and then the states, the last one made first.
  ~LoopContext();

  std::size_t index() const { return index_; }
  net::Loop& loop() const { return loop_; }
  Instant now() const { return loop_.now(); }

  // Runs the task once when the delay has passed (to within a few milliseconds), never within this call.
  // A negative delay counts as zero.
  LoopTimer call_after(Duration delay, UniqueFunction<void()> task);
  // Runs the task every `interval`, first when one interval has passed. Runs that the loop was too busy for are
  // left out, so they do not come in a burst; the others keep their rhythm. An interval below kIntervalMin counts
  // as that. The task may cancel its own timer.
  LoopTimer call_every(Duration interval, UniqueFunction<void()> task);
  static constexpr Duration kIntervalMin = std::chrono::milliseconds(1);
  // The task does not run any more, and is destroyed; a task that is running is destroyed when it returns.
  // False: it has already run for the last time, or was cancelled.
  bool cancel(LoopTimer timer);
  std::size_t timer_count() const { return timers_.size(); }

  // This loop's only State, made from the arguments at the first call for this type. Its constructor may ask for
  // other states: they are destroyed after it.
  template <typename State, typename... Arguments>
  State& state(Arguments&&... arguments) {
    if (State* const made = find_state<State>()) return *made;
    auto state = std::make_unique<State>(std::forward<Arguments>(arguments)...);
    State& made = *state;
    states_.push_back({.type = typeid(State), .object = {state.release(), &destroy<State>}});
    return made;
  }
  // Null: no state of this type was made yet.
  template <typename State>
  State* find_state() const {
    return static_cast<State*>(find_state(typeid(State)));
  }

 private:
  struct Timer {
    net::TimerId due;
    Duration interval;            // zero: runs once
    UniqueFunction<void()> task;  // empty while it runs
  };
  struct StateSlot {
    std::type_index type;
    std::unique_ptr<void, void (*)(void*)> object;
  };

  template <typename State>
  static void destroy(void* state) {
    delete static_cast<State*>(state);
  }
  void* find_state(std::type_index type) const;

  LoopTimer add(Instant due, Duration interval, UniqueFunction<void()> task);
  net::TimerId schedule(Instant due, std::uint64_t number);
  void run(std::uint64_t number);
  void run_once(std::map<std::uint64_t, Timer>::iterator timer);
  void run_again(std::map<std::uint64_t, Timer>::iterator timer);

  net::Loop& loop_;
  const std::size_t index_;
  std::vector<StateSlot> states_;  // in the order in which they were made
  std::map<std::uint64_t, Timer> timers_;
  std::uint64_t last_number_ = 0;
};

}  // namespace fanfare::server
