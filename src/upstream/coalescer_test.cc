#include "upstream/coalescer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;

struct CoalescerTest : ::testing::Test {
  std::vector<std::string> answers;
  Instant now{1h};

  Coalescer::Waiter waiter(const std::string& who) {
    return [this, who](const Coalescer::SharedResult& result) {
      answers.push_back(who + ":" +
                        (*result ? (*result)->body : std::string(to_string(result->error().kind))));
    };
  }
};

TEST_F(CoalescerTest, OneCallServesAllWhoAskTheSame) {
  Coalescer coalescer;
  const auto ticket = coalescer.join("k", {}, now, waiter("a"));
  ASSERT_TRUE(ticket.has_value());
  EXPECT_FALSE(coalescer.join("k", {}, now, waiter("b")).has_value());
  const auto other = coalescer.join("other", {}, now, waiter("c"));
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(coalescer.calls_in_flight(), 2U);
  coalescer.finish(*ticket, Reply{.body = "1"});
  EXPECT_EQ(answers, (std::vector<std::string>{"a:1", "b:1"}));
  coalescer.finish(*other, Reply{.body = "2"});
  EXPECT_EQ(answers.back(), "c:2");
  EXPECT_EQ(coalescer.calls_in_flight(), 0U);
  EXPECT_EQ(coalescer.asked(), 3U);
  EXPECT_EQ(coalescer.shared(), 1U);
}

TEST_F(CoalescerTest, WhatIsOverIsNotShared) {
  Coalescer coalescer;
  coalescer.finish(*coalescer.join("k", {}, now, waiter("a")), Reply{.body = "1"});
  EXPECT_TRUE(coalescer.join("k", {}, now, waiter("b")).has_value());
}

TEST_F(CoalescerTest, AFailureIsEverybodys) {
  Coalescer coalescer;
  const auto ticket = coalescer.join("k", {}, now, waiter("a"));
  coalescer.join("k", {}, now, waiter("b"));
  coalescer.finish(*ticket, std::unexpected(Failure{.kind = FailureKind::timeout}));
  EXPECT_EQ(answers, (std::vector<std::string>{"a:timeout", "b:timeout"}));
}

TEST_F(CoalescerTest, NobodyGoesBackBehindABlockShown) {
  Coalescer coalescer;
  const auto old = coalescer.join("k", {.head_min = 10}, now, waiter("a"));
  const auto fresh = coalescer.join("k", {.head_min = 11}, now, waiter("b"));
  ASSERT_TRUE(fresh.has_value());
  EXPECT_FALSE(coalescer.join("k", {.head_min = 11}, now, waiter("c")).has_value());
  coalescer.finish(*old, Reply{.body = "ten"});
  EXPECT_EQ(answers, std::vector<std::string>{"a:ten"});
  coalescer.finish(*fresh, Reply{.body = "eleven"});
  EXPECT_EQ(answers, (std::vector<std::string>{"a:ten", "b:eleven", "c:eleven"}));
}

TEST_F(CoalescerTest, NobodyIsGivenAnAnswerAskedForBeforeItsOwnWrite) {
  Coalescer coalescer;
  const auto before = coalescer.join("k", {}, now, waiter("a"));
  now += 1ms;
  const Instant written = now;
  const auto after = coalescer.join("k", {.begun_after = written}, now, waiter("b"));
  ASSERT_TRUE(after.has_value());
  EXPECT_FALSE(coalescer.join("k", {.begun_after = written}, now, waiter("c")).has_value());
  coalescer.finish(*after, Reply{.body = "new"});
  EXPECT_EQ(answers, (std::vector<std::string>{"b:new", "c:new"}));
  coalescer.finish(*before, Reply{.body = "old"});
  EXPECT_EQ(answers.back(), "a:old");
}

TEST_F(CoalescerTest, AFullGroupIsFollowedByAnother) {
  Coalescer coalescer({.waiters_max = 2});
  EXPECT_TRUE(coalescer.join("k", {}, now, waiter("a")).has_value());
  EXPECT_FALSE(coalescer.join("k", {}, now, waiter("b")).has_value());
  EXPECT_TRUE(coalescer.join("k", {}, now, waiter("c")).has_value());
}

TEST_F(CoalescerTest, AWaiterMayAskAgain) {
  Coalescer coalescer;
  std::optional<Coalescer::Ticket> again;
  const auto ticket = coalescer.join("k", {}, now, [&](const Coalescer::SharedResult&) {
    again = coalescer.join("k", {}, now, waiter("a"));
  });
  coalescer.finish(*ticket, Reply{.body = "1"});
  ASSERT_TRUE(again.has_value());
  coalescer.finish(*again, Reply{.body = "2"});
  EXPECT_EQ(answers, std::vector<std::string>{"a:2"});
}

TEST(RequestKey, ForgetsSpaceBetweenTokensOnly) {
  EXPECT_EQ(request_key("m", R"([ "a b" , {"x" : 1} ])"), request_key("m", R"(["a b",{"x":1}])"));
  EXPECT_NE(request_key("m", R"(["a b"])"), request_key("m", R"(["ab"])"));
  EXPECT_EQ(request_key("m", R"(["a\" b" ])"), request_key("m", R"(["a\" b"])"));
  EXPECT_NE(request_key("m", R"(["a\" b"])"), request_key("m", R"(["a\"b"])"));
  EXPECT_NE(request_key("m", "[1]"), request_key("m2", "[1]"));
  EXPECT_EQ(request_key("m", ""), request_key("m", "null"));
  EXPECT_EQ(request_key("m", ""), request_key("m", "[ ]"));
  EXPECT_NE(request_key("m", "[[]]"), request_key("m", ""));
}

TEST(Coalescer, ACallThatWaitsForItsTurnIsSharedWithItsOwnClientOnly) {
  Coalescer coalescer;
  const auto need = [](std::string client, std::shared_ptr<QueueTime> queue_time) {
    return Coalescer::Need{.caller = {.client = std::move(client), .connection = 1},
                           .queue_time = std::move(queue_time)};
  };
  const auto ignore = [](const Coalescer::SharedResult&) {};
  const auto hogs = std::make_shared<QueueTime>();
  ASSERT_TRUE(coalescer.join("k", need("hog", hogs), Instant{}, ignore));
  EXPECT_FALSE(coalescer.join("k", need("other", nullptr), Instant{}, ignore)) << "it is at the node";
  hogs->begin();
  EXPECT_FALSE(coalescer.join("k", need("hog", nullptr), Instant{}, ignore));
  const auto others = std::make_shared<QueueTime>();
  EXPECT_TRUE(coalescer.join("k", need("other", others), Instant{}, ignore)) << "a turn of its own";
  EXPECT_FALSE(coalescer.join("k", need("third", nullptr), Instant{}, ignore)) << "with the one at the node";
  others->begin();
  EXPECT_TRUE(coalescer.join("k", need("fourth", nullptr), Instant{}, ignore));
  hogs->leave(Instant{});
  EXPECT_FALSE(coalescer.join("k", need("fifth", nullptr), Instant{}, ignore));
}

}  // namespace
}  // namespace fanfare::upstream
