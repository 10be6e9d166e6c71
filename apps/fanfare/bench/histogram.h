#pragma once
// Stores millions of latencies, each within 0.8 %: the width of the buckets doubles every 128 buckets.

#include <cstdint>
#include <vector>

namespace fanfare::app {

class Histogram {
 public:
  Histogram();

  void add(std::uint64_t nanoseconds, std::uint64_t times = 1) {
    buckets_[bucket_of(nanoseconds)] += times;
    count_ += times;
    if (nanoseconds > max_) max_ = nanoseconds;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }  // exact
  // The quantile for this share (0 to 1), rounded up to the end of its bucket but never beyond max(). 0
  // without values.
  std::uint64_t at(double share) const;

 private:
  static std::size_t bucket_of(std::uint64_t value);

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace fanfare::app
