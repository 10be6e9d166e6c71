#include "pubsub/backlog.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace fanfare::pubsub {
namespace {

SharedBytes frame(std::string_view text) {
  return SharedBytes(as_bytes(text));
}

// "2!c d": two missed before c, none before d.
std::string taken(Backlog& backlog) {
  std::string text;
  while (const auto next = backlog.take()) {
    if (!text.empty()) text += ' ';
    if (next->missed > 0) text += std::to_string(next->missed) + "!";
    text += as_text(next->frame.view());
  }
  return text;
}

TEST(Backlog, KeepsTheOrderUpToItsLimit) {
  Backlog backlog(3);
  for (const char* text : {"a", "b", "c"}) backlog.add(frame(text));
  EXPECT_EQ(backlog.size(), 3U);
  EXPECT_EQ(backlog.bytes(), 3U);
  EXPECT_EQ(taken(backlog), "a b c");
  EXPECT_TRUE(backlog.empty());
  EXPECT_EQ(backlog.bytes(), 0U);
}

TEST(Backlog, OnePastTheLimitDropsTheOldestAndSaysSo) {
  Backlog backlog(3);
  for (const char* text : {"a", "b", "c", "d"}) backlog.add(frame(text));
  EXPECT_EQ(taken(backlog), "1!b c d");
}

TEST(Backlog, ASecondRoundOfDroppingIsToldAgain) {
  Backlog backlog(2);
  for (const char* text : {"a", "b", "c"}) backlog.add(frame(text));
  EXPECT_EQ(backlog.take()->missed, 1U);
  for (const char* text : {"d", "e", "f"}) backlog.add(frame(text));
  EXPECT_EQ(taken(backlog), "2!e f");
}

TEST(Backlog, OfOneKeepsTheLatest) {
  Backlog backlog(1);
  for (const char* text : {"a", "bb", "ccc"}) backlog.add(frame(text));
  EXPECT_EQ(backlog.bytes(), 3U);
  EXPECT_EQ(taken(backlog), "2!ccc");
}

TEST(Backlog, ASmallerLimitDropsAtOnce) {
  Backlog backlog(4);
  for (const char* text : {"a", "b", "c", "d"}) backlog.add(frame(text));
  backlog.set_frames_max(1);
  EXPECT_EQ(taken(backlog), "3!d");
}

}  // namespace
}  // namespace fanfare::pubsub
