#pragma once
// Simulated time, the processes that live in it, and their threads. One real thread does everything, so what runs is a sequence
// that real threads could have had, and the seed decides which.
//
// A call that waits for an answer runs the events until it has come: other threads go on meanwhile, as they would.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "base/time.h"
#include "fanfare/unique_function.h"

namespace fanfare::fleet {

using namespace std::chrono_literals;
using Task = UniqueFunction<void()>;

class Time final {
 public:
  Instant now() const { return now_; }
  void call_at(Instant when, Task task);
  void call_after(Duration delay, Task task) { call_at(now_ + delay, std::move(task)); }
  // The next event, if it is due by then. False: time is at `end`.
  bool run_one(Instant end);
  std::uint64_t events() const { return events_; }

 private:
  Instant now_{std::chrono::hours(1)};
  std::map<std::pair<Instant, std::uint64_t>, Task> timers_;  // by time, then by the order of the calls
  std::uint64_t serial_ = 0;
  std::uint64_t events_ = 0;
};

// One instance of the program, from its start to its end.
struct Process {
  std::string name;
  std::uint64_t number = 0;  // of all processes of the run
  Duration wall_offset{};    // its wall clock jumps
  bool is_alive = true;
  Instant stalled_until{};                // no thread of it runs before
  int inside = 0;                         // calls into it that have not returned
  std::function<void()> after_turn = {};  // of any thread of it
};
using ProcessPtr = std::shared_ptr<Process>;

// Code runs as this process: its clock is the system's.
class Inside {
 public:
  explicit Inside(ProcessPtr process);
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  // Null: no process.
  static const ProcessPtr& current();

 private:
  ProcessPtr process_;
  ProcessPtr before_;
};

// Runs a task as the process, later; when it no longer stands still, and not at all when it has ended.
void call_in(const ProcessPtr& process, Instant when, Task task);

// A thread with a mailbox.
class Thread {
 public:
  explicit Thread(ProcessPtr process) : process_(std::move(process)) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // False: the process has ended.
  bool post(Task task);
  std::size_t waiting() const { return tasks_.size(); }

 private:
  void plan();
  void run();

  const ProcessPtr process_;
  std::deque<Task> tasks_;
  bool is_planned_ = false;
};

}  // namespace fanfare::fleet
