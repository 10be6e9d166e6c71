#include "jsonrpc/surrogates.h"

#include <gtest/gtest.h>

#include "jsonrpc/value.h"

namespace fanfare::jsonrpc {
namespace {

std::string replaced(std::string text) {
  const bool any = replace_lone_surrogates(text);
  return (any ? "yes " : "no ") + text;
}

TEST(LoneSurrogates, AreReplacedAndPairsAreKept_RFC8259_8_2) {
  EXPECT_EQ(replaced(R"("\ud800")"), R"(yes "\ufffd")");
  EXPECT_EQ(replaced(R"("\uDFFFx\uD83d")"), R"(yes "\ufffdx\ufffd")");
  EXPECT_EQ(replaced(R"("\ud83d\ude00")"), R"(no "\ud83d\ude00")");
  EXPECT_EQ(replaced(R"("\ud800\ud83d\ude00\ude00")"), R"(yes "\ufffd\ud83d\ude00\ufffd")");
  EXPECT_EQ(replaced(R"("\ud800\n")"), R"(yes "\ufffd\n")");
  EXPECT_EQ(replaced(R"("\ud7ff\ue000")"), R"(no "\ud7ff\ue000")") << "the neighbours of the surrogates";
}

TEST(LoneSurrogates, AnEscapedBackslashBeginsNoEscape) {
  EXPECT_EQ(replaced(R"("\\ud800")"), R"(no "\\ud800")");
  EXPECT_EQ(replaced(R"("\\\ud800")"), R"(yes "\\\ufffd")");
}

TEST(LoneSurrogates, AnyTextIsHarmless) {
  for (const std::string text : {"", "\\", "\\u", "\\ud80", "\\ud8g0", "x\\"})
    EXPECT_EQ(replaced(text), "no " + text);
  EXPECT_EQ(replaced("\\ud800"), "yes \\ufffd");
  EXPECT_EQ(replaced("\\ud800\\udc0"), "yes \\ufffd\\udc0");
}

TEST(LoneSurrogates, WhatComesOutIsValid) {
  std::string text = R"({"a":["\udead\ud800\udbff\udc00\udc00"]})";
  EXPECT_FALSE(is_valid_json(text));
  EXPECT_TRUE(replace_lone_surrogates(text));
  EXPECT_TRUE(is_valid_json(text));
}

}  // namespace
}  // namespace fanfare::jsonrpc
