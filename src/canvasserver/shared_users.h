#pragma once
// The users of a shared room that are connected to this instance, and what the room's log must still be told about them. However often
// a user comes and goes between two batches, the log gets one request or none. The room's thread.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "canvas/replica.h"
#include "canvas/shared_batch.h"
#include "fanfare/unique_function.h"

namespace fanfare::canvasserver {

class SharedUsers {
 public:
  // The user's number; 0: refused.
  using Joined = UniqueFunction<void(canvas::UserNumber)>;
  using Id = std::uint64_t;

  // One more connection. `known`: the number that the log has for this identity; 0: none. `joined` is called at once if the number is
  // known, also while `can_wait` is false; otherwise when the log has it.
  Id join(const canvas::SharedJoin& who, canvas::UserNumber known, bool can_wait, Joined joined);
  // One connection less.
  void leave(Id id);
  std::size_t count() const { return users_.size(); }

  // Whether take_changes() would return any.
  bool has_changes() const { return !changed_.empty(); }
  // What is missing in the log. Each result comes back with applied().
  struct Change {
    Id id = 0;
    canvas::SharedRequest request;
  };
  std::vector<Change> take_changes(std::size_t count_max);
  void applied(const Change& change, canvas::UserNumber number);
  // The log has these users at this instance. Returns those that are not here.
  std::vector<canvas::UserNumber> agree(const std::set<canvas::UserNumber>& in_log);
  // Changes that were taken do not come back with applied().
  void forget_sent();
  // Those that wait for their number do so no longer.
  void refuse_waiting();

 private:
  struct User {
    canvas::SharedJoin who;  // with the number, as soon as it is known
    std::uint32_t connections = 0;
    bool is_in_log = false;
    bool is_sending = false;
    std::vector<Joined> waiting;
  };

  void check(Id id);

  Id last_ = 0;
  std::map<Id, User> users_;
  std::map<std::string, Id, std::less<>> by_identity_;
  std::set<Id> changed_;
};

}  // namespace fanfare::canvasserver
