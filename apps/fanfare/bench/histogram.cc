#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fanfare::app {
namespace {

// Values below 256 have one bucket each; larger values keep eight significant bits.
constexpr unsigned kBits = 8;
constexpr std::size_t kHalf = std::size_t{1} << (kBits - 1);
constexpr std::size_t kBuckets = (64 - kBits) * kHalf + 2 * kHalf;

std::uint64_t last_of_bucket(std::size_t bucket) {
  if (bucket < 2 * kHalf) return bucket;
  const std::size_t shift = bucket / kHalf - 1;
  const std::uint64_t first = (kHalf + bucket % kHalf) << shift;
  return first + ((std::uint64_t{1} << shift) - 1);
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

std::size_t Histogram::bucket_of(std::uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = width > kBits ? width - kBits : 0;
  return shift * kHalf + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::at(double share) const {
  if (count_ == 0) return 0;
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(last_of_bucket(i), max_);
  }
  return max_;
}

}  // namespace fanfare::app
