#include "base/header_text.h"

#include <gtest/gtest.h>

namespace fanfare {
namespace {

TEST(HeaderText, NamesAreComparedWithoutCase_RFC9110_5_1) {
  EXPECT_TRUE(equals_ignoring_case("X-Key", "x-kEY"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("X-Key", "X-Ke"));
  // '@' and '`', '[' and '{' differ in the same bit as letters do.
  EXPECT_FALSE(equals_ignoring_case("@[", "`{"));
  EXPECT_FALSE(equals_ignoring_case("\xC3\x84", "\xC3\xA4"));
}

TEST(HeaderText, EveryByteCounts) {
  for (std::size_t size = 1; size <= 70; ++size) {
    const std::string lower(size, 'k');
    const std::string upper(size, 'K');
    EXPECT_TRUE(equals_ignoring_case(lower, upper));
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = upper;
      other[at] = 'J';
      EXPECT_FALSE(equals_ignoring_case(lower, other)) << size << " " << at;
      EXPECT_TRUE(is_header_value(other));
      for (const char bad : {'\x1F', '\x7F', '\0', '\n'}) {
        other[at] = bad;
        EXPECT_FALSE(is_header_value(other)) << size << " " << at;
      }
      for (const char good : {' ', '\t', '\x80', '\xFF'}) {
        other[at] = good;
        EXPECT_TRUE(is_header_value(other)) << size << " " << at;
      }
    }
  }
}

TEST(HeaderText, TokensAndValues_RFC9110_5) {
  EXPECT_TRUE(is_token("X-Key_1!#$%&'*+.^`|~"));
  for (const std::string_view bad : {"", "a b", "a:", "a(", "a\"", "a\x7F", "\xC3\xA9", "a/b", "a,b"}) {
    EXPECT_FALSE(is_token(bad)) << bad;
  }
  EXPECT_TRUE(is_header_value("any\ttext \xC3\xA9 \"quoted\""));
  EXPECT_TRUE(is_header_value(""));
  for (const std::string_view bad : {"a\r", "a\n", "\x01", "\x7F"}) EXPECT_FALSE(is_header_value(bad));
  EXPECT_EQ(trim_space(" \t a b\t"), "a b");
  EXPECT_EQ(trim_space(" \t"), "");
}

}  // namespace
}  // namespace fanfare
