#include "base/log_format.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

#include "base/log_line.h"
#include "base/time.h"

namespace fanfare::log {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kMoment = std::chrono::sys_days(std::chrono::year(2026) / 3 / 4) + 5h + 6min + 7s + 89ms;

std::string json_text(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

TEST(LogFormat, AJsonLineHasFourMembers) {
  EXPECT_EQ(json_line_of(kMoment, Level::warn, "upstream_failed", {{"endpoint", "http://a"}, {"status", 502}},
                         {{"is_last", true}}),
            R"({"ts":"2026-03-04T05:06:07.089Z","level":"warn","event":"upstream_failed",)"
            R"("fields":{"endpoint":"http://a","status":"502","is_last":"true"}})"
            "\n");
  EXPECT_EQ(json_line_of(kMoment, Level::info, "ready", {}),
            R"({"ts":"2026-03-04T05:06:07.089Z","level":"info","event":"ready","fields":{}})"
            "\n");
}

TEST(LogFormat, NothingOfAPeerEndsALineOrAString) {
  EXPECT_EQ(json_text("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json_text(std::string_view("\0\n\r\t\x1b\x1f\x7f", 7)),
            R"("\u0000\u000a\u000d\u0009\u001b\u001f\u007f")");
  // C1 controls (U+0085 is a line end), line and paragraph separator.
  EXPECT_EQ(json_text("\xc2\x80\xc2\x85\xc2\x9f\xe2\x80\xa8\xe2\x80\xa9"),
            R"("\u0080\u0085\u009f\u2028\u2029")");
  EXPECT_EQ(json_text("\xc2\xa0\xe2\x80\xaa"), "\"\xc2\xa0\xe2\x80\xaa\"");
  const std::string forged = json_line_of(kMoment, Level::info, "said", {{"text", "x\"}}\n{\"ts\":\"1"}});
  EXPECT_EQ(forged.find('\n'), forged.size() - 1);
}

TEST(LogFormat, ValidTextStaysAndOtherBytesAreReplaced) {
  const std::string valid =
      "\xc3\xa4 \xe2\x82\xac \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf";
  EXPECT_EQ(json_text(valid), '"' + valid + '"');
  const std::string bad = "\xef\xbf\xbd";
  for (const std::string_view one : {"\x80", "\xbf", "\xc2", "\xff", "\xfe"}) {
    EXPECT_EQ(json_text(one), '"' + bad + '"');
  }
  // Longer forms, surrogates, beyond U+10FFFF, and a character that ends early.
  for (const std::string_view two : {"\xc0\xaf", "\xc1\x8a", "\xe2\x82"}) {
    EXPECT_EQ(json_text(two), '"' + bad + bad + '"');
  }
  for (const std::string_view three : {"\xed\xa0\x80", "\xed\xbf\xbf", "\xe0\x9f\xbf", "\xf0\x9f\x92"}) {
    EXPECT_EQ(json_text(three), '"' + bad + bad + bad + '"');
  }
  for (const std::string_view four : {"\xf4\x90\x80\x80", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80"}) {
    EXPECT_EQ(json_text(four), '"' + bad + bad + bad + bad + '"');
  }
  EXPECT_EQ(json_text("\xe2\x82\"x"), '"' + bad + bad + R"(\"x")");
}

TEST(LogFormat, CutsAValueOnePastItsLimit) {
  const std::string at_limit(kValueBytesMax, 'x');
  EXPECT_NE(json_line_of(kMoment, Level::info, "said", {{"text", at_limit}}).find('"' + at_limit + "\"}}\n"),
            std::string::npos);
  const std::string line = json_line_of(kMoment, Level::info, "said", {{"text", at_limit + "x"}});
  EXPECT_NE(line.find("xxx... (1025 bytes)\"}}\n"), std::string::npos) << line;
}

TEST(LogFormat, TheLogHasTheFormThatIsSet) {
  EXPECT_EQ(format_named("json"), Format::json);
  EXPECT_EQ(format_named("text"), Format::text);
  EXPECT_EQ(format_named("JSON"), std::nullopt);
  EXPECT_EQ(format(), Format::text);
  set_format(Format::json);
  testing::internal::CaptureStderr();
  info("said", {{"bytes", 3}});
  const std::string line = testing::internal::GetCapturedStderr();
  set_format(Format::text);
  EXPECT_TRUE(line.starts_with("{\"ts\":\"")) << line;
  EXPECT_TRUE(line.ends_with(R"("level":"info","event":"said","fields":{"bytes":"3"}})"
                             "\n"))
      << line;
}

}  // namespace
}  // namespace fanfare::log
