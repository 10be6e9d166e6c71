#include "http/headers.h"

#include <gtest/gtest.h>

#include <array>

namespace fanfare::http {
namespace {

TEST(Headers, NamesAreComparedWithoutCase_RFC9110_5_1) {
  const std::array<HeaderField, 3> fields{{{"Host", "a"}, {"X-Key", "1"}, {"x-key", "2"}}};
  EXPECT_EQ(find_header(fields, "HOST"), "a");
  EXPECT_EQ(find_header(fields, "x-KEY"), "1");
  EXPECT_FALSE(find_header(fields, "X-Ke"));
  EXPECT_EQ(count_headers(fields, "X-key"), 2U);
  EXPECT_EQ(count_headers({}, "X-key"), 0U);
}

TEST(Headers, TokensAreWholeElementsOfAllFields_RFC9110_5_6_1) {
  const std::array<HeaderField, 3> fields{
      {{"Connection", "keep-alive,\t Upgrade "}, {"Other", "secret"}, {"connection", ",x-last"}}};
  EXPECT_TRUE(header_has_token(fields, "Connection", "upgrade"));
  EXPECT_TRUE(header_has_token(fields, "Connection", "Keep-Alive"));
  EXPECT_TRUE(header_has_token(fields, "Connection", "x-last"));
  EXPECT_FALSE(header_has_token(fields, "Connection", "keep"));
  EXPECT_FALSE(header_has_token(fields, "Connection", "secret"));
  EXPECT_FALSE(header_has_token({}, "Connection", "upgrade"));
}

}  // namespace
}  // namespace fanfare::http
