// Many topics of one session: the cost per topic does not grow with their number, and there is a limit.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "api/raw_client_for_tests.h"
#include "base/random.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;

std::string topic(std::uint64_t number) {
  return "market/btc/level2/" + std::to_string(number);
}

TEST(Topics, UpToTheLimitAndOneMoreIsRefusedUntilOneIsLeft) {
  for (const std::size_t most : {std::size_t{1}, std::size_t{8}, std::size_t{9}, std::size_t{100}}) {
    Server server({.port = 0, .threads = 1, .limits = {.topics_per_session_max = most}});
    server.websocket("/", {.message = [&](Session& session, const Message&) {
                       for (std::size_t i = 0; i < most; ++i) ASSERT_TRUE(session.subscribe(topic(i)));
                       EXPECT_FALSE(session.subscribe(topic(most)));
                       EXPECT_TRUE(session.subscribe(topic(0), {.when_full = WhenFull::keep_latest}));
                       EXPECT_FALSE(session.unsubscribe(topic(most)));
                       EXPECT_TRUE(session.unsubscribe(topic(0)));
                       EXPECT_TRUE(session.subscribe(topic(most)));
                       EXPECT_FALSE(session.subscribe(topic(0)));
                       server.publish(topic(0), "left");
                       server.publish(topic(most), "joined");
                       session.close();
                       EXPECT_TRUE(session.unsubscribe(topic(most)));
                       EXPECT_FALSE(session.subscribe(topic(most)));  // it is closing
                     }});
    ASSERT_TRUE(server.start());
    RawClient client(server.port());
    client.upgrade("/");
    client.send("go");
    EXPECT_EQ(client.receive(), "joined");
    EXPECT_EQ(client.receive(), "close 1000");
  }
}

// If the cost grew with the number of topics, this would take minutes.
TEST(Topics, FiftyThousandOfOneSessionAreJoinedUsedAndLeft) {
  constexpr std::uint64_t kTopics = 50'000;
  Server server({.port = 0, .threads = 1, .limits = {.outbox_bytes_max = std::size_t{64} << 20}});
  const auto publish_all = [&] {
    for (std::uint64_t i = 0; i < kTopics; ++i) server.publish(topic(i), "x");
  };
  server.websocket("/", {.message = [&](Session& session, const Message& message) {
                     const bool backwards = message.text() == "backwards";
                     for (std::uint64_t i = 0; i < kTopics; ++i) session.subscribe(topic(i));
                     publish_all();
                     for (std::uint64_t i = 0; i < kTopics; ++i) {
                       EXPECT_TRUE(session.unsubscribe(topic(backwards ? kTopics - 1 - i : i)));
                     }
                     publish_all();
                     for (std::uint64_t i = 0; i < kTopics; ++i) session.subscribe(topic(i));
                     session.send("done");
                   }});
  ASSERT_TRUE(server.start());
  for (const std::string_view order : {"forwards", "backwards"}) {
    RawClient client(server.port());
    client.upgrade("/");
    client.send(order);
    for (std::uint64_t i = 0; i < kTopics; ++i) ASSERT_EQ(client.receive(), "x");
    EXPECT_EQ(client.receive(), "done");
  }
}

// All topics have waiting messages, and the lagged handler unsubscribes from its topic each time.
TEST(Topics, ManyThatWaitAreSentInOrderAndMayBeLeftMeanwhile) {
  constexpr std::uint64_t kTopics = 20'000;
  constexpr std::size_t kFiller = std::size_t{8} << 20;
  Server server({.port = 0, .threads = 1, .limits = {.outbox_bytes_max = 2 * kFiller}});
  std::uint64_t lagged = 0;
  server.websocket("/", {.message =
                             [&](Session& session, const Message&) {
                               for (std::uint64_t i = 0; i < kTopics; ++i) {
                                 session.subscribe(topic(i), {.when_full = WhenFull::keep_latest});
                               }
                               while (session.send(std::string(kFiller / 4, 'f')) != SendResult::congested) {
                               }
                               for (const std::string_view text : {"old", "new"}) {
                                 for (std::uint64_t i = 0; i < kTopics; ++i) server.publish(topic(i), text);
                               }
                             },
                         .drain = [](Session& session) { session.send("drained"); },
                         .lagged =
                             [&](Session& session, std::string_view name, std::uint64_t missed) {
                               EXPECT_EQ(name, topic(lagged++));
                               EXPECT_EQ(missed, 1U);
                               EXPECT_TRUE(session.unsubscribe(name));
                             }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  std::string next = client.receive();
  while (next.front() == 'f') next = client.receive();
  for (std::uint64_t i = 0; i < kTopics; ++i) {
    ASSERT_EQ(next, "new");
    next = client.receive();
  }
  EXPECT_EQ(next, "drained");
}

// Compares joins, leaves and publishes of one session with a set.
TEST(Topics, EqualASet) {
  constexpr std::uint64_t kTopics = 24;  // more than fit into a session's list
  std::set<std::uint64_t> model;         // used by the handler, so it must outlive its thread
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.message = [&](Session& session, const Message& message) {
                     SeededRandom random(std::stoull(std::string(message.text())));
                     for (int step = 0; step < 500; ++step) {
                       const std::uint64_t number = random.below(kTopics);
                       if (random.below(2) == 0) {
                         EXPECT_TRUE(session.subscribe(
                             topic(number), {.when_full = static_cast<WhenFull>(random.below(3))}));
                         model.insert(number);
                       } else {
                         EXPECT_EQ(session.unsubscribe(topic(number)), model.erase(number) > 0);
                       }
                     }
                     for (std::uint64_t i = 0; i < kTopics; ++i) server.publish(topic(i), std::to_string(i));
                     std::string expected = "end ";
                     for (const std::uint64_t number : model) expected += std::to_string(number) + " ";
                     session.send(expected);
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  for (int seed = 1; seed <= 10; ++seed) {
    client.send(std::to_string(seed));
    std::string got = "end ";
    std::string next = client.receive();
    for (; !next.starts_with("end ") && next != "EOF"; next = client.receive()) got += next + " ";
    EXPECT_EQ(got, next) << "seed " << seed;
  }
}

}  // namespace
}  // namespace fanfare
