// What a slow subscriber receives, depending on its topic's policy: all messages, or exact counts of dropped
// ones.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;

constexpr int kMessages = 300;
constexpr std::size_t kMessageBytes = 64 * 1024;

std::string numbered(int number) {
  std::string text = std::to_string(number) + " ";
  text.resize(kMessageBytes, '.');
  return text;
}

// A server whose sessions subscribe with this policy, and a client that reads nothing until all is published.
class SlowSubscriber {
 public:
  explicit SlowSubscriber(TopicPolicy policy)
      : server({.port = 0,
                .threads = 1,
                .limits = {.outbox_bytes_max = 1 << 20, .outbox_bytes_high = 128 * 1024}}) {
    server.websocket("/", {.open =
                               [policy](Session& session) {
                                 session.subscribe("ticks", policy);
                                 session.send("ready");
                               },
                           .lagged =
                               [](Session& session, std::string_view topic, std::uint64_t missed) {
                                 session.send("missed " + std::string(topic) + " " + std::to_string(missed));
                               }});
    const auto started = server.start();
    EXPECT_TRUE(started);
    client = std::make_unique<RawClient>(server.port(), 16 * 1024);
    client->upgrade("/");
    EXPECT_EQ(client->receive(), "ready");
    for (int i = 0; i < kMessages; ++i) server.publish("ticks", numbered(i));
  }

  Server server;
  std::unique_ptr<RawClient> client;
};

// Reads to the last message. Each missing number must have been reported right before the next received one.
void expect_exact_account(RawClient& client, bool some_missed) {
  int expected = 0;
  int missed = 0;
  while (expected < kMessages) {
    const std::string text = client.receive();
    if (text.starts_with("missed ticks ")) {
      missed += std::stoi(text.substr(13));
      expected += std::stoi(text.substr(13));
      continue;
    }
    ASSERT_EQ(text.size(), kMessageBytes) << text;
    ASSERT_EQ(std::stoi(text), expected);
    ++expected;
  }
  EXPECT_EQ(missed > 0, some_missed) << missed;
}

TEST(TopicPolicy, DropOldestTellsHowManyWereDropped) {
  SlowSubscriber slow({.when_full = WhenFull::drop_oldest, .waiting_max = 5});
  expect_exact_account(*slow.client, true);
}

TEST(TopicPolicy, DropOldestDropsNothingThatFits) {
  SlowSubscriber slow({.when_full = WhenFull::drop_oldest, .waiting_max = kMessages});
  expect_exact_account(*slow.client, false);
}

TEST(TopicPolicy, KeepLatestEndsWithTheLast) {
  SlowSubscriber slow({.when_full = WhenFull::keep_latest});
  expect_exact_account(*slow.client, true);
}

TEST(TopicPolicy, CloseEndsTheSessionWith1013) {
  SlowSubscriber slow({});
  std::string last;
  int next = 0;
  while (true) {
    last = slow.client->receive();
    if (last.size() != kMessageBytes) break;
    ASSERT_EQ(std::stoi(last), next++);  // the received messages are complete and in order
  }
  EXPECT_EQ(last, "close 1013 reading too slowly");
  EXPECT_LT(next, kMessages);
}

