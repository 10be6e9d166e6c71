// What a subscriber that reads too slowly gets, by its policy: all, or an exact account.

#include "pubsub/pace.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::pubsub {
namespace {

// A topic without positions, and one subscriber of it.
class Slow final {
 public:
  class Reader final : public PacedSubscriber {
   public:
    bool is_open() const override { return open; }
    bool is_congested() const override { return congested; }
    bool send(const SharedBytes& frame) override {
      add(std::string(as_text(frame.view())));
      return true;
    }
    bool has_room_behind(std::size_t bytes) override { return open = bytes < room; }
    void on_ready() override { ready = true; }
    std::string_view topic_name() const override { return "t"; }
    void on_missed(const Missed& missed) override { add(std::to_string(missed.count()) + "!"); }
    void add(const std::string& what) { got += (got.empty() || got.ends_with('!') ? "" : " ") + what; }

    bool open = true;
    bool congested = false;
    bool ready = false;
    std::size_t room = SIZE_MAX;
    std::string got;
  };

  void publish(std::string_view events) {
    for (const char event : events) {
      log.append(SharedBytes(as_bytes(std::string_view(&event, 1))));
      taken += reader.deliver(log.newest()->frame) ? 1 : 0;
      log.settle();
    }
  }
  // To all of the topic but this one.
  void publish_to_others(std::string_view event) {
    log.append(SharedBytes(as_bytes(event)));
    reader.skip_newest();
    log.settle();
  }
  // Sends on what waits. "2!c d": two missed before c, none before d.
  std::string drained() {
    reader.congested = false;
    while (const auto next = reader.take()) {
      if (next->missed) reader.on_missed(*next->missed);
      if (!next->frame.empty()) reader.send(next->frame);
    }
    return std::exchange(reader.got, "");
  }

