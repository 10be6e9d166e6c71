// Topics that a program's relay carries between two servers, on both loops. The broker and the relays are the test's.

#include "api/hub_relay.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "api/border.h"
#include "api/raw_client_for_tests.h"
#include "fanfare/hub.h"
#include "fanfare/relay.h"

namespace fanfare {
namespace {

using api::RawClient;

constexpr std::uint64_t kEpoch = 77;

// A broker in memory. Each relay's thread makes its calls to the sink, in the order of the broker.
class Broker {
 public:
  class Instance final : public Relay {
   public:
    explicit Instance(Broker& broker) : broker_(broker) {}
    ~Instance() override { EXPECT_FALSE(thread_.joinable()) << "the hub did not stop its relay"; }

    void start(RelaySink& sink) override {
      sink_ = &sink;
      {
        const std::scoped_lock lock(broker_.mutex_);
        broker_.instances_.push_back(this);
      }
      thread_ = std::thread([this] { work(); });
      set_down(false);
    }
    void stop() override {
      ++stops;
      {
        const std::scoped_lock lock(broker_.mutex_);
        std::erase(broker_.instances_, this);
      }
      push({});
      thread_.join();
    }
    void open(std::string_view topic) override {
      const std::scoped_lock lock(broker_.mutex_);
      const Position at{.epoch = kEpoch, .offset = broker_.streams_[std::string(topic)].size()};
      push([this, at, name = std::string(topic)] { sink_->on_lost(name, at); });
    }
    void close(std::string_view topic) override {
      push([this, name = std::string(topic)] { closed = name; });
    }
    bool publish(std::string_view topic, Bytes payload, RelayReceipt receipt) override {
      if (throws) {
        kept_ = std::move(receipt);
        throw std::runtime_error("the relay's own");
      }
      if (is_down) return false;
      push([this, name = std::string(topic), text = std::string(payload.begin(), payload.end()),
            receipt = std::move(receipt)]() mutable { receipt(broker_.append(name, text)); });
      return true;
    }

    void set_down(bool down) {
      is_down = down;
      push([this, down] { down ? sink_->on_down() : sink_->on_back(); });
    }
    void push(UniqueFunction<void()> task) {
      {
        const std::scoped_lock lock(mutex_);
        tasks_.push_back(std::move(task));
      }
      changed_.notify_one();
    }
    RelayReceipt take_kept() { return std::move(kept_); }
    RelaySink& sink() { return *sink_; }

    std::atomic<bool> is_down = true;
    std::atomic<bool> throws = false;
    std::atomic<int> stops = 0;
    std::string closed;  // of the relay's thread

   private:
    void work() {
      for (;;) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !tasks_.empty(); });
        UniqueFunction<void()> task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        if (task == nullptr) return;
        task();
      }
    }

    Broker& broker_;
    RelaySink* sink_ = nullptr;
    RelayReceipt kept_;
    std::mutex mutex_;  // guards tasks_
    std::condition_variable changed_;
    std::deque<UniqueFunction<void()>> tasks_;  // an empty one ends the thread
    std::thread thread_;
  };

 private:
  Position append(const std::string& topic, const std::string& text) {
    const std::scoped_lock lock(mutex_);
    auto& stream = streams_[topic];
    stream.push_back(text);
    const Position at{.epoch = kEpoch, .offset = stream.size()};
    for (Instance* const one : instances_) {
      one->push([one, topic, text, at] {
        const Bytes payload(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        EXPECT_TRUE(one->sink().on_message(topic, at, payload));
      });
    }
    return at;
  }

  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::vector<std::string>> streams_;
  std::vector<Instance*> instances_;
};

std::string text_of(const Expected<Joined, JoinError>& joined) {
  if (!joined) return "refused";
  return std::string(joined->is_degraded ? "degraded" : "joined") + " at " + to_text(joined->position);
}

// One instance of the program: a server whose clients send "join" or "join POSITION".
struct RelayedServer {
  RelayedServer(Broker& broker, LoopKind loop)
      : relay(std::make_shared<Broker::Instance>(broker)),
        server({.port = 0, .threads = 2, .loop = loop}),
        hub(server) {
    hub.set_relay(relay);
    topic = *hub.add_topic("t", {.history = {.messages_max = 100},
                                 .relayed = true,
                                 .encode = [](Position at, std::string_view payload) {
                                   if (payload == "unencodable") throw std::runtime_error("encode");
                                   return Frame::text(std::to_string(at.offset) + " " + std::string(payload));
                                 }});
    server.websocket("/", {.message =
                               [this](Session& session, const Message& message) {
                                 const auto since = parse_position(message.text().substr(5));
                                 session.send(text_of(session.subscribe(topic, {.since = since})));
                               },
                           .missed =
                               [](Session& session, std::string_view, const Missed& missed) {
                                 session.send("missed " + std::to_string(missed.until.offset));
                               },
                           .notice =
                               [](Session& session, std::string_view, TopicNotice notice) {
                                 session.send(notice == TopicNotice::degraded ? "down" : "back");
                               }});
    EXPECT_TRUE(server.start());
    publish("first");
    await_events(1);
  }

