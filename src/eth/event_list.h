#pragma once
// A list of events for several readers. A reader's slot is counted from the first event ever added, so it
// stays valid when events that all readers have passed are dropped. One thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "base/check.h"

namespace fanfare::eth {

template <typename Entry>
class EventList {
 public:
  // Beyond bytes_max the oldest entries are dropped even if readers have not read them; the newest never is.
  void push(Entry entry, std::size_t bytes, std::size_t bytes_max) {
    if (places_.empty()) {
      ++first_;  // no reader needs it
      return;
    }
    entries_.push_back({.entry = std::move(entry), .bytes = bytes});
    bytes_ += bytes;
    while (bytes_ > bytes_max && entries_.size() > 1) pop();
  }

  std::uint64_t begin() const { return first_; }
  std::uint64_t end() const { return first_ + entries_.size(); }
  // The slot must be from begin() to end() - 1.
  const Entry& at(std::uint64_t place) const {
    return entries_[static_cast<std::size_t>(place - first_)].entry;
  }
  std::size_t bytes() const { return bytes_; }

  // A reader starts at the end, advances, or leaves. Entries that no reader still has ahead of it are
  // dropped.
  std::uint64_t enter() {
    ++places_[end()];
    return end();
  }
  void move(std::uint64_t from, std::uint64_t to) {
    ++places_[to];
    leave(from);
  }
  void leave(std::uint64_t place) {
    const auto found = places_.find(place);
    FANFARE_CHECK(found != places_.end());
    if (--found->second == 0) places_.erase(found);
    while (!entries_.empty() && (places_.empty() || places_.begin()->first > first_)) pop();
  }

 private:
  struct Kept {
    Entry entry;
    std::size_t bytes = 0;
  };

  void pop() {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
    ++first_;
  }

  std::deque<Kept> entries_;
  std::uint64_t first_ = 0;
  std::size_t bytes_ = 0;
  std::map<std::uint64_t, std::size_t> places_;  // readers by slot
};

}  // namespace fanfare::eth
