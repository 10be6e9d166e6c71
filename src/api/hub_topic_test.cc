// The hub through the public API, on both loops: positions, joins, limits, presence and slow subscribers.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/hub.h"

namespace fanfare {
namespace {

using api::RawClient;

Frame numbered(Position position, std::string_view payload) {
  return Frame::text(std::to_string(position.offset) + " " + std::string(payload));
}

std::string text_of(const Expected<Joined, JoinError>& joined) {
  if (!joined) return "refused " + std::to_string(static_cast<int>(joined.error()));
  std::string text = joined->recovered ? "recovered" : "not recovered";
  text += " at " + std::to_string(joined->position.offset);
  if (joined->missing) {
    text += " missing " + std::to_string(joined->missing->after.offset + 1) + ".." +
            std::to_string(joined->missing->until.offset);
  }
  return text;
}

// Clients send "join", "join EPOCH-OFFSET" or "leave". The answer precedes the first event.
class HubServer {
 public:
  explicit HubServer(LoopKind loop,
                     HubTopicOptions options = {.history = {.messages_max = 5}, .encode = numbered},
                     std::size_t threads = 2, HubOptions hub_options = {})
      : server({.port = 0,
                .threads = threads,
                .loop = loop,
                .limits = {.outbox_bytes_max = 1 << 20,
                           .outbox_bytes_high = 128 * 1024,
                           .topics_per_session_max = 2}}),
        hub(server, hub_options),
        topic(*hub.add_topic("t", std::move(options))) {
    server.websocket(
        "/", {.message = [this](Session& session, const Message& message) { serve(session, message); },
              .missed =
                  [](Session& session, std::string_view name, const Missed& missed) {
                    session.send("missed " + std::string(name) + " " +
                                 std::to_string(missed.after.offset + 1) + ".." +
                                 std::to_string(missed.until.offset));
                  },
              .notice =
                  [](Session& session, std::string_view name, TopicNotice notice) {
                    EXPECT_EQ(notice, TopicNotice::removed);
                    session.send("removed " + std::string(name));
                  }});
    EXPECT_TRUE(server.start());
  }

  std::unique_ptr<RawClient> client(int receive_buffer_bytes = 0) const {
    auto made = std::make_unique<RawClient>(server.port(), receive_buffer_bytes);
    made->upgrade("/");
    return made;
  }
  // Waits until the event has its position.
  Position publish(std::string_view payload) const {
    std::promise<std::optional<Position>> told;
    EXPECT_EQ(topic.publish(payload, [&](std::optional<Position> where) { told.set_value(where); }),
              PublishResult::accepted);
    const auto where = told.get_future().get();
    EXPECT_TRUE(where);
    return where.value_or(Position());
  }

  Server server;
  Hub hub;
  HubTopic topic;

