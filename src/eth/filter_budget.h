#pragma once
// Limits the alternatives (addresses, topics, transactions) in the filters of a network's subscriptions,
// summed over all loops. A filter at its own limits takes half a megabyte. Any thread.

#include <atomic>
#include <cstddef>

namespace fanfare::eth {

class FilterBudget {
 public:
  // A thousand filters at their limits, some 100 MB.
  static constexpr std::size_t kAlternativesMax = 1'000'000;

  explicit FilterBudget(std::size_t alternatives_max = kAlternativesMax) : max_(alternatives_max) {}

  // False if fewer are left; nothing is taken then.
  bool take(std::size_t alternatives) {
    if (used_.fetch_add(alternatives, std::memory_order_relaxed) + alternatives <= max_) return true;
    give_back(alternatives);
    return false;
  }
  void give_back(std::size_t alternatives) { used_.fetch_sub(alternatives, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::size_t max_;
  std::atomic<std::size_t> used_ = 0;
};

}  // namespace fanfare::eth
