// How many log lines an event produces, however often it happens.

#include "base/log_limiter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace fanfare {
namespace {

using namespace std::chrono_literals;

std::size_t lines_of(const std::string& log) {
  return static_cast<std::size_t>(std::ranges::count(log, '\n'));
}

TEST(LogLimiter, WritesAtTheLimitAndCountsOnePast) {
  ManualClock clock;
  LogLimiter limiter(log::Level::error, "garbage", {.lines_max = 3, .interval = 1min}, clock);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) limiter.write({{"value", i}});
  EXPECT_EQ(lines_of(testing::internal::GetCapturedStderr()), 3U);

  testing::internal::CaptureStderr();
  limiter.write({{"value", 3}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(limiter.events(), 4U);
}

TEST(LogLimiter, TheFirstLineOfTheNextIntervalSaysHowManyWereSuppressed) {
  ManualClock clock;
  LogLimiter limiter(log::Level::error, "garbage", {.lines_max = 1, .interval = 1min}, clock);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 100; ++i) limiter.write({{"value", i}});
  clock.advance(1min - 1ns);
  limiter.write({{"value", "still"}});
  clock.advance(1ns);
  limiter.write({{"value", "again"}});
  clock.advance(1min);
  limiter.write({{"value", "last"}});
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines_of(log), 3U);
  EXPECT_NE(log.find("garbage value=0\n"), std::string::npos) << log;
  EXPECT_NE(log.find("garbage value=again suppressed=100\n"), std::string::npos) << log;
  EXPECT_NE(log.find("garbage value=last\n"), std::string::npos) << log;
  EXPECT_EQ(limiter.events(), 103U);
}

TEST(LogLimiter, FlushWritesWhatIsStillToSayAndThenNothing) {
  ManualClock clock;
  LogLimiter limiter(log::Level::warn, "garbage", {.lines_max = 1, .interval = 1min}, clock);
  testing::internal::CaptureStderr();
  limiter.flush();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  limiter.write({});
  limiter.write({});
  testing::internal::CaptureStderr();
  limiter.flush();
  limiter.flush();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines_of(log), 1U);
  EXPECT_NE(log.find("garbage suppressed=1\n"), std::string::npos) << log;
}

TEST(LogLimiter, ALevelThatIsOffIsCountedOnly) {
  ManualClock clock;
  LogLimiter limiter(log::Level::debug, "garbage", {.lines_max = 1, .interval = 1min}, clock);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) limiter.write({});
  limiter.flush();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(limiter.events(), 5U);
}

TEST(LogLimiter, ThreadsShareOneLimit) {
  LogLimiter limiter(log::Level::error, "garbage", {.lines_max = 5, .interval = 1h});
  testing::internal::CaptureStderr();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 250; ++k) limiter.write({{"k", k}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines_of(testing::internal::GetCapturedStderr()), 5U);
  EXPECT_EQ(limiter.events(), 1000U);
}

TEST(LogLimiters, EachKindOfEachOwnerHasALimitOfItsOwn) {
  ManualClock clock;
  testing::internal::CaptureStderr();
  {
    LogLimiters one({.lines_max = 2, .interval = 1min}, clock);
    LogLimiters other({.lines_max = 2, .interval = 1min}, clock);
    for (int i = 0; i < 100; ++i) one.warn("reorg", {{"depth", i}});
    one.error("blocks_missed", {{"first", 1}});
    other.warn("reorg", {{"depth", 7}});
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines_of(log), 5U) << log;
  EXPECT_NE(log.find("reorg depth=1\n"), std::string::npos) << log;
  EXPECT_NE(log.find("blocks_missed first=1\n"), std::string::npos) << log;
  EXPECT_NE(log.find("reorg depth=7\n"), std::string::npos) << log;
  EXPECT_NE(log.find("reorg suppressed=98\n"), std::string::npos) << log;
}

TEST(LogExcerpt, KeepsWhatFitsAndCutsBetweenCharacters) {
  EXPECT_EQ(log::excerpt("", 4), "");
  EXPECT_EQ(log::excerpt("abcd", 4), "abcd");
  EXPECT_EQ(log::excerpt("abcde", 4), "abcd... (5 bytes)");
  EXPECT_EQ(log::excerpt("ab\xc3\xa4xyz", 3), "ab... (7 bytes)");
  EXPECT_EQ(log::excerpt("ab\xc3\xa4xyz", 4), "ab\xc3\xa4... (7 bytes)");
  EXPECT_EQ(log::excerpt("\xf0\x9f\x8e\xba!", 3), "... (5 bytes)");
  // Not UTF-8: cut close to the requested length.
  EXPECT_EQ(log::excerpt(std::string(100, '\x80'), 10), std::string(7, '\x80') + "... (100 bytes)");
}

}  // namespace
}  // namespace fanfare
