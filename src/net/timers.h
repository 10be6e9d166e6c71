#pragma once
// The timers of one loop. Few and coarse: connections share one sweep, so there are tens, not thousands.

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/time.h"
#include "net/mailbox.h"

namespace fanfare::net {

struct TimerId {
  Instant due{};
  std::uint64_t number = 0;  // 0: no timer
  auto operator<=>(const TimerId&) const = default;
};

class Timers {
 public:
  TimerId add(Instant due, Task task) {
    const TimerId id{due, ++last_number_};
    waiting_.emplace(id, std::move(task));
    return id;
  }
  // False if it has already run or been cancelled.
  bool cancel(TimerId id) { return waiting_.erase(id) > 0; }

  std::optional<Instant> next_due() const {
    if (waiting_.empty()) return std::nullopt;
    return waiting_.begin()->first.due;
  }

  bool has_due(Instant now) const { return !waiting_.empty() && waiting_.begin()->first.due <= now; }

  // Runs due timers in order of due time. A timer added meanwhile for `now` or earlier waits for the next
  // call.
  void run(Instant now) {
    const std::uint64_t newest = last_number_;
    for (auto it = waiting_.begin(); it != waiting_.end() && it->first.due <= now;) {
      if (it->first.number > newest) {
        ++it;
        continue;
      }
      auto node = waiting_.extract(it);
      node.mapped()();
      it = waiting_.begin();
    }
  }

 private:
  std::map<TimerId, Task> waiting_;
  std::uint64_t last_number_ = 0;
};

}  // namespace fanfare::net