  // Waits for the receipt.
  std::optional<Position> publish(std::string_view payload) const {
    std::promise<std::optional<Position>> told;
    while (topic.publish(payload, [&](std::optional<Position> at) { told.set_value(at); }) !=
           PublishResult::accepted) {
      std::this_thread::yield();  // the relay is down at first
    }
    return told.get_future().get();
  }
  // Waits until so many events have reached every loop. Before, a position may be one that the topic does not know yet.
  void await_events(std::uint64_t count) const {
    while (topic.metrics().published < count || hub.pending_messages() > 0) std::this_thread::yield();
  }
  // A client that has joined behind `since`.
  std::unique_ptr<RawClient> client(Position since) const {
    auto made = std::make_unique<RawClient>(server.port());
    made->upgrade("/");
    made->send("join " + to_text(since));
    return made;
  }

  std::shared_ptr<Broker::Instance> relay;
  Server server;
  Hub hub;
  HubTopic topic;
};

class HubRelayTest : public testing::TestWithParam<LoopKind> {};

TEST_P(HubRelayTest, EventsOfOneInstanceReachTheClientsOfTheOtherInTheBrokersOrder) {
  Broker broker;
  const RelayedServer one(broker, GetParam());
  const RelayedServer two(broker, GetParam());
  const Position at = *two.publish("seen by both");
  EXPECT_EQ(at, (Position{.epoch = kEpoch, .offset = 3}));
  one.await_events(3);
  two.await_events(2);
  // A client may change the instance and keep its position.
  for (const RelayedServer* instance : {&one, &two}) {
    const auto client = instance->client({.epoch = kEpoch, .offset = 2});
    EXPECT_TRUE(client->receive().starts_with("joined"));
    EXPECT_EQ(client->receive(), "3 seen by both");
  }
  const auto client = one.client(at);
  EXPECT_EQ(client->receive(), "joined at 77-3");
  for (int i = 4; i < 20; ++i) {
    EXPECT_TRUE((i % 2 == 0 ? one : two).publish("x"));
    EXPECT_EQ(client->receive(), std::to_string(i) + " x");
  }
}

TEST_P(HubRelayTest, WhileTheRelayIsDownPublishingIsRefusedAndClientsKnow) {
  Broker broker;
  const RelayedServer instance(broker, GetParam());
  const auto client = instance.client({.epoch = kEpoch, .offset = 1});
  EXPECT_EQ(client->receive(), "joined at 77-1");
  instance.relay->set_down(true);
  EXPECT_EQ(client->receive(), "down");
  const std::uint64_t before = instance.topic.refused(PublishResult::relay_unavailable);
  EXPECT_EQ(instance.topic.publish("x"), PublishResult::relay_unavailable);
  EXPECT_EQ(instance.topic.refused(PublishResult::relay_unavailable), before + 1);
  EXPECT_EQ(instance.client({.epoch = kEpoch, .offset = 1})->receive(), "degraded at 77-1");
  instance.relay->set_down(false);
  EXPECT_EQ(client->receive(), "back");
  EXPECT_TRUE(instance.publish("y"));
  EXPECT_EQ(client->receive(), "2 y");
}

TEST_P(HubRelayTest, ARelayThatThrowsRefusesTheEventAndItsLateReceiptDoesNotCount) {
  Broker broker;
  const RelayedServer instance(broker, GetParam());
  const std::uint64_t before = api::handler_exceptions();
  instance.relay->throws = true;
  std::atomic<int> receipts = 0;
  EXPECT_EQ(instance.topic.publish("x", [&](std::optional<Position>) { ++receipts; }),
            PublishResult::relay_unavailable);
  EXPECT_EQ(api::handler_exceptions(), before + 1);
  while (instance.hub.pending_messages() > 0) std::this_thread::yield();  // the refused event holds no room
  instance.relay->take_kept()(Position{.epoch = kEpoch, .offset = 9});
  instance.relay->throws = false;
  EXPECT_EQ(instance.publish("y")->offset, 2U);
  EXPECT_EQ(receipts, 0);
}

