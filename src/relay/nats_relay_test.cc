// The relay with a real broker.

#include "relay/nats_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <memory>
#include <set>
#include <thread>

#include "relay/jet_stream.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

using testing::Each;
using Texts = std::vector<std::string>;

std::vector<std::uint64_t> offsets_of(const std::vector<Position>& positions) {
  std::vector<std::uint64_t> offsets;
  for (const Position& position : positions) offsets.push_back(position.offset);
  return offsets;
}

TEST(NatsRelay, AllInstancesGetTheSameEventsAtTheSamePositions) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  Instance b(options_for({server.url()}));
  a.open("prices");
  b.open("prices");
  EXPECT_TRUE(a.publish("prices", "x"));
  ASSERT_TRUE(eventually([&] { return b.sink.has("prices", 1); }));
  EXPECT_TRUE(b.publish("prices", "y"));
  ASSERT_TRUE(eventually([&] { return a.sink.has("prices", 2) && b.sink.has("prices", 2); }));
  EXPECT_EQ(a.sink.topic("prices").texts, (Texts{"x", "y"}));
  EXPECT_EQ(a.sink.topic("prices").positions, b.sink.topic("prices").positions);
  EXPECT_EQ(offsets_of(a.sink.topic("prices").positions), (std::vector<std::uint64_t>{1, 2}));
  // The receipt has the position that subscribers get.
  ASSERT_TRUE(eventually([&] { return b.receipts.all().size() == 1; }));
  EXPECT_EQ(b.receipts.all().front(), b.sink.topic("prices").positions[1]);
}

TEST(NatsRelay, AnInstanceThatComesLaterReadsWhatTheBrokerKept) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.limits.messages_max = 3;
  Instance a(options);
  a.open("t");
  for (std::size_t i = 1; i <= 5; ++i) {
    a.publish("t", std::to_string(i));
    ASSERT_TRUE(eventually([&] { return a.sink.has("t", i); }));
  }
  Instance late(options);
  late.open("t");
  ASSERT_TRUE(eventually([&] { return late.sink.has("t", 3); }));
  EXPECT_EQ(late.sink.topic("t").texts, (Texts{"3", "4", "5"}));
  EXPECT_EQ(late.sink.topic("t").lost, (std::vector{Position{a.sink.topic("t").at.epoch, 2}}));
  EXPECT_EQ(late.sink.topic("t").at, a.sink.topic("t").at);
}

TEST(NatsRelay, OnlyOpenTopicsAreDelivered) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  Instance b(options_for({server.url()}));
  a.open("one");
  a.open("two");
  b.open("one");
  a.publish("two", "x");
  a.publish("one", "y");
  ASSERT_TRUE(eventually([&] { return b.sink.has("one", 1) && a.sink.has("two", 1); }));
  EXPECT_EQ(b.relay->counters().received, 1U);
  // Closed, and opened again: it goes on where the broker is.
  b.relay->close("one", 0);
  a.publish("one", "z");
  ASSERT_TRUE(eventually([&] { return a.sink.has("one", 2); }));
  EXPECT_FALSE(b.sink.has("one", 2));
}

TEST(NatsRelay, ATopicThatIsOpenedAgainGoesOnBehindThePositionItIsGiven) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  for (std::size_t i = 1; i <= 9; ++i) a.publish("t", std::to_string(i));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 9); }));
  const std::uint64_t epoch = a.sink.topic("t").at.epoch;
  // Another instance, whose clients have seen the first three. The sink checks that nothing is left out in silence.
  Instance b(options_for({server.url()}));
  b.sink.set_at("t", {.epoch = epoch, .offset = 3});
  b.open("t", {.after = {.epoch = epoch, .offset = 3}, .recent_max = 100});
  EXPECT_EQ(b.sink.topic("t").texts, (Texts{"4", "5", "6", "7", "8", "9"}));
  EXPECT_TRUE(b.sink.topic("t").lost.empty());
  // And one that has room for two.
  Instance c(options_for({server.url()}));
  c.open("t", {.after = {.epoch = epoch, .offset = 3}, .recent_max = 2});
  EXPECT_EQ(c.sink.topic("t").texts, (Texts{"8", "9"}));
  EXPECT_EQ(c.sink.topic("t").lost, (std::vector{Position{epoch, 7}}));
  EXPECT_EQ(c.relay->counters().received, 3U);  // and the one before them, which it knows from now on
}

