#include "relay/outgoing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fanfare::relay {
namespace {

using std::chrono::seconds;
using Numbers = std::vector<std::uint64_t>;

const Instant kBegin{std::chrono::hours(1)};
constexpr Duration kAgain = seconds(5);

OutgoingEvent event_of(std::string topic, Instant accepted = kBegin) {
  OutgoingEvent made;
  made.topic = std::move(topic);
  made.accepted = accepted;
  return made;
}

class OutgoingTest : public testing::Test {
 public:
  // What is sent now; `failing`: those that do not get there.
  Numbers send(Instant now, const Numbers& failing = {}) {
    Numbers sent;
    outgoing.send_unsent(now, kAgain, [&](std::uint64_t number, OutgoingEvent& event) {
      if (std::ranges::find(failing, number) != failing.end()) return false;
      event.sent = now;
      sent.push_back(number);
      return true;
    });
    return sent;
  }
  std::uint64_t add(const std::string& topic) { return outgoing.add(event_of(topic)); }

  Outgoing outgoing{seconds(30)};
};

TEST_F(OutgoingTest, OneOfATopicIsSentUntilTheBrokerAnswers) {
  add("a");
  add("a");
  add("b");
  add("a");
  EXPECT_EQ(send(kBegin), (Numbers{1, 3}));
  EXPECT_EQ(send(kBegin), Numbers{});
  EXPECT_FALSE(outgoing.may_send_at_once("a"));
  outgoing.take(1);
  EXPECT_TRUE(outgoing.prove("a"));
  EXPECT_FALSE(outgoing.prove("a"));
  EXPECT_EQ(send(kBegin), (Numbers{2, 4}));
  EXPECT_TRUE(outgoing.may_send_at_once("a"));
  EXPECT_FALSE(outgoing.may_send_at_once("b"));
}

TEST_F(OutgoingTest, WhatFollowsOneThatIsNotSentWaitsInItsTopicAlone) {
  outgoing.prove("a");
  outgoing.prove("b");
  for (const char* topic : {"a", "a", "b"}) add(topic);
  EXPECT_EQ(send(kBegin, {1}), Numbers{3});
  EXPECT_FALSE(outgoing.may_send_at_once("a"));
  EXPECT_TRUE(outgoing.may_send_at_once("b"));
  EXPECT_EQ(send(kBegin), (Numbers{1, 2}));
  EXPECT_TRUE(outgoing.may_send_at_once("a"));
}

TEST_F(OutgoingTest, AnotherConnectionBeginsAgainInOrder) {
  outgoing.prove("a");
  for (int i = 0; i < 3; ++i) add("a");
  EXPECT_EQ(send(kBegin), (Numbers{1, 2, 3}));
  outgoing.forget_sent();
  EXPECT_EQ(send(kBegin), Numbers{1});
  outgoing.prove("a");
  EXPECT_EQ(send(kBegin), (Numbers{2, 3}));
}

TEST_F(OutgoingTest, OneThatFoundNoStreamIsSentAgainBeforeTheNext) {
  outgoing.prove("a");
  add("a");
  EXPECT_EQ(send(kBegin), Numbers{1});
  outgoing.disturb(*outgoing.find(1));
  add("a");
  EXPECT_FALSE(outgoing.may_send_at_once("a"));
  EXPECT_EQ(send(kBegin), Numbers{1});
}

TEST_F(OutgoingTest, OneWithoutAnAnswerIsSentAgainAndGivenUpInTheEnd) {
  outgoing.prove("a");
  add("a");
  EXPECT_EQ(send(kBegin), Numbers{1});
  EXPECT_EQ(send(kBegin + kAgain), Numbers{});
  EXPECT_EQ(send(kBegin + kAgain + std::chrono::milliseconds(1)), Numbers{1});
  EXPECT_FALSE(outgoing.take_expired(kBegin + seconds(30) - std::chrono::milliseconds(1)));
  EXPECT_TRUE(outgoing.take_expired(kBegin + seconds(30)));
  EXPECT_EQ(outgoing.size(), 0U);
}

}  // namespace
}  // namespace fanfare::relay
