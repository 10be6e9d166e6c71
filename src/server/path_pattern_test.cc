#include "server/path_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::server {
namespace {

// "room=a,id=7" for the values of the placeholders, "no" if the path does not match.
std::string matched(std::string_view pattern, std::string_view path) {
  const auto parsed = PathPattern::parse(pattern);
  if (!parsed) return parsed.error();
  const auto segments = http::path_segments(path);
  if (!segments) return "bad path";
  const auto values = parsed->match(*segments);
  if (!values) return "no";
  std::string text = "yes";
  for (const http::Parameter& value : values->parameters) text += " " + value.name + "=" + value.value;
  return text;
}

TEST(PathPattern, LiteralsFitExactly) {
  EXPECT_EQ(matched("/", "/"), "yes");
  EXPECT_EQ(matched("/", "/a"), "no");
  EXPECT_EQ(matched("/a/b", "/a/b"), "yes");
  EXPECT_EQ(matched("/a/b", "/a/b/"), "no");
  EXPECT_EQ(matched("/a/b", "/A/b"), "no");
  EXPECT_EQ(matched("/a/", "/a/"), "yes");
}

TEST(PathPattern, APlaceTakesOneDecodedSegment) {
  EXPECT_EQ(matched("/chat/{room}/{id}", "/chat/a%2Fb/7"), "yes room=a/b id=7");
  EXPECT_EQ(matched("/chat/{room}", "/chat/"), "no");
  EXPECT_EQ(matched("/chat/{room}", "/chat/a/b"), "no");
}

TEST(PathPattern, TheLastPlaceMayTakeTheRest) {
  EXPECT_EQ(matched("/files/{path...}", "/files/a/b%2Fc.js"), "yes path=a/b/c.js");
  EXPECT_EQ(matched("/files/{path...}", "/files"), "yes path=");
  EXPECT_EQ(matched("/files/{path...}", "/files/"), "yes path=");
  EXPECT_EQ(matched("/files/{path...}", "/file"), "no");
  EXPECT_EQ(matched("/{any...}", "/"), "yes any=");
  EXPECT_EQ(matched("/{a}/{any...}", "/"), "no");
  EXPECT_EQ(matched("/{a}/{any...}", "/x/y/z"), "yes a=x any=y/z");

  const auto pattern = PathPattern::parse("/files/{path...}");
  const auto segments = http::path_segments("/files/a/b%2Fc.js");
  const auto match = pattern->match(*segments);
  ASSERT_EQ(match->rest.size(), 2U);
  EXPECT_EQ(match->rest[1], "b/c.js");  // one segment, not a path
}

TEST(PathPattern, SaysWhatIsWrong) {
  EXPECT_EQ(matched("/{a...}/b", "/"), "path '/{a...}/b': a {name...} is the last segment");
  EXPECT_EQ(matched("/{...}", "/"), "path '/{...}': a {name} has a name");
  EXPECT_EQ(matched("/{a}/{a...}", "/"), "path '/{a}/{a...}': two places have the same name");
  EXPECT_EQ(matched("chat", "/"), "path 'chat': it has to begin with '/'");
  EXPECT_EQ(matched("/a{b}", "/"), "path '/a{b}': a {name} is a whole segment");
  EXPECT_EQ(matched("/{}", "/"), "path '/{}': a {name} has a name");
  EXPECT_EQ(matched("/{a}/{a}", "/"), "path '/{a}/{a}': two places have the same name");
}

}  // namespace
}  // namespace fanfare::server