// As when a topic is removed, and another one gets its name before the first one is closed.
TEST(NatsRelay, OnlyTheLastOpeningOfATopicCloses) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t", {.after = {}, .recent_max = 10, .opening = 1});
  a.publish("t", "x");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  a.sink.forget("t");
  a.open("t", {.after = {}, .recent_max = 10, .opening = 2});
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  a.relay->close("t", 1);
  a.publish("t", "y");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  a.relay->close("t", 2);
  ASSERT_TRUE(eventually([&] { return a.relay->counters().topics == 0; }));
}

// For a topic that is added later, with a longer history than those before.
TEST(NatsRelay, WhatIsCreatedLaterMayKeepMore) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.limits.messages_max = 2;
  Instance a(options);
  a.open("before");
  a.relay->keep_at_least(3, 1);
  a.open("after");
  for (std::size_t i = 1; i <= 4; ++i) {
    a.publish("before", std::to_string(i));
    a.publish("after", std::to_string(i));
    ASSERT_TRUE(eventually([&] { return a.sink.has("before", i) && a.sink.has("after", i); }));
  }
  const Position start{.epoch = a.sink.topic("before").at.epoch, .offset = 0};
  EXPECT_EQ(a.read_past("before", start, 100), (Texts{"3", "4"}));
  EXPECT_EQ(a.read_past("after", {.epoch = a.sink.topic("after").at.epoch, .offset = 0}, 100),
            (Texts{"2", "3", "4"}));
}

TEST(NatsRelay, OlderEventsAreReadInPieces) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.limits.messages_max = 150;
  Instance a(options);
  a.open("t");
  Texts expected;
  for (int i = 1; i <= 200; ++i) {
    ASSERT_TRUE(a.publish("t", std::to_string(i)));
    if (i > 50) expected.push_back(std::to_string(i));
    // Otherwise the broker may drop some before they are delivered.
    if (i % 50 == 0) ASSERT_TRUE(eventually([&] { return a.sink.has("t", static_cast<std::size_t>(i)); }));
  }
  const std::uint64_t epoch = a.sink.topic("t").at.epoch;
  Instance b(options);  // has not opened the topic
  EXPECT_EQ(b.read_past("t", {.epoch = epoch, .offset = 50}, 1 << 16), expected);
  EXPECT_EQ(b.read_past("t", {.epoch = epoch, .offset = 0}, 10), expected) << "what is gone is passed over";
  EXPECT_EQ(b.read_past("t", {.epoch = epoch, .offset = 200}, 10), Texts{});
  EXPECT_EQ(b.read_past("t", {.epoch = epoch + 1, .offset = 3}, 10), Texts{});
  EXPECT_EQ(b.read_past("nobody has it", {.epoch = epoch, .offset = 3}, 10), Texts{});
  EXPECT_EQ(b.relay->counters().received, 0U);
}

TEST(NatsRelay, WhatIsReadWhileTheBrokerIsAwayComesWhenItIsBack) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  a.publish("t", "x");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  server.kill();
  std::thread starts([&] {
    EXPECT_TRUE(eventually([&] { return !a.sink.is_up(); }));
    server.start();
  });
  EXPECT_EQ(a.read_past("t", {.epoch = a.sink.topic("t").at.epoch, .offset = 0}, 10), Texts{"x"});
  starts.join();
}

// The broker could give each of them a stream of its own, of which the others know nothing.
TEST(NatsRelay, InstancesThatCreateAStreamAtOnceHaveOneStream) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.limits = {.messages_max = 10, .bytes_max = 100'000};  // the broker reserves them
  std::vector<std::unique_ptr<Instance>> instances;
  for (int i = 0; i < 4; ++i) instances.push_back(std::make_unique<Instance>(options));
  ASSERT_TRUE(eventually([&] {
    return std::ranges::all_of(instances, [](const auto& one) { return one->relay->link().is_connected(); });
  }));
  for (int round = 0; round < 300; ++round) {
    const StreamAddress address{.name = "fanfare", .token = "at_once" + std::to_string(round)};
    std::barrier begin(static_cast<std::ptrdiff_t>(instances.size()));
    std::vector<std::uint64_t> epochs(instances.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < instances.size(); ++i) {
        threads.emplace_back([&, i] {
          JetStream jet_stream(instances[i]->relay->link(), instances[i]->options);
          begin.arrive_and_wait();
          // One that comes while another creates it may have to try again.
          EXPECT_TRUE(eventually([&] {
            if (const auto state = jet_stream.open(address, i + 1)) epochs[i] = state->epoch;
            return epochs[i] != 0;
          }));
        });
      }
    }
    ASSERT_THAT(epochs, Each(epochs[0])) << "round " << round;
  }
}

