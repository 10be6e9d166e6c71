#include "rpc/outgoing_text.h"

#include <gtest/gtest.h>

#include "fanfare/json.h"

namespace fanfare::rpc {
namespace {

constexpr std::string_view kReplaced = "\xef\xbf\xbd";

TEST(OutgoingText, EveryByteWithoutACharacterIsReplaced) {
  const std::string other(kReplaced);
  EXPECT_EQ(to_utf8(""), "");
  EXPECT_EQ(to_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(to_utf8("a\xff"
                    "b"),
            "a" + other + "b");
  EXPECT_EQ(to_utf8("\xc3"), other);                                             // cut off
  EXPECT_EQ(to_utf8("\xc3\xc3\xa4"), other + "\xc3\xa4");                        // the next character is kept
  EXPECT_EQ(to_utf8("\xed\xa0\x80"), other + other + other);                     // a surrogate
  EXPECT_EQ(to_utf8("\xf4\x90\x80\x80x"), other + other + other + other + "x");  // past U+10FFFF
  EXPECT_EQ(to_json(std::string("\xff\"")), "\"" + other + "\\\"\"");
}

TEST(OutgoingText, OnlyOneJsonValueInUtf8IsSent) {
  for (const char* const fine : {"1", " null ", R"({"a":[1,"\u00e4"]})", "\"\xc3\xa4\""})
    EXPECT_TRUE(is_sendable(fine)) << fine;
  for (const char* const wrong : {"", "{bad", R"(1},{"id":2)", "1 2", "\"\xff\"", "nan"})
    EXPECT_FALSE(is_sendable(wrong)) << wrong;
  EXPECT_TRUE(is_sendable(std::string(128, '[') + std::string(128, ']')));
  EXPECT_FALSE(is_sendable(std::string(129, '[') + std::string(129, ']')));
}

}  // namespace
}  // namespace fanfare::rpc