TEST(TopicPolicy, TheLaggedHandlerMayLeaveTheTopic) {
  Server server(
      {.port = 0, .threads = 1, .limits = {.outbox_bytes_max = 1 << 20, .outbox_bytes_high = 128 * 1024}});
  server.websocket("/", {.open =
                             [](Session& session) {
                               session.subscribe("other", {.when_full = WhenFull::keep_latest});
                               session.subscribe("ticks", {.when_full = WhenFull::keep_latest});
                               session.send("ready");
                             },
                         .drain = [](Session& session) { session.send("drained"); },
                         .lagged =
                             [](Session& session, std::string_view topic, std::uint64_t) {
                               session.unsubscribe("other");
                               session.unsubscribe(topic);
                               session.send("left");
                             }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port(), 16 * 1024);
  client.upgrade("/");
  EXPECT_EQ(client.receive(), "ready");
  for (int i = 0; i < kMessages; ++i) server.publish("ticks", numbered(i));
  while (client.receive() != "left") {
  }
  EXPECT_EQ(client.receive().size(), kMessageBytes);  // queued before it unsubscribed
  EXPECT_EQ(client.receive(), "drained");
}

TEST(TopicPolicy, BackAtCloseNothingIsDroppedOnceWhatWaitedIsSent) {
  constexpr std::size_t kFiller = std::size_t{1} << 20;
  int drains = 0;  // must outlive the handlers
  Server server({.port = 0, .threads = 1, .limits = {.outbox_bytes_max = std::size_t{64} << 20}});
  const auto congest = [](Session& session) {
    while (session.send(std::string(kFiller, 'f')) != SendResult::congested) {
    }
  };
  server.websocket("/", {.message =
                             [&](Session& session, const Message&) {
                               session.subscribe("t", {.when_full = WhenFull::keep_latest});
                               congest(session);
                               server.publish("t", "waits");
                               session.subscribe("t");
                             },
                         .drain =
                             [&](Session& session) {
                               if (++drains > 1) return;
                               congest(session);
                               server.publish("t", "one");
                               server.publish("t", "two");
                               session.send("end");
                             },
                         .lagged = [](Session&, std::string_view,
                                      std::uint64_t) { ADD_FAILURE() << "something was dropped"; }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  std::string got;
  for (std::string next = client.receive(); next != "end"; next = client.receive()) {
    if (next.front() != 'f') got += next + " ";
  }
  EXPECT_EQ(got, "waits one two ");
}

// Frames wait under drop_oldest. Messages published after the change back to close are not dropped.
class BackAtClose {
 public:
  BackAtClose(int messages, std::size_t message_bytes)
      : server_({.port = 0, .threads = 1, .limits = {.outbox_bytes_max = std::size_t{16} << 20}}) {
    server_.websocket("/", {.open =
                                [](Session& session) {
                                  session.subscribe("t",
                                                    {.when_full = WhenFull::drop_oldest, .waiting_max = 3});
                                },
                            .message =
                                [this, messages, message_bytes](Session& session, const Message&) {
                                  session.send(std::string(std::size_t{12} << 20, 'f'));
                                  server_.publish("t", "a1");
                                  server_.publish("t", "a2");
                                  session.subscribe("t");
                                  for (int i = 0; i < messages; ++i) {
                                    std::string text = std::to_string(i);
                                    text.resize(std::max(message_bytes, text.size()), '.');
                                    server_.publish("t", text);
                                  }
                                  ended_at_once = !session.is_open();
                                },
                            .lagged = [](Session&, std::string_view,
                                         std::uint64_t) { ADD_FAILURE() << "something was dropped"; }});
    EXPECT_TRUE(server_.start());
    client = std::make_unique<RawClient>(server_.port());
    client->upgrade("/");
    client->send("go");
    EXPECT_EQ(client->receive().front(), 'f');
  }

  std::atomic<bool> ended_at_once = false;

 private:
  Server server_;

 public:
  std::unique_ptr<RawClient> client;
};

TEST(TopicPolicy, BackAtCloseAllOfWhatFollowsComesInOrder) {
  BackAtClose slow(200, 0);
  EXPECT_EQ(slow.client->receive(), "a1");
  EXPECT_EQ(slow.client->receive(), "a2");
  for (int i = 0; i < 200; ++i) ASSERT_EQ(slow.client->receive(), std::to_string(i));
  EXPECT_FALSE(slow.ended_at_once);
}

TEST(TopicPolicy, BackAtCloseMoreThanTheOutboxMayHoldEndsTheSession) {
  BackAtClose slow(200, std::size_t{1} << 20);
  EXPECT_EQ(slow.client->receive(), "close 1013 reading too slowly");
  EXPECT_TRUE(slow.ended_at_once);
}

// Messages published by a lagged handler come after the message that follows the dropped ones.
void expect_order_after_lagged(TopicPolicy policy, const std::function<void(Session&)>& before_publishing) {
  Server server({.port = 0, .threads = 1, .limits = {.outbox_bytes_max = std::size_t{16} << 20}});
  server.websocket("/", {.open = [policy](Session& session) { session.subscribe("t", policy); },
                         .message =
                             [&](Session& session, const Message&) {
                               session.send(std::string(std::size_t{12} << 20, 'f'));
                               for (int i = 1; i <= 5; ++i) server.publish("t", "v" + std::to_string(i));
                             },
                         .lagged =
                             [&](Session& session, std::string_view topic, std::uint64_t missed) {
                               session.send("missed " + std::to_string(missed));
                               before_publishing(session);
                               server.publish(topic, "v6");
                               server.publish(topic, "v7");
                             }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  EXPECT_EQ(client.receive().front(), 'f');
  EXPECT_EQ(client.receive(), "missed 4");
  for (const char* const next : {"v5", "v6", "v7"}) EXPECT_EQ(client.receive(), next);
}

TEST(TopicPolicy, TheLaggedHandlerMayPublishToTheTopic) {
  const TopicPolicy latest{.when_full = WhenFull::keep_latest};
  const std::vector<std::function<void(Session&)>> changes = {
      [](Session&) {}, [](Session& session) { session.subscribe("t"); },
      [](Session& session) {
        session.unsubscribe("t");
        session.subscribe("t");
      },
      [latest](Session& session) {
        session.unsubscribe("t");
        session.subscribe("t", latest);
      }};
  for (const TopicPolicy policy : {latest, {.when_full = WhenFull::drop_oldest, .waiting_max = 1}}) {
    for (const auto& change : changes) expect_order_after_lagged(policy, change);
  }
}

TEST(TopicPolicy, TopicsAreJoinedAndLeftInAnyOrder) {
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.message = [&server](Session& session, const Message& message) {
                     const std::string_view topic = message.text().substr(1);
                     if (message.text().front() == '+') {
                       session.subscribe(topic);
                       return;
                     }
                     if (message.text().front() == '-') {
                       const bool left = session.unsubscribe(topic);
                       session.send(left ? "left" : "was not there");
                       return;
                     }
                     for (const std::string_view each : {"a", "b", "c", "d"}) server.publish(each, each);
                     session.send(".");
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  const auto told = [&client](std::initializer_list<std::string_view> asked) {
    for (const std::string_view each : asked) client.send(each);
    client.send("?");
    std::string all;
    while (!all.ends_with('.')) all += client.receive();
    return all;
  };
  EXPECT_EQ(told({}), ".");
  EXPECT_EQ(told({"+a", "+b", "+b", "+c"}), "abc.");
  EXPECT_EQ(told({"-b"}), "leftac.");
  EXPECT_EQ(told({"+d", "-a", "-a"}), "leftwas not therecd.");
  EXPECT_EQ(told({"-d", "+a"}), "leftac.");
  EXPECT_EQ(told({"-c", "-a"}), "leftleft.");
  EXPECT_EQ(told({"+b"}), "b.");
}

class BusyTopicTest : public testing::TestWithParam<LoopKind> {};

// Each frame of the topic congests the session, and the lagged handler always publishes two more, so messages
// always wait. Answers and frames of the topic must both get through.
TEST_P(BusyTopicTest, ATopicThatNeverEndsDoesNotKeepTheDrainHandlerWaiting) {
  constexpr int kAnswers = 20;
  constexpr int kReadMax = 40 * kAnswers;
  constexpr std::size_t kFrameBytes = 256 * 1024;
  int answers = 0;  // must outlive the handlers
  Server server({.port = 0,
                 .threads = 1,
                 .loop = GetParam(),
                 .limits = {.outbox_bytes_max = 4 << 20, .outbox_bytes_high = 128 * 1024},
                 .deflate = {.enabled = false}});
  const auto publish_two = [&server] {
    server.publish("busy", std::string(kFrameBytes, 't'));
    server.publish("busy", std::string(kFrameBytes, 't'));
  };
  const auto answer = [](Session& session) {
    EXPECT_EQ(session.send(std::string(kFrameBytes, 'a')), SendResult::congested);
  };
  server.websocket("/",
                   {.message =
                        [publish_two, answer](Session& session, const Message&) {
                          session.subscribe("busy", {.when_full = WhenFull::keep_latest});
                          answer(session);
                          publish_two();
                        },
                    .drain =
                        [&answers, answer](Session& session) {
                          if (++answers < kAnswers) return answer(session);
                          if (answers == kAnswers) session.send("end");
                        },
                    .lagged = [publish_two](Session&, std::string_view, std::uint64_t) { publish_two(); }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  int of_topic = 0;
  int of_answers = 0;
  for (int i = 0; i < kReadMax && of_answers <= kAnswers; ++i) {
    const std::string message = client.receive();
    if (message == "end") break;
    of_topic += message.front() == 't' ? 1 : 0;
    of_answers += message.front() == 'a' ? 1 : 0;
  }
  EXPECT_EQ(of_answers, kAnswers);
  EXPECT_GE(of_topic, kAnswers / 4);  // the handler does not block the topic either
}

INSTANTIATE_TEST_SUITE_P(Loops, BusyTopicTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& loop) { return loop.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare
