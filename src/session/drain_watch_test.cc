#include "session/drain_watch.h"

#include <gtest/gtest.h>

#include "session/milliseconds.h"

namespace fanfare::session {
namespace {

constexpr std::uint32_t kRate = 1000;  // bytes per second, so a byte per millisecond

TEST(DrainWatch, DeadlineRunsAgainstAPeerThatTakesNothing) {
  DrainWatch watch({.bytes = 5}, 10'000);
  watch.look({.bytes = 5}, 14'000, kRate);
  EXPECT_EQ(watch.counted(9000, 14'000), 9000U);
}

TEST(DrainWatch, BytesAtTheRateStopTheClockAndOneFewerDoNot) {
  DrainWatch watch({.bytes = 5}, 10'000);
  watch.look({.bytes = 5 + 3999}, 14'000, kRate);
  EXPECT_EQ(watch.counted(9000, 14'000), 9000U);
  watch.look({.bytes = 5 + 4000}, 14'000, kRate);
  EXPECT_EQ(watch.counted(9000, 14'000), 0U);
  EXPECT_EQ(watch.counted(9500, 14'500), 500U);
}

TEST(DrainWatch, RateIsAnAverageSinceItWasReachedLast) {
  DrainWatch watch({.bytes = 0}, 0);
  watch.look({.bytes = 1000}, 1000, kRate);
  for (std::uint32_t ms = 2000; ms < 9000; ms += 1000) {
    watch.look({.bytes = 1000 + 999}, ms, kRate);
    EXPECT_EQ(watch.counted(ms, ms), ms - 1000) << ms;
  }
  watch.look({.bytes = 1000 + 8000}, 9000, kRate);
  EXPECT_EQ(watch.counted(9000, 9000), 0U);
}

TEST(DrainWatch, WhenEverythingIsTakenTheWholeDeadlineBegins) {
  DrainWatch watch({.bytes = 0}, 0);
  watch.look({.bytes = 1, .is_complete = true}, 60'000, kRate);  // however slow
  EXPECT_TRUE(watch.is_complete());
  EXPECT_EQ(watch.counted(60'000, 60'000), 0U);
  EXPECT_EQ(watch.counted(63'000, 63'000), 3000U);
  watch.begin_again();
  EXPECT_FALSE(watch.is_complete());
}

TEST(DrainWatch, APingOfOursIsNotWhatThePeerIsStillReading) {
  DrainWatch watch({.bytes = 0}, 0);
  watch.note_ping();
  watch.look({.bytes = 2, .is_complete = true}, 1000, kRate);
  EXPECT_EQ(watch.counted(1000, 1000), 1000U);
  for (std::uint32_t i = 1; i < 10; ++i) {
    watch.begin_again();
    watch.look({.bytes = 2 + 2 * i, .is_complete = true}, 1000 + 100 * i, kRate);
    EXPECT_EQ(watch.counted(1000 + 100 * i, 1000 + 100 * i), 1000U + 100 * i);
  }
  // Behind other data it is taken with it.
  watch.begin_again();
  watch.look({.bytes = 20 + 65, .is_complete = true}, 3000, kRate);
  EXPECT_EQ(watch.counted(3000, 3000), 0U);
}

TEST(DrainWatch, NeverMakesADeadlineLonger) {
  DrainWatch watch({.bytes = 0}, 0);
  watch.look({.bytes = 1'000'000}, 1000, kRate);
  EXPECT_EQ(watch.counted(200, 5000), 200U);
}

TEST(DrainWatch, CountersWrap) {
  DrainWatch watch({.bytes = UINT32_MAX - 10}, UINT32_MAX - 1000);
  watch.look({.bytes = 3000}, 1000, kRate);
  EXPECT_EQ(watch.counted(5000, 1500), 500U);
}

TEST(DrainWatch, RateOfZeroIsAnyByte) {
  DrainWatch watch({.bytes = 0}, 0);
  watch.look({.bytes = 0}, 1000, 0);
  EXPECT_EQ(watch.counted(1000, 1000), 1000U);
  watch.look({.bytes = 1}, 2000, 0);
  EXPECT_EQ(watch.counted(2000, 2000), 0U);
}

TEST(Milliseconds, AreRoundedUpAndNeverWrap) {
  EXPECT_EQ(to_ms(std::chrono::nanoseconds(1)), 1U);
  EXPECT_EQ(to_ms(std::chrono::milliseconds(UINT32_MAX)), UINT32_MAX);
  EXPECT_EQ(to_ms(std::chrono::milliseconds(UINT32_MAX) + std::chrono::nanoseconds(1)), UINT32_MAX);
  EXPECT_EQ(to_ms(Duration::max()), UINT32_MAX);
  EXPECT_EQ(to_ms(-std::chrono::seconds(1)), 0U);
  EXPECT_EQ(to_ms(Duration::min()), 0U);
}

}  // namespace
}  // namespace fanfare::session
