#include "base/log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "base/log_line.h"
#include "base/time.h"

namespace fanfare::log {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 3 / 4) + 5h + 6min + 7s + 89'999us;

TEST(LogLine, HasTimeLevelEventAndFields) {
  EXPECT_EQ(
      line_of(kNow, Level::warn, "upstream_failed", {{"endpoint", "http://127.0.0.1:8545"}, {"status", 502}}),
      "2026-03-04T05:06:07.089Z warning upstream_failed endpoint=http://127.0.0.1:8545 status=502\n");
  EXPECT_EQ(line_of(kNow, Level::info, "ready", {}), "2026-03-04T05:06:07.089Z info  ready\n");
}

TEST(LogLine, NamesEveryLevel) {
  const auto level_of = [](Level level) { return line_of(kNow, level, "", {}).substr(25); };
  EXPECT_EQ(level_of(Level::trace), "trace \n");
  EXPECT_EQ(level_of(Level::debug), "debug \n");
  EXPECT_EQ(level_of(Level::info), "info  \n");
  EXPECT_EQ(level_of(Level::warn), "warning \n");
  EXPECT_EQ(level_of(Level::error), "error \n");
}

TEST(LogLine, CutsAValueOnePastItsLimit) {
  const std::string at_limit(kValueBytesMax, 'x');
  EXPECT_NE(line_of(kNow, Level::info, "said", {{"text", at_limit}}).find(" text=" + at_limit + "\n"),
            std::string::npos);
  const std::string line = line_of(kNow, Level::info, "said", {{"text", at_limit + "x"}});
  EXPECT_NE(line.find("xxx... (1025 bytes)"), std::string::npos) << line;
  EXPECT_LT(line.size(), kValueBytesMax + 100);
}

TEST(LogLine, CutsMillisecondsAlsoBefore1970) {
  EXPECT_EQ(line_of(WallTime(-1ns), Level::error, "x", {}), "1969-12-31T23:59:59.999Z error x\n");
}

TEST(Log, WritesWhatIsNotBelowItsLevel) {
  const auto written_at = [](Level level) {
    set_level(level);
    testing::internal::CaptureStderr();
    debug("one");
    info("two", {{"bytes", std::uint64_t{3}}});
    error("three");
    const std::string text = testing::internal::GetCapturedStderr();
    set_level(Level::info);
    return text;
  };
  EXPECT_EQ(written_at(Level::off), "");
  const std::string at_info = written_at(Level::info);
  EXPECT_EQ(at_info.find(" one"), std::string::npos);
  EXPECT_NE(at_info.find("Z info  two bytes=3\n"), std::string::npos) << at_info;
  EXPECT_NE(at_info.find("Z error three\n"), std::string::npos) << at_info;
  EXPECT_NE(written_at(Level::debug).find("Z debug one\n"), std::string::npos);
  EXPECT_EQ(written_at(Level::error).find("two"), std::string::npos);
}

}  // namespace
}  // namespace fanfare::log