  EventLog log;
  WaitingList list;
  Reader reader;
  int taken = 0;
};

TopicPolicy oldest(std::size_t most) {
  return {.when_full = WhenFull::drop_oldest, .waiting_max = most};
}

TEST(Pace, NothingWaitsWhileThereIsRoom) {
  Slow slow;
  slow.reader.set_policy(oldest(3), slow.list, slow.log);
  slow.publish("abcdef");
  EXPECT_EQ(slow.reader.got, "a b c d e f");
  EXPECT_TRUE(slow.list.order.empty());
}

TEST(Pace, KeepsTheOrderUpToItsLimit) {
  Slow slow;
  slow.reader.set_policy(oldest(3), slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("abc");
  EXPECT_EQ(slow.reader.got, "");
  EXPECT_EQ(slow.list.order.size(), 1U);
  EXPECT_EQ(slow.drained(), "a b c");
  EXPECT_TRUE(slow.list.order.empty());
  EXPECT_FALSE(slow.log.newest());  // nobody needs them
}

TEST(Pace, OnePastTheLimitDropsTheOldestAndSaysSo) {
  Slow slow;
  slow.reader.set_policy(oldest(3), slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("abcd");
  EXPECT_EQ(slow.drained(), "1!b c d");
}

TEST(Pace, ASecondRoundOfDroppingIsToldAgain) {
  Slow slow;
  slow.reader.set_policy(oldest(2), slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("abc");
  EXPECT_EQ(slow.reader.take()->missed->count(), 1U);
  slow.publish("def");
  EXPECT_EQ(slow.drained(), "2!e f");
}

TEST(Pace, KeepLatestKeepsTheLatest) {
  Slow slow;
  slow.reader.set_policy({.when_full = WhenFull::keep_latest}, slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("abc");
  EXPECT_EQ(slow.drained(), "2!c");
  slow.reader.congested = true;
  slow.publish("d");
  EXPECT_EQ(slow.drained(), "d");
}

TEST(Pace, ASmallerLimitDropsAtOnce) {
  Slow slow;
  slow.reader.set_policy(oldest(4), slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("abcd");
  slow.reader.set_policy(oldest(1), slow.list, slow.log);
  EXPECT_EQ(slow.drained(), "3!d");
}

TEST(Pace, CloseSendsWithoutWaiting) {
  Slow slow;
  slow.reader.congested = true;
  slow.publish("ab");
  EXPECT_EQ(slow.reader.got, "a b");
  EXPECT_TRUE(slow.reader.is_plain());
}

TEST(Pace, BackAtCloseNothingMoreIsDroppedAndTheBytesCount) {
  Slow slow;
  slow.reader.set_policy(oldest(2), slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("abc");
  slow.reader.set_close_policy();
  EXPECT_EQ(slow.list.whole_bytes, 2U);
  slow.publish("def");
  EXPECT_EQ(slow.list.whole_bytes, 5U);
  EXPECT_EQ(slow.drained(), "1!b c d e f");
  EXPECT_EQ(slow.list.whole_bytes, 0U);
  slow.publish("g");
  EXPECT_TRUE(slow.reader.is_plain());
  EXPECT_EQ(slow.reader.got, "g");
}

TEST(Pace, BackAtCloseAsMuchAsThereIsRoomForAndOneMoreEndsIt) {
  Slow slow;
  slow.reader.room = 4;  // what waits already is what counts
  slow.reader.set_policy(oldest(9), slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("ab");
  slow.reader.set_close_policy();
  slow.publish("cd");
  EXPECT_TRUE(slow.reader.open);
  slow.publish("e");
  EXPECT_FALSE(slow.reader.open);
  EXPECT_EQ(slow.taken, 4);
}

TEST(Pace, FromCloseToAnotherPolicyDropsAgain) {
  Slow slow;
  slow.reader.set_policy(oldest(9), slow.list, slow.log);
  slow.reader.congested = true;
  slow.publish("abcd");
  slow.reader.set_close_policy();
  slow.reader.set_policy(oldest(2), slow.list, slow.log);
  EXPECT_EQ(slow.list.whole_bytes, 0U);
  slow.publish("e");
  EXPECT_EQ(slow.drained(), "3!d e");
}

TEST(Pace, AClosedOneTakesNothing) {
  Slow slow;
  slow.reader.open = false;
  slow.publish("a");
  slow.reader.set_policy(oldest(9), slow.list, slow.log);
  slow.publish("b");
  EXPECT_EQ(slow.taken, 0);
}

TEST(Pace, OneThatGoesWhileItWaitsLeavesNothingBehind) {
  Slow slow;
  {
    Slow::Reader other;
    other.congested = true;
    other.set_policy(oldest(9), slow.list, slow.log);
    for (int i = 0; i < 3; ++i) {
      slow.log.append(SharedBytes(as_bytes(std::string_view("x"))));
      other.deliver(slow.log.newest()->frame);
      slow.log.settle();
    }
    other.set_close_policy();
    EXPECT_EQ(slow.list.whole_bytes, 3U);
  }
  EXPECT_EQ(slow.list.whole_bytes, 0U);
  EXPECT_TRUE(slow.list.order.empty());
  slow.log.settle();
  EXPECT_FALSE(slow.log.newest());
}

TEST(Pace, WhatIsForOthersIsNeitherSentNorMissed) {
  Slow topic;
  topic.reader.set_policy(oldest(4), topic.list, topic.log);
  topic.publish_to_others("x");  // nothing waits: nothing to skip
  topic.reader.congested = true;
  topic.publish("a");
  topic.publish_to_others("x");
  topic.publish("b");
  topic.publish_to_others("x");
  EXPECT_EQ(topic.drained(), "a b");
  EXPECT_FALSE(topic.reader.is_behind());

  // Dropped with the rest, it is not among those that are missed.
  topic.reader.set_policy(oldest(2), topic.list, topic.log);
  topic.reader.congested = true;
  topic.publish("a");
  topic.publish_to_others("x");
  topic.publish("bc");
  EXPECT_EQ(topic.drained(), "1!b c");
  topic.reader.congested = true;
  topic.publish("a");
  topic.publish_to_others("x");
  topic.publish_to_others("x");
  topic.publish_to_others("x");
  EXPECT_EQ(topic.drained(), "1!");
}

TEST(Pace, WhatIsForOthersCostsAWholeReaderNothing) {
  Slow topic;
  topic.reader.set_policy(oldest(4), topic.list, topic.log);
  topic.reader.congested = true;
  topic.publish("a");
  topic.publish_to_others("x");
  topic.reader.set_close_policy();
  EXPECT_EQ(topic.list.whole_bytes, 1U);
  topic.publish("b");
  topic.publish_to_others("x");
  EXPECT_EQ(topic.list.whole_bytes, 2U);
  EXPECT_EQ(topic.drained(), "a b");
  EXPECT_EQ(topic.list.whole_bytes, 0U);
}

}  // namespace
}  // namespace fanfare::pubsub
