#include "bench/histogram.h"

#include <gtest/gtest.h>

#include <limits>

namespace fanfare::app {
namespace {

TEST(Histogram, NothingIsZero) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_EQ(empty.at(0.5), 0U);
  EXPECT_EQ(empty.max(), 0U);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t i = 1; i <= 100; ++i) histogram.add(i);
  EXPECT_EQ(histogram.at(0.5), 50U);
  EXPECT_EQ(histogram.at(0.9), 90U);
  EXPECT_EQ(histogram.at(0.99), 99U);
  EXPECT_EQ(histogram.at(0.9999), 100U);
  EXPECT_EQ(histogram.max(), 100U);
}

TEST(Histogram, EveryValueIsKeptWithinOnePercent) {
  for (std::uint64_t value = 1; value < (std::uint64_t{1} << 62U); value += value / 3 + 1) {
    Histogram histogram;
    histogram.add(value);
    histogram.add(std::numeric_limits<std::uint64_t>::max());  // so that max() does not help
    const std::uint64_t found = histogram.at(0.5);
    ASSERT_GE(found, value);
    ASSERT_LE(found - value, value / 100) << value;
  }
}

TEST(Histogram, BucketsBeginWhereTheLastOneEnded) {
  for (std::uint64_t value = 0; value < 100'000; ++value) {
    Histogram histogram;
    if (value % 97 != 0 && value > 1100) continue;
    histogram.add(value);
    histogram.add(value + 1, 2);
    ASSERT_GE(histogram.at(0.3), value);
    ASSERT_LE(histogram.at(0.3), histogram.at(0.6)) << value;
  }
}

TEST(Histogram, CountsManyAtOnce) {
  Histogram histogram;
  histogram.add(10, 99);
  histogram.add(200);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.at(0.99), 10U);
  EXPECT_EQ(histogram.at(0.999), 200U);
}

}  // namespace
}  // namespace fanfare::app