TEST(NatsRelay, PublishingNeedsNoReader) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  Instance b(options_for({server.url()}));
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(a.publish("t", std::to_string(i)));
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 5; }));
  EXPECT_EQ(a.receipts.all().back()->offset, 5U);
  b.open("t");
  EXPECT_EQ(b.sink.topic("t").texts, (Texts{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(a.relay->counters().topics, 0U);
  EXPECT_EQ(b.relay->counters().topics, 1U);
  EXPECT_EQ(a.relay->counters().received, 0U);
}

TEST(NatsRelay, ManyEventsOfManyThreadsComeInOneOrderExactlyOnce) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.limits.messages_max = 10'000;
  Instance a(options);
  Instance b(options);
  a.open("t");
  b.open("t");
  constexpr std::size_t kThreads = 3;
  constexpr std::size_t kEach = 300;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Instance& from = i % 2 == 0 ? a : b;
      for (std::size_t k = 0; k < kEach; ++k)
        EXPECT_TRUE(from.publish("t", std::to_string(i) + " " + std::to_string(k)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(
      eventually([&] { return a.sink.has("t", kThreads * kEach) && b.sink.has("t", kThreads * kEach); }));
  const auto seen = a.sink.topic("t");
  EXPECT_EQ(seen.texts, b.sink.topic("t").texts);
  EXPECT_EQ(std::set(seen.texts.begin(), seen.texts.end()).size(), kThreads * kEach);
  // Those of one thread keep their order.
  std::vector<std::size_t> next(kThreads);
  for (const std::string& text : seen.texts) {
    const auto thread = static_cast<std::size_t>(text[0] - '0');
    EXPECT_EQ(text.substr(2), std::to_string(next[thread]++));
  }
}

TEST(NatsRelay, AnEventBehindAPositionIsStoredOnlyThere) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.open("t");
  const Position begin = a.sink.topic("t").at;
  a.publish("t", "first", begin);
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1); }));
  a.publish("t", "too late", begin);
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 2; }));
  EXPECT_FALSE(a.receipts.all()[1]);
  a.publish("t", "of another epoch", Position{begin.epoch + 1, 1});
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 3; }));
  EXPECT_FALSE(a.receipts.all()[2]);
  a.publish("t", "second", a.sink.topic("t").at);
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 2); }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{"first", "second"}));
}

TEST(NatsRelay, WhatIsInFlightIsBounded) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.in_flight_messages_max = 2;
  options.in_flight_bytes_max = 100;
  Instance a(options);
  a.open("t");
  server.pause();  // accepts and acknowledges nothing
  EXPECT_TRUE(a.publish("t", "1"));
  EXPECT_TRUE(a.publish("t", "2"));
  EXPECT_FALSE(a.publish("t", "3"));
  server.go_on();
  ASSERT_TRUE(eventually([&] { return a.receipts.all().size() == 2; }));
  ASSERT_TRUE(eventually([&] { return a.sink.is_up(); }));
  server.pause();
  EXPECT_TRUE(a.publish("t", std::string(100, 'x')));
  EXPECT_FALSE(a.publish("t", "y"));
  server.go_on();
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 3); }));
  EXPECT_EQ(a.relay->counters().refused, 2U);
}

TEST(NatsRelay, AFullHubGetsEverythingLater) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  options.limits.messages_max = 10'000;
  Instance a(options);
  Instance b(options);
  a.open("t");
  b.open("t");
  b.sink.set_full(true);
  constexpr std::size_t kEvents = 2 * TopicFeed::kHeldMax + 10;
  for (std::size_t i = 0; i < kEvents; ++i) ASSERT_TRUE(a.publish("t", std::to_string(i)));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", kEvents); }));
  EXPECT_FALSE(b.sink.has("t", 1));
  b.sink.set_full(false);
  ASSERT_TRUE(eventually([&] { return b.sink.has("t", kEvents); }));
  EXPECT_EQ(b.sink.topic("t").texts, a.sink.topic("t").texts);
}

TEST(NatsRelay, ATopicWhoseNameIsTooLongIsRefusedAndHarmsNoOther) {
  NatsServer server;
  Instance a(options_for({server.url()}));
  a.relay->open(std::string(kTokenBytesMax + 1, 'x'), {});
  a.open("t");
  EXPECT_TRUE(a.publish(std::string(kTokenBytesMax + 1, 'x'), "lost"));
  a.publish("t", "y");
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1) && a.receipts.all().size() == 2; }));
  EXPECT_EQ(std::ranges::count(a.receipts.all(), std::optional<Position>()), 1);
}

