#pragma once
// The subscribers that wait until every new event of their type will be reported (await_listening() of a source),
// and their results. One thread.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "eth/listening.h"

namespace fanfare::eth {

class Listeners {
 public:
  using Id = std::uint64_t;

  // Waits until `deadline` at the latest. Ids increase, and so must the deadlines.
  Id add(Instant deadline);

  // From now on everything is reported: all of them have their result.
  void accept();
  // With the reason; empty: the node has not answered yet.
  void refuse(const std::string& why);
  // Refuses those whose time is over.
  void refuse_late(Instant now, const std::string& why);

  // In the order of the waits.
  std::vector<Listening> take_results() { return std::exchange(results_, {}); }
  std::optional<Instant> next_deadline() const;

 private:
  struct Waiting {
    Id id = 0;
    Instant deadline{};
  };
  void refuse_first(const std::string& why);

  std::deque<Waiting> waiting_;
  Id last_ = 0;
  std::vector<Listening> results_;
};

}  // namespace fanfare::eth
