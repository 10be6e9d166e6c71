#include "http/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace fanfare::http {
namespace {

using ::testing::ElementsAre;

// The value of the first parameter with that name; "-" if there is none.
std::string value_of(std::string_view query, std::string_view name) {
  for (const Parameter& parameter : query_parameters(query)) {
    if (parameter.name == name) return parameter.value;
  }
  return "-";
}

TEST(Target, PathsAreSplitThenDecoded) {
  EXPECT_THAT(*path_segments("/"), ElementsAre());
  EXPECT_THAT(*path_segments(""), ElementsAre());
  EXPECT_THAT(*path_segments("/main/evm/1"), ElementsAre("main", "evm", "1"));
  EXPECT_THAT(*path_segments("/a/"), ElementsAre("a", ""));
  EXPECT_THAT(*path_segments("//"), ElementsAre("", ""));
  EXPECT_THAT(*path_segments("/a%20b/c%2Fd/%c3%A9"), ElementsAre("a b", "c/d", "\xC3\xA9"));
  EXPECT_THAT(*path_segments("/a+b/.."), ElementsAre("a+b", ".."));
}

TEST(Target, Parameters) {
  constexpr std::string_view kQuery = "key=a%3Db&empty=&bare&&two=1+2&key=again&x=y=z";
  EXPECT_EQ(query_parameters(kQuery).size(), 6U);
  EXPECT_EQ(value_of(kQuery, "key"), "a=b");
  EXPECT_EQ(value_of(kQuery, "empty"), "");
  EXPECT_EQ(value_of(kQuery, "bare"), "");
  EXPECT_EQ(value_of(kQuery, "two"), "1 2");
  EXPECT_EQ(value_of(kQuery, "x"), "y=z");
  EXPECT_EQ(value_of(kQuery, "missing"), "-");
  EXPECT_TRUE(query_parameters("").empty());
  EXPECT_EQ(value_of("=v", ""), "v");
}

TEST(Target, MalformedEscapesOfAPathAreRefused_RFC3986_2_1) {
  for (const std::string_view bad : {"%", "%1", "%g1", "%1g", "a%", "%00", "%%41"}) {
    EXPECT_FALSE(path_segments("/" + std::string(bad))) << bad;
    EXPECT_FALSE(path_segments("/" + std::string(bad) + "/good")) << bad;
  }
}

// Browsers and ws send "?q=100%" as typed.
TEST(Target, MalformedEscapesOfAQueryStandForThemselves) {
  for (const std::string_view odd : {"%", "%1", "%g1", "%1g", "100%", "%00", "%%"}) {
    EXPECT_EQ(value_of("a=" + std::string(odd), "a"), odd);
    EXPECT_EQ(value_of(std::string(odd) + "=v", odd), "v");
  }
  EXPECT_EQ(value_of("a=%%41", "a"), "%A");
  EXPECT_EQ(value_of("a=100%+more%21", "a"), "100% more!");
}

TEST(Target, BytesOfAPath_RFC3986_3_3) {
  EXPECT_TRUE(is_path_text("/azAZ09-._~!$&'()*+,;=:@%41"));
  EXPECT_TRUE(is_path_text("/[a]"));  // browsers do not escape them
  for (const std::string_view bad : {"\"", "<", ">", "\\", "^", "`", "{", "|", "}", "?", "#", " ", "\x01",
                                     "\x7F", "\x80", "\xC3\xA9", "\xFF"}) {
    EXPECT_FALSE(is_path_text("/a" + std::string(bad))) << bad;
  }
  EXPECT_FALSE(is_path_text(std::string_view("/\0", 2)));
}

TEST(Target, BytesOfAQuery_RFC3986_3_4) {
  EXPECT_TRUE(is_query_text("azAZ09-._~!$&'()*+,;=:@%41/?"));
  EXPECT_TRUE(is_query_text("[]\\^`{|}"));  // browsers do not escape them
  for (const std::string_view bad : {"\"", "<", ">", "#", " ", "\x01", "\x7F", "\x80", "\xC3\xA9", "\xFF"}) {
    EXPECT_FALSE(is_query_text("a" + std::string(bad))) << bad;
  }
}

TEST(Target, EscapingLeavesNothingThatIsRefused) {
  EXPECT_EQ(escaped_target("/a%20b?c=d&e"), "/a%20b?c=d&e");
  EXPECT_EQ(escaped_target("/a|b^\xC3\xA9?q={|}\xC3\xA9\"?"), "/a%7Cb%5E%C3%A9?q={|}%C3%A9%22?");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string odd(1, static_cast<char>(byte));
    if (odd != "?") EXPECT_TRUE(is_path_text(escaped_target("/" + odd))) << byte;
    EXPECT_TRUE(is_query_text(escaped_target("/?" + odd).substr(2))) << byte;
  }
}

}  // namespace
}  // namespace fanfare::http