TEST_P(HubRelayTest, AnEventThatCannotBeEncodedIsReportedAsMissed) {
  Broker broker;
  const RelayedServer instance(broker, GetParam());
  const auto client = instance.client({.epoch = kEpoch, .offset = 1});
  EXPECT_EQ(client->receive(), "joined at 77-1");
  EXPECT_EQ(instance.publish("unencodable")->offset, 2U);
  EXPECT_EQ(instance.publish("z")->offset, 3U);
  EXPECT_EQ(client->receive(), "missed 2");
  EXPECT_EQ(client->receive(), "3 z");
  EXPECT_EQ(instance.topic.metrics().failed, 1U);
}

// stop() waits for the relay's thread, which must not wait for the stop.
TEST_P(HubRelayTest, AReceiptMayStopItsServer) {
  Broker broker;
  RelayedServer instance(broker, GetParam());
  EXPECT_EQ(instance.topic.publish(
                "x", [&](std::optional<Position>) { instance.server.stop(std::chrono::milliseconds(0)); }),
            PublishResult::accepted);
  instance.server.run();
  EXPECT_EQ(instance.topic.publish("y"), PublishResult::stopped);
}

TEST_P(HubRelayTest, TheRelayIsStoppedOnceBeforeTheLoopsEnd) {
  Broker broker;
  std::shared_ptr<Broker::Instance> relay;
  {
    RelayedServer instance(broker, GetParam());
    relay = instance.relay;
    std::thread beside([&] { instance.server.run(); });
    instance.server.stop(std::chrono::milliseconds(0));
    EXPECT_EQ(relay->stops, 1);
    beside.join();
  }
  EXPECT_EQ(relay->stops, 1);
  EXPECT_EQ(relay.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Loops, HubRelayTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& loop) { return loop.param == LoopKind::epoll ? "epoll" : "uring"; });

Frame as_is(Position, std::string_view payload) {
  return Frame::text(payload);
}

TEST(HubRelay, WrongOptionsOfARelayedTopicAreNamed) {
  Broker broker;
  Server server({.port = 0});
  const Hub hub(server);
  const auto refusal = [&](HubTopicOptions options) {
    return hub.add_topic("t", std::move(options)).error().message;
  };
  EXPECT_EQ(refusal({.relayed = true, .encode = as_is}), "a relayed topic needs a relay");
  hub.set_relay(std::make_shared<Broker::Instance>(broker));
  EXPECT_EQ(refusal({.relayed = true}), "relayed: needs encode, which builds the message on each instance");
  EXPECT_EQ(refusal({.relayed = true, .presence = true, .encode = as_is}),
            "presence: the relay of this hub does not carry it; that of fanfare/nats.h does");
  EXPECT_EQ(refusal({.stored = {.messages_max = 1}, .relayed = true, .encode = as_is}),
            "a relayed topic is not stored on disk: its broker keeps it");
  EXPECT_TRUE(hub.add_topic("t", {.relayed = true, .encode = as_is}));
}

// A relay whose every function throws.
class Broken final : public Relay {
 public:
  void start(RelaySink&) override { fail(); }
  void stop() override { fail(); }
  void open(std::string_view) override { fail(); }
  void close(std::string_view) override { fail(); }
  bool publish(std::string_view, Bytes, RelayReceipt) override { fail(); }

 private:
  [[noreturn]] static void fail() { throw std::runtime_error("broken"); }
};

TEST(HubRelay, ExceptionsOfEveryFunctionOfARelayEndAtTheBorder) {
  const std::uint64_t before = api::handler_exceptions();
  {
    Server server({.port = 0, .threads = 1});
    const Hub hub(server);
    hub.set_relay(std::make_shared<Broken>());
    const HubTopic topic = *hub.add_topic("t", {.relayed = true, .encode = as_is});
    ASSERT_TRUE(server.start());
    EXPECT_EQ(topic.publish("x"), PublishResult::relay_unavailable);  // it never reported on_back()
    EXPECT_TRUE(topic.remove());
  }
  EXPECT_EQ(api::handler_exceptions(), before + 4);  // start, open, close, stop
}

TEST(HubRelayDeathTest, ASecondRelayOrOneAfterTheStartEndsTheProcessWithAMessage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Broker broker;
  const auto relay = std::make_shared<Broker::Instance>(broker);
  Server server({.port = 0, .threads = 1});
  const Hub hub(server);
  EXPECT_DEATH(hub.set_relay(nullptr), "one relay");
  hub.set_relay(relay);
  EXPECT_DEATH(hub.set_relay(relay), "one relay");
  Server running({.port = 0, .threads = 1});
  const Hub late(running);
  ASSERT_TRUE(running.start());
  EXPECT_DEATH(late.set_relay(relay), "before start");
}

}  // namespace
}  // namespace fanfare
