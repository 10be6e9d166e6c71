// Times at the limits of their type.

#include "base/time.h"

#include <gtest/gtest.h>

namespace fanfare {
namespace {

using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SaturatingDuration, KeepsWhatFits) {
  EXPECT_EQ(saturating_duration(milliseconds(1)), 1ms);
  EXPECT_EQ(saturating_duration(milliseconds(0)), 0ms);
  EXPECT_EQ(saturating_duration(milliseconds(-1)), -1ms);
  EXPECT_EQ(saturating_duration(hours(24 * 365)), hours(24 * 365));
}

TEST(SaturatingDuration, EndsAtTheLongestTime) {
  const auto longest = std::chrono::duration_cast<milliseconds>(kDurationMax);
  EXPECT_EQ(saturating_duration(longest - 1ms), kDurationMax - 1ms);
  EXPECT_EQ(saturating_duration(longest), kDurationMax);
  EXPECT_EQ(saturating_duration(longest + 1ms), kDurationMax);
  EXPECT_EQ(saturating_duration(milliseconds::max()), kDurationMax);
  EXPECT_EQ(saturating_duration(seconds::max()), kDurationMax);
  EXPECT_EQ(saturating_duration(Duration::max()), kDurationMax);
  EXPECT_EQ(saturating_duration(milliseconds::min()), -kDurationMax);
}

TEST(SaturatingDuration, SumOfTheTwoLongestIsExact) {
  static_assert(kDurationMax + kDurationMax > kDurationMax);
  static_assert(kDurationMax < Duration::max() / 2);
}

TEST(LongAgo, IsLongerAgoThanAnySetting) {
  const Instant just_started{1ns};
  EXPECT_GE(just_started - kLongAgo, kDurationMax);
  EXPECT_LE(saturating_add(kLongAgo, kDurationMax), just_started);
}

TEST(SaturatingAdd, AddsWhatFitsAndStopsAtTheEnds) {
  const Instant now{1h};
  EXPECT_EQ(saturating_add(now, 5s), now + 5s);
  EXPECT_EQ(saturating_add(now, -5s), now - 5s);
  EXPECT_EQ(saturating_add(now, Duration::max()), Instant::max());
  EXPECT_EQ(saturating_add(now, Duration::max() - 1h), Instant::max());
  EXPECT_EQ(saturating_add(now, Duration::max() - 1h - 1ns), Instant::max() - 1ns);
  EXPECT_EQ(saturating_add(Instant{-1h}, Duration::min()), Instant::min());
  EXPECT_EQ(saturating_add(Instant{-1h}, Duration::max()), Instant::max() - 1h);
}

}  // namespace
}  // namespace fanfare
