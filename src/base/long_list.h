#pragma once
// A list whose length varies widely, as that of all connections, and which gives back what it no longer needs. When it is long it has
// pages of its own: in malloc's heap it would lie between smaller blocks that come and go with it, and keep their pages from the system.
// One thread.

#include <algorithm>
#include <cstddef>

#include "base/pages.h"

namespace fanfare {

template <typename T>
class LongList {
 public:
  std::size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  T& operator[](std::size_t i) { return list_[i]; }
  const T& operator[](std::size_t i) const { return list_[i]; }
  T& back() { return list_.back(); }
  auto begin() { return list_.begin(); }
  auto end() { return list_.end(); }
  void push_back(T value) {
    list_.push_back(value);
    longest_ = std::max(longest_, list_.size());
  }
  void pop_back() { list_.pop_back(); }
  // Call it when no demand is expected soon. Copies the elements if they are less than a quarter of what was there once.
  void give_back_rest() {
    if (list_.size() >= longest_ / 4) return;
    PagesVector<T>(list_.begin(), list_.end()).swap(list_);
    longest_ = list_.size();
  }

 private:
  PagesVector<T> list_;
  std::size_t longest_ = 0;  // since rest was given back
};

}  // namespace fanfare
