#include "base/uri.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare {
namespace {

std::string split(std::string_view text) {
  const auto parts = split_uri(text);
  if (!parts) return "none";
  const auto in_brackets = [](std::string_view part) { return "[" + std::string(part) + "]"; };
  return in_brackets(parts->scheme) + (parts->has_user ? in_brackets(parts->user) + "@" : "") +
         in_brackets(parts->authority) + in_brackets(parts->path) +
         (parts->has_query ? "?" + in_brackets(parts->query) : "");
}

TEST(Uri, IsSplitWhereItIsSeparated_RFC3986_3) {
  EXPECT_EQ(split("https://example.com"), "[https][example.com][]");
  EXPECT_EQ(split("ws://a:b@[::1]:80/p/q?x=1#y"), "[ws][a:b]@[[::1]:80][/p/q]?[x=1#y]");
  EXPECT_EQ(split("ws://host?x/y"), "[ws][host][]?[x/y]");
  EXPECT_EQ(split("ws://host#f?x"), "[ws][host][]?[f?x]");
  EXPECT_EQ(split("ws://host/?"), "[ws][host][/]?[]");
}

TEST(Uri, AUserEndsAtTheLastAt) {
  EXPECT_EQ(split("ws://a@b:c@host/"), "[ws][a@b:c]@[host][/]");
  EXPECT_EQ(split("ws://@host/a@b"), "[ws][]@[host][/a@b]");
  EXPECT_EQ(split("ws://host/a@b"), "[ws][host][/a@b]");
}

TEST(Uri, PartsMayBeEmptyButTheScheme) {
  EXPECT_EQ(split("ws://"), "[ws][][]");
  EXPECT_EQ(split("ws:///path"), "[ws][][/path]");
  EXPECT_EQ(split("://host"), "none");
  EXPECT_EQ(split("host/path"), "none");
  EXPECT_EQ(split(""), "none");
  EXPECT_EQ(split("ws:/host"), "none");
}

TEST(Uri, AnOriginIsASchemeAndAnAuthority_RFC6454_6_2) {
  EXPECT_TRUE(split_origin_uri("https://example.com:8443"));
  for (const std::string_view other :
       {"null", "https://", "https:///", "https://a/", "https://a?", "https://a#", "https://@a", "://a"}) {
    EXPECT_FALSE(split_origin_uri(other)) << other;
  }
}

}  // namespace
}  // namespace fanfare
