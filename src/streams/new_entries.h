#pragma once
// Keeps the entries of a list that were not there before. One thread.

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "streams/json.h"
#include "streams/spec.h"

namespace fanfare::streams {

class NewEntries {
 public:
  explicit NewEntries(NewOnly spec) : spec_(std::move(spec)) {}

  // Removes from `value` the entries that an earlier keep() has returned, and repeated ones. Returns how many are left. They count
  // as seen only after commit().
  std::size_t keep(Json& value);
  // The value was published.
  void commit();
  // The entries of a value that was published by somebody else.
  void note(const Json& value);

  // So many of the latest keys are remembered, and at least those of the last list. A node that lists an entry again after
  // so many others makes it new.
  static constexpr std::size_t kKeysMax = 10'000;

 private:
  NewOnly spec_;
  std::unordered_set<std::string> seen_;
  std::deque<const std::string*> order_;  // into seen_, the oldest first
  std::vector<std::string> kept_;         // by the last keep()
  std::size_t listed_ = 0;                // entries of the last list
};

}  // namespace fanfare::streams
