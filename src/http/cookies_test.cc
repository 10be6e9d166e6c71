#include "http/cookies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::http {
namespace {

// "name=value|name=value"
std::string read(const std::vector<HeaderField>& fields) {
  std::string text;
  for (const CookiePair& cookie : cookies_of(fields)) {
    if (!text.empty()) text += '|';
    text.append(cookie.name).append("=").append(cookie.value);
  }
  return text;
}
std::string read(std::string_view value) {
  return read(std::vector<HeaderField>{{.name = "Cookie", .value = value}});
}

TEST(Cookies, AreReadInTheOrderSent_RFC6265_4_2_1) {
  EXPECT_EQ(read("SID=31d4d96e407aad42; lang=en-US"), "SID=31d4d96e407aad42|lang=en-US");
  EXPECT_EQ(read("a=1;b=2"), "a=1|b=2");
  EXPECT_EQ(read("a=1; a=2"), "a=1|a=2");
  EXPECT_EQ(read(""), "");
}

TEST(Cookies, AValueMayHoldEqualsSignsAndItsQuotes_RFC6265_4_1_1) {
  EXPECT_EQ(read("token=YWJj=="), "token=YWJj==");
  EXPECT_EQ(read("theme=\"dark\""), "theme=\"dark\"");
  EXPECT_EQ(read("empty=; next=1"), "empty=|next=1");
}

TEST(Cookies, WhatIsNoPairIsLeftOut) {
  EXPECT_EQ(read("flag; a=1"), "a=1");
  EXPECT_EQ(read("=nameless; a=1"), "a=1");
  EXPECT_EQ(read(" ;; ;a=1; "), "a=1");
  EXPECT_EQ(read("\t a\t=\t1 \t; b = 2 "), "a=1|b=2");
}

TEST(Cookies, SeveralFieldsAreReadOneAfterTheOther_RFC9113_8_2_3) {
  EXPECT_EQ(read(std::vector<HeaderField>{{.name = "cookie", .value = "a=1"},
                                          {.name = "Cookies", .value = "x=1"},
                                          {.name = "COOKIE", .value = "b=2; c=3"}}),
            "a=1|b=2|c=3");
}

}  // namespace
}  // namespace fanfare::http
