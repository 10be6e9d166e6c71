#include "http/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fanfare::http {
namespace {

using ::testing::ElementsAre;

TEST(Target, PathsAreSplitThenDecoded) {
  EXPECT_THAT(parse_target("/", "")->segments, ElementsAre());
  EXPECT_THAT(parse_target("", "")->segments, ElementsAre());
  EXPECT_THAT(parse_target("/main/evm/1", "")->segments, ElementsAre("main", "evm", "1"));
  EXPECT_THAT(parse_target("/a/", "")->segments, ElementsAre("a", ""));
  EXPECT_THAT(parse_target("//", "")->segments, ElementsAre("", ""));
  EXPECT_THAT(parse_target("/a%20b/c%2Fd/%c3%A9", "")->segments, ElementsAre("a b", "c/d", "\xC3\xA9"));
  EXPECT_THAT(parse_target("/a+b/..", "")->segments, ElementsAre("a+b", ".."));
}

TEST(Target, Parameters) {
  const auto target = parse_target("/", "key=a%3Db&empty=&bare&&two=1+2&key=again&x=y=z");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->parameters.size(), 6U);
  EXPECT_EQ(target->parameter("key"), "a=b");
  EXPECT_EQ(target->parameter("empty"), "");
  EXPECT_EQ(target->parameter("bare"), "");
  EXPECT_EQ(target->parameter("two"), "1 2");
  EXPECT_EQ(target->parameter("x"), "y=z");
  EXPECT_FALSE(target->parameter("missing"));
}

TEST(Target, MalformedEscapesAreRefused_RFC3986_2_1) {
  for (const std::string_view bad : {"%", "%1", "%g1", "%1g", "a%", "%00", "%%41"}) {
    EXPECT_FALSE(parse_target("/" + std::string(bad), "")) << bad;
    EXPECT_FALSE(parse_target("/", "a=" + std::string(bad))) << bad;
    EXPECT_FALSE(parse_target("/", std::string(bad) + "=a")) << bad;
  }
}

}  // namespace
}  // namespace fanfare::http