 private:
  void serve(Session& session, const Message& message) {
    const std::string_view text = message.text();
    if (text == "leave") {
      session.send(session.unsubscribe(topic) ? "left" : "was not there");
      return;
    }
    if (text.starts_with("as ")) {
      session.send(text_of(session.subscribe(topic, {.member = text.substr(3)})));
      return;
    }
    session.send(text_of(session.subscribe(
        topic, {.since = text.size() > 5 ? parse_position(text.substr(5)) : std::nullopt})));
  }
};

class HubTopicTest : public testing::TestWithParam<LoopKind> {};

TEST_P(HubTopicTest, ManyClientsOnAllLoopsGetTheSameEventsInOrder) {
  HubServer world(GetParam());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(world.client());
    clients.back()->send("join");
    EXPECT_EQ(clients.back()->receive(), "recovered at 0");
  }
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(world.topic.publish("x"), PublishResult::accepted);
  for (const auto& client : clients) {
    for (int i = 1; i <= 100; ++i) ASSERT_EQ(client->receive(), std::to_string(i) + " x");
  }
  EXPECT_EQ(world.topic.metrics().published, 100U);
  EXPECT_EQ(world.topic.metrics().delivered, 800U);
  EXPECT_EQ(world.topic.metrics().subscribers, 8U);
}

TEST_P(HubTopicTest, WhoComesBackGetsTheOutcomeThenTheHistoryThenWhatIsLive) {
  HubServer world(GetParam());
  Position second;
  for (const char* payload : {"a", "b", "c", "d", "e", "f"}) {
    const Position where = world.publish(payload);
    if (payload[0] == 'b') second = where;
  }
  const std::string epoch = std::to_string(second.epoch);
  const auto current = world.client();
  current->send("join " + to_text(second));
  EXPECT_EQ(current->receive(), "recovered at 2");
  for (const char* event : {"3 c", "4 d", "5 e", "6 f"}) EXPECT_EQ(current->receive(), event);
  const auto late = world.client();
  late->send("join " + epoch + "-0");  // the history has five events
  EXPECT_EQ(late->receive(), "not recovered at 1 missing 1..1");
  EXPECT_EQ(late->receive(), "2 b");
  world.publish("g");
  for (const char* event : {"3 c", "4 d", "5 e", "6 f", "7 g"}) EXPECT_EQ(late->receive(), event);
  EXPECT_EQ(current->receive(), "7 g");
  const auto stranger = world.client();
  stranger->send("join 1-3");
  EXPECT_TRUE(stranger->receive().starts_with("not recovered at 7"));
}

TEST_P(HubTopicTest, JoiningTwiceTooManyTopicsLeavingAndComingBack) {
  HubServer world(GetParam());
  const auto client = world.client();
  client->send("leave");
  EXPECT_EQ(client->receive(), "was not there");
  client->send("join");
  EXPECT_EQ(client->receive(), "recovered at 0");
  client->send("join");
  EXPECT_EQ(client->receive(), text_of(Unexpected(JoinError::already_joined)));
  client->send("leave");
  EXPECT_EQ(client->receive(), "left");
  const Position where = world.publish("unseen");
  client->send("join " + to_text(where));
  EXPECT_EQ(client->receive(), "recovered at 1");
  world.publish("x");
  EXPECT_EQ(client->receive(), "2 x");
}

TEST_P(HubTopicTest, HubTopicsCountAgainstTheTopicsOfASession) {
  Server server({.port = 0, .threads = 1, .loop = GetParam(), .limits = {.topics_per_session_max = 2}});
  Hub hub(server);
  const HubTopic a = *hub.add_topic("a");
  const HubTopic b = *hub.add_topic("b");
  Server another({.port = 0});
  const Hub foreign_hub(another);
  const HubTopic foreign = *foreign_hub.add_topic("a");
  server.websocket("/", {.message = [&](Session& session, const Message&) {
                     EXPECT_TRUE(session.subscribe("a"));  // a plain topic of the same name is independent
                     EXPECT_TRUE(session.subscribe(a));
                     EXPECT_EQ(session.subscribe(b).error(), JoinError::topics_full);
                     EXPECT_FALSE(session.subscribe("b"));
                     EXPECT_TRUE(session.unsubscribe(a));
                     EXPECT_TRUE(session.subscribe(b));
                     EXPECT_TRUE(session.unsubscribe(b));
                     EXPECT_EQ(session.subscribe(HubTopic()).error(), JoinError::removed);
                     EXPECT_EQ(session.subscribe(foreign).error(), JoinError::removed);
                     session.close();
                     EXPECT_EQ(session.subscribe(a).error(), JoinError::closing);
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  EXPECT_EQ(client.receive(), "close 1000");
}

TEST_P(HubTopicTest, ASlowReaderUnderDropOldestIsToldTheExactRanges) {
  constexpr int kEvents = 300;
  HubServer world(GetParam(),
                  {.policy = {.when_full = WhenFull::drop_oldest, .waiting_max = 5},
                   .limits = {.pending_messages_max = kEvents, .pending_bytes_max = std::size_t{64} << 20},
                   .encode = numbered});
  const auto client = world.client(16 * 1024);
  client->send("join");
  EXPECT_EQ(client->receive(), "recovered at 0");
  const std::string payload(64 * 1024, '.');
  for (int i = 1; i < kEvents; ++i) ASSERT_EQ(world.topic.publish(payload), PublishResult::accepted);
  world.publish(payload);
  int at = 0;
  int ranges = 0;
  while (at < kEvents) {
    const std::string text = client->receive();
    if (text.starts_with("missed t ")) {
      ++ranges;
      EXPECT_EQ(std::stoi(text.substr(9)), at + 1);
      at = std::stoi(text.substr(text.find("..") + 2));
    } else {
      ASSERT_EQ(std::stoi(text), ++at) << text.substr(0, 20);
    }
  }
  EXPECT_GT(ranges, 0);
  EXPECT_GT(world.topic.metrics().missed, 0U);
}

TEST_P(HubTopicTest, ASlowReaderUnderCloseEndsWith1013AndComesBackWithoutALoss) {
  constexpr int kEvents = 100;
  HubServer world(GetParam(),
                  {.history = {.messages_max = kEvents, .bytes_max = std::size_t{16} << 20},
                   .limits = {.pending_messages_max = kEvents, .pending_bytes_max = std::size_t{64} << 20},
                   .encode = numbered});
  const auto slow = world.client(16 * 1024);
  slow->send("join");
  EXPECT_EQ(slow->receive(), "recovered at 0");
  const std::string payload(64 * 1024, '.');
  for (int i = 1; i < kEvents; ++i) ASSERT_EQ(world.topic.publish(payload), PublishResult::accepted);
  const std::uint64_t epoch = world.publish(payload).epoch;
  int at = 0;
  std::string last;
  while ((last = slow->receive()).size() > payload.size()) ASSERT_EQ(std::stoi(last), ++at);
  EXPECT_EQ(last, "close 1013 reading too slowly");
  // A replay of six megabytes does not end a session whose outbox holds one.
  const auto back = world.client(16 * 1024);
  back->send("join " + std::to_string(epoch) + "-" + std::to_string(at));
  EXPECT_EQ(back->receive(), "recovered at " + std::to_string(at));
  while (at < kEvents) ASSERT_EQ(std::stoi(back->receive()), ++at);
}

TEST_P(HubTopicTest, AFullTopicRefusesAndCountsUntilItsLoopsHaveCaughtUp) {
  HubServer world(GetParam(), {.limits = {.pending_messages_max = 3}, .encode = numbered}, 1);
  std::promise<void> held;
  std::promise<void> go_on;
  const auto client = world.client();
  client->send("join");
  EXPECT_EQ(client->receive(), "recovered at 0");
  // The receipt of the first event blocks the loop.
  ASSERT_EQ(world.topic.publish("1",
                                [&](std::optional<Position>) {
                                  held.set_value();
                                  go_on.get_future().wait();
                                }),
            PublishResult::accepted);
  held.get_future().wait();
  EXPECT_EQ(world.topic.publish("2"), PublishResult::accepted);
  EXPECT_EQ(world.topic.publish("3"), PublishResult::accepted);
  EXPECT_EQ(world.topic.publish("4"), PublishResult::topic_messages_full);
  EXPECT_EQ(world.topic.refused(PublishResult::topic_messages_full), 1U);
  EXPECT_EQ(world.hub.pending_messages(), 3U);
  go_on.set_value();
  for (const char* event : {"1 1", "2 2", "3 3"}) EXPECT_EQ(client->receive(), event);
  world.publish("4");
  EXPECT_EQ(client->receive(), "4 4");
}

TEST_P(HubTopicTest, PresenceIsToldTogetherAndMembersAreThere) {
  HubServer world(GetParam(), {.presence = true,
                               .presence_interval = std::chrono::milliseconds(20),
                               .describe_presence = [](const PresenceChange& change) {
                                 std::string text;
                                 for (const std::string& name : change.joined) text += "+" + name;
                                 for (const std::string& name : change.left) text += "-" + name;
                                 return text;
                               }});
  const auto ann = world.client();
  ann->send("join");
  EXPECT_EQ(ann->receive(), text_of(Unexpected(JoinError::bad_member)));
  ann->send("as ann");
  EXPECT_EQ(ann->receive(), "recovered at 0");
  EXPECT_EQ(ann->receive(), "+ann");
  auto again = world.client();
  again->send("as ann");
  EXPECT_EQ(again->receive(), "recovered at 1");
  auto bob = world.client();
  bob->send("as bob");
  EXPECT_EQ(bob->receive(), "recovered at 1");
  EXPECT_EQ(ann->receive(), "+bob");
  EXPECT_EQ(*world.topic.members(), (std::vector<std::string>{"ann", "bob"}));
  again.reset();
  bob.reset();
  EXPECT_EQ(ann->receive(), "-bob");
  EXPECT_EQ(*world.topic.members(), std::vector<std::string>{"ann"});
}

TEST_P(HubTopicTest, ARemovedTopicIsToldAndItsNameIsFree) {
  HubServer world(GetParam());
  const auto client = world.client();
  client->send("join");
  EXPECT_EQ(client->receive(), "recovered at 0");
  EXPECT_EQ(world.topic.publish("last"), PublishResult::accepted);
  EXPECT_TRUE(world.topic.remove());
  EXPECT_FALSE(world.topic.remove());
  EXPECT_EQ(world.topic.publish("x"), PublishResult::removed);
  EXPECT_EQ(client->receive(), "1 last");
  EXPECT_EQ(client->receive(), "removed t");
  client->send("leave");
  EXPECT_EQ(client->receive(), "was not there");
  EXPECT_FALSE(world.hub.find("t"));
  EXPECT_TRUE(world.hub.add_topic("t"));
  EXPECT_EQ(world.hub.add_topic("t").error().kind, Error::Kind::bad_option);
  EXPECT_EQ(world.hub.find("t").name(), "t");
}

TEST_P(HubTopicTest, ASlowReaderOfARemovedTopicGetsTheRestFirst) {
  HubServer world(GetParam(),
                  {.policy = {.when_full = WhenFull::drop_oldest, .waiting_max = 1000}, .encode = numbered});
  const auto client = world.client(16 * 1024);
  client->send("join");
  EXPECT_EQ(client->receive(), "recovered at 0");
  const std::string payload(64 * 1024, '.');
  for (int i = 0; i < 200; ++i) ASSERT_EQ(world.topic.publish(payload), PublishResult::accepted);
  EXPECT_TRUE(world.topic.remove());
  for (int i = 1; i <= 200; ++i) ASSERT_EQ(std::stoi(client->receive()), i);
  EXPECT_EQ(client->receive(), "removed t");
}

// With a publisher that never waits and a server that stops, every accepted event gets its receipt.
TEST_P(HubTopicTest, WhileTheServerStopsEveryAcceptedEventGetsItsReceipt) {
  std::atomic<int> accepted = 0;
  std::atomic<int> receipts = 0;
  HubTopic topic;
  {
    HubServer world(GetParam());
    topic = world.topic;
    const auto client = world.client();
    client->send("join");
    EXPECT_EQ(client->receive(), "recovered at 0");
    std::vector<std::thread> publishers;
    for (int i = 0; i < 2; ++i) {
      publishers.emplace_back([&] {
        while (true) {
          const PublishResult result = topic.publish("x", [&](std::optional<Position>) { ++receipts; });
          if (result == PublishResult::stopped) return;
          if (result == PublishResult::accepted) ++accepted;
        }
      });
    }
    client->receive();
    world.server.stop(std::chrono::milliseconds(0));
    for (std::thread& one : publishers) one.join();
  }
  EXPECT_EQ(topic.publish("x"), PublishResult::stopped);
  EXPECT_EQ(receipts, accepted);
}

INSTANTIATE_TEST_SUITE_P(Loops, HubTopicTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& parameter) {
                           return parameter.param == LoopKind::epoll ? "epoll" : "uring";
                         });

TEST(HubTopic, BeforeTheStartNothingIsTakenAndBadOptionsAreNamed) {
  Server server({.port = 0});
  Hub hub(server);
  const HubTopic topic = *hub.add_topic("t");
  EXPECT_EQ(topic.publish("x"), PublishResult::stopped);
  EXPECT_FALSE(hub.add_topic(""));
  EXPECT_FALSE(hub.add_topic("u", {.presence_interval = std::chrono::milliseconds(0)}));
  EXPECT_EQ(hub.topic_count(), 1U);
  EXPECT_EQ(HubTopic().publish("x"), PublishResult::removed);
  EXPECT_EQ(HubTopic().name(), "");
}

TEST(HubTopicDeathTest, ASecondHubOrOneAfterTheStartEndsTheProcessWithAMessage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Server server({.port = 0});
  const Hub hub(server);
  EXPECT_DEATH(Hub second(server), "one hub");
  Server running({.port = 0, .threads = 1});
  ASSERT_TRUE(running.start());
  EXPECT_DEATH(Hub late(running), "before start");
}

TEST(HubTopic, PositionsAreReadAndWritten) {
  EXPECT_EQ(to_text({.epoch = 12, .offset = 34}), "12-34");
  EXPECT_EQ(parse_position("12-34"), (Position{.epoch = 12, .offset = 34}));
  for (const char* wrong :
       {"", "-", "12", "12-", "-34", "a-1", "1-b", "1-2-3", " 1-2", "1-99999999999999999999"}) {
    EXPECT_FALSE(parse_position(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace fanfare