TEST(NatsRelay, AnEventThatIsTooLongForTheBrokerGetsAnEmptyReceipt) {
  NatsServer server("max_payload: 1024");
  Instance a(options_for({server.url()}));
  a.open("t");
  EXPECT_TRUE(a.publish("t", std::string(513, 'x')));
  EXPECT_TRUE(a.publish("t", std::string(512, 'y')));
  ASSERT_TRUE(eventually([&] { return a.sink.has("t", 1) && a.receipts.all().size() == 2; }));
  EXPECT_EQ(a.sink.topic("t").texts, (Texts{std::string(512, 'y')}));
  EXPECT_EQ(std::ranges::count(a.receipts.all(), std::optional<Position>()), 1);
  EXPECT_EQ(a.sink.times_down(), 0);
}

// What a program gets.
TEST(NatsRelay, ThePublicRelayPassesEverythingOn) {
  class Sink final : public fanfare::RelaySink {
   public:
    bool on_message(std::string_view topic, Position position, Bytes payload) override {
      return inner.on_message(topic, position, SharedBytes(payload));
    }
    void on_lost(std::string_view topic, Position until) override { inner.on_lost(topic, until); }
    void on_down() override { inner.on_down(); }
    void on_back() override { inner.on_back(); }
    TestSink inner;
  };
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  Sink sink;
  Receipts receipts;
  const auto made = make_nats_relay(options);
  ASSERT_TRUE(made);
  fanfare::Relay& relay = **made;
  relay.start(sink);
  relay.open("t");
  EXPECT_TRUE(relay.publish("t", as_bytes("x"), receipts.next()));
  ASSERT_TRUE(eventually([&] { return sink.inner.has("t", 1) && receipts.all().size() == 1; }));
  EXPECT_EQ(receipts.all().front(), sink.inner.topic("t").at);
  server.kill();
  ASSERT_TRUE(eventually([&] { return !sink.inner.is_up(); }));
  relay.close("t");
  relay.stop();
}

TEST(NatsOptionsTest, BadOptionsAreNamedWithWhatIsExpected) {
  const auto problem = [](auto change) {
    NatsOptions options = options_for({"nats://127.0.0.1:4222"});
    change(options);
    const auto made = make_nats_relay(options);
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(problem([](NatsOptions&) {}), "");
  EXPECT_EQ(problem([](NatsOptions& o) { o.servers.clear(); }), "servers: at least one");
  EXPECT_EQ(problem([](NatsOptions& o) { o.servers = {"http://u:secret@x"}; }),
            "server 'http://x': nats://HOST:PORT or tls://HOST:PORT");
  EXPECT_EQ(problem([](NatsOptions& o) { o.name = std::string(33, 'x'); }),
            "name '" + std::string(33, 'x') + "': 1 to 32 of A-Z a-z 0-9 - _");
  EXPECT_EQ(problem([](NatsOptions& o) { o.name = "a.b"; }), "name 'a.b': 1 to 32 of A-Z a-z 0-9 - _");
  EXPECT_EQ(problem([](NatsOptions& o) { o.replicas = 2; }), "replicas 2: 1, 3 or 5");
  EXPECT_EQ(problem([](NatsOptions& o) { o.user = "u"; }), "user and password: both or none");
  EXPECT_EQ(problem([](NatsOptions& o) {
              o.token = "t";
              o.credentials_file = "f";
            }),
            "credentials: one of user, token and credentials_file");
  EXPECT_EQ(problem([](NatsOptions& o) { o.certificate_file = "f"; }),
            "certificate_file and key_file: both or none");
  EXPECT_EQ(problem([](NatsOptions& o) { o.heartbeat = std::chrono::milliseconds(99); }),
            "heartbeat: 100 ms to 1 minute");
  EXPECT_EQ(problem([](NatsOptions& o) { o.publish_timeout = std::chrono::milliseconds(60'001); }),
            "publish_timeout: 1 ms to 1 minute");
  EXPECT_EQ(problem([](NatsOptions& o) { o.reconnect_wait = std::chrono::milliseconds(9); }),
            "reconnect_wait: 10 ms or more");
  EXPECT_EQ(problem([](NatsOptions& o) { o.limits.messages_max = 0; }),
            "limits: at least 1 message and 64 KiB");
  EXPECT_EQ(problem([](NatsOptions& o) { o.limits.age_max = std::chrono::milliseconds(999); }),
            "limits.age_max: zero, or one second or more");
  EXPECT_EQ(problem([](NatsOptions& o) { o.in_flight_messages_max = 0; }),
            "in_flight_messages_max and in_flight_bytes_max: at least 1");
}

}  // namespace
}  // namespace fanfare::relay
