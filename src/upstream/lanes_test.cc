#include "upstream/lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "upstream/pool.h"
#include "upstream/time_for_tests.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::SimulatedTime;

constexpr const char* kAnswer = R"({"jsonrpc":"2.0","id":1,"result":"0x1"})";

// A node that answers when the test says so, and fails with a timeout when a call's time is over.
struct SlowNode final : Backend {
  explicit SlowNode(SimulatedTime& its_time) : time(its_time) {}
  ~SlowNode() override {
    for (auto& [id, done] : std::exchange(open, {})) end(id, done, FailureKind::shutdown);
  }
  void call(std::string body, CallOptions options, Done done) override {
    const std::uint64_t id = ++last;
    bodies.push_back(std::move(body));
    timeouts.push_back(options.timeout);
    open.emplace_back(id, std::move(done));
    if (!options.timeout) return;
    timers[id] = time.call_after(*options.timeout, [this, id] {
      const auto found = std::ranges::find(open, id, [](const auto& one) { return one.first; });
      if (found == open.end()) return;
      Done late = std::move(found->second);
      open.erase(found);
      late(std::unexpected(Failure{.kind = FailureKind::timeout, .sent = true}));
    });
  }
  void end(std::uint64_t id, Done& done, FailureKind kind) {
    time.cancel(timers[id]);
    done(std::unexpected(Failure{.kind = kind, .sent = true}));
  }
  void answer_oldest() {
    auto [id, done] = std::move(open.front());
    open.pop_front();
    time.cancel(timers[id]);
    done(Reply{.body = kAnswer});
  }
  std::optional<std::uint64_t> connection() const override { return link; }
  void on_reconnect(std::function<void()> told) override { reconnected = std::move(told); }
  void connect_now() override { ++attempts; }
  std::string_view name() const override { return "node"; }

  SimulatedTime& time;
  std::uint64_t last = 0;
  std::deque<std::pair<std::uint64_t, Done>> open;
  std::map<std::uint64_t, TimerId> timers;
  std::vector<std::string> bodies;
  std::vector<std::optional<Duration>> timeouts;
  std::optional<std::uint64_t> link;
  std::function<void()> reconnected;
  int attempts = 0;
};

struct LanesTest : ::testing::Test {
  SimulatedTime time;
  SlowNode* clients = nullptr;
  SlowNode* source = nullptr;
  std::vector<std::string> ends;
  std::unique_ptr<Lanes> lanes;

  std::unique_ptr<Lanes> make(LaneOptions options) {
    auto for_clients = std::make_unique<SlowNode>(time);
    auto for_source = std::make_unique<SlowNode>(time);
    clients = for_clients.get();
    source = for_source.get();
    return std::make_unique<Lanes>(time, std::move(for_clients), std::move(for_source), options);
  }
  void call(const std::string& name, CallOptions options) {
    lanes->call(name, std::move(options), [this, name](Result result) {
      ends.push_back(name + ": " + (result ? "answered" : std::string(to_string(result.error().kind))));
    });
  }
};

CallOptions by(std::uint64_t connection, Duration timeout = 10s) {
  return {.timeout = timeout, .caller = {.client = {}, .connection = connection}, .repeat = Repeat::always};
}
CallOptions of_source(std::string method) {
  return {.timeout = 10s, .for_source = true, .method = std::move(method), .repeat = Repeat::always};
}

TEST_F(LanesTest, TheSourceNeverWaitsBehindClients) {
  lanes = make({.clients = {.calls_max = 2}});
  for (int i = 0; i < 100; ++i) call("slow", by(static_cast<std::uint64_t>(i)));
  call("head", of_source("eth_getBlockByNumber"));
  EXPECT_EQ(clients->open.size(), 2U);
  EXPECT_EQ(source->bodies, std::vector<std::string>{"head"});
}

TEST_F(LanesTest, ManyClientsWithSlowReadsDoNotDelayTheFastReadOfOneMore) {
  lanes = make({.clients = {.calls_max = 8}});
  const auto of = [](std::uint64_t connection, std::string method) {
    CallOptions options = by(connection);
    options.method = std::move(method);
    return options;
  };
  // A slow method that has no such name: the first calls are measured.
  for (std::uint64_t i = 0; i < 8; ++i) call("slow", of(i, "eth_call"));
  EXPECT_EQ(clients->open.size(), 8U);
  time.run_for(3s);
  while (!clients->open.empty()) clients->answer_oldest();
  const auto fast_pass_slow = [&](const char* slow, const char* fast) {
    for (std::uint64_t i = 0; i < 200; ++i) call("slow", of(i, slow));
    EXPECT_EQ(clients->open.size(), 6U) << slow;
    call("fast", of(1000, fast));
    EXPECT_EQ(clients->bodies.back(), "fast") << slow;
    call("fast", of(5, fast));  // of a client with slow reads, too
    EXPECT_EQ(clients->bodies.back(), "fast") << slow;
    time.run_for(20s);
    EXPECT_TRUE(clients->open.empty());
  };
  fast_pass_slow("eth_call", "eth_getBalance");
  fast_pass_slow("eth_getLogs",
                 "eth_getCode");  // the others were not answered in time, so they count as slow
}

TEST_F(LanesTest, HeadsNeverWaitBehindLogs) {
  lanes = make({.source = {.calls_max = 4}});
  for (int i = 0; i < 50; ++i) call("logs", of_source("eth_getLogs"));
  for (int i = 0; i < 50; ++i) call("receipts", of_source("eth_getBlockReceipts"));
  EXPECT_EQ(source->open.size(), 3U);
  for (const char* method :
       {"eth_getBlockByNumber", "eth_getBlockByHash", "eth_blockNumber", "eth_chainId"}) {
    call("head", of_source(method));
    ASSERT_EQ(source->bodies.back(), "head") << method;
    std::swap(source->open.front(), source->open.back());
    source->answer_oldest();
    ASSERT_EQ(ends.back(), "head: answered");
  }
}

TEST_F(LanesTest, TheNodesTimeBeginsAfterTheQueue) {
  lanes = make({.clients = {.calls_max = 1}});
  call("first", by(1, 30s));
  CallOptions options = by(2, 10s);
  options.deadline = time.now() + 30s;
  options.queue_time = std::make_shared<QueueTime>();
  const auto queue_time = options.queue_time;
  call("second", options);
  EXPECT_TRUE(queue_time->waiting);
  time.run_for(9s);
  clients->answer_oldest();
  EXPECT_FALSE(queue_time->waiting);
  EXPECT_EQ(queue_time->left_at, time.now());
  EXPECT_EQ(clients->timeouts.back(), Duration(10s));
  time.run_for(10s);
  EXPECT_EQ(ends.back(), "second: timeout") << "the node had all of its time";
}

TEST_F(LanesTest, TimeThatTheQueueTookIsNotTheNodesFault) {
  lanes = make({.clients = {.calls_max = 1}});
  call("first", by(1, 30s));
  call("second", by(2, 10s));
  time.run_for(9s);
  clients->answer_oldest();
  EXPECT_EQ(clients->timeouts.back(), Duration(1s));
  time.run_for(1s);
  EXPECT_EQ(ends.back(), "second: overloaded");
}

TEST_F(LanesTest, ANodeThatHadNearlyAllOfTheTimeIsLateByItself) {
  lanes = make({.clients = {.calls_max = 1}});
  CallOptions options = by(1, 10s);
  options.deadline = time.now() + 9s;  // a tenth has passed before the call
  call("first", options);
  time.run_for(9s);
  EXPECT_EQ(ends.back(), "first: timeout");
  options.deadline = time.now() + 8999ms;
  call("second", options);
  time.run_for(9s);
  EXPECT_EQ(ends.back(), "second: overloaded");
}

TEST_F(LanesTest, WhatWaitsTooLongEndsAsOverloaded) {
  lanes = make({.clients = {.calls_max = 1}});
  call("first", by(1, 30s));
  CallOptions options = by(2, 10s);
  options.deadline = time.now() + 30s;
  options.queue_time = std::make_shared<QueueTime>();
  call("second", options);
  time.run_for(9999ms);
  EXPECT_TRUE(ends.empty());
  time.run_for(1ms);
  EXPECT_EQ(ends, std::vector<std::string>{"second: overloaded"});
  EXPECT_FALSE(options.queue_time->waiting);
  clients->answer_oldest();
  EXPECT_EQ(clients->bodies.size(), 1U) << "it is not sent after its end";
}

TEST_F(LanesTest, OneCallPastTheLimitIsRefusedAndNotInsideTheCall) {
  lanes = make({.clients = {.calls_max = 1, .waiting_max = 2, .waiting_per_client_max = 1}});
  call("at the node", by(1));
  call("waits", by(1));
  call("one more of its client", by(1));
  call("waits too", by(2));
  call("one more", by(3));
  EXPECT_TRUE(ends.empty());
  time.run_for(1ms);
  EXPECT_EQ(ends, (std::vector<std::string>{"one more of its client: overloaded", "one more: overloaded"}));
}

TEST_F(LanesTest, EveryCallEndsOnceWhenTheLanesGo) {
  lanes = make({.clients = {.calls_max = 1, .waiting_max = 1}});
  call("at the node", by(1));
  call("waits", by(2));
  call("refused", by(3));
  call("head", of_source("eth_blockNumber"));
  lanes.reset();
  time.run_for(1min);
  std::ranges::sort(ends);
  EXPECT_EQ(ends, (std::vector<std::string>{"at the node: shutdown", "head: shutdown", "refused: overloaded",
                                            "waits: shutdown"}));
}

TEST_F(LanesTest, AReconnectOfEitherIsNoticed) {
  lanes = make({});
  EXPECT_FALSE(lanes->connection().has_value());
  clients->link = 1;
  source->link = 1;
  const auto before = lanes->connection();
  ASSERT_TRUE(before.has_value());
  int told = 0;
  lanes->on_reconnect([&] { ++told; });
  source->link = 2;
  source->reconnected();
  EXPECT_NE(lanes->connection(), before);
  const auto between = lanes->connection();
  clients->link = 2;
  clients->reconnected();
  EXPECT_NE(lanes->connection(), between);
  EXPECT_EQ(told, 2);
}

// Each side waits between its attempts by itself. Without this, calls fail while heads arrive already.
TEST_F(LanesTest, ASideThatReachesTheNodeMakesTheOtherOneTryAtOnce) {
  lanes = make({});
  source->reconnected();
  EXPECT_EQ(clients->attempts, 1);
  EXPECT_EQ(source->attempts, 0);
  clients->reconnected();
  EXPECT_EQ(clients->attempts, 1);
  EXPECT_EQ(source->attempts, 1);
}

// --- with a pool in front --------------------------------------------------------------------------

struct QueuedPoolTest : LanesTest {
  SlowNode* spare = nullptr;
  std::unique_ptr<Pool> pool;

  void make_pool(PoolOptions options) {
    std::vector<std::unique_ptr<Backend>> members;
    members.push_back(make({.clients = {.calls_max = 1}}));
    auto second = std::make_unique<SlowNode>(time);
    spare = second.get();
    members.push_back(std::move(second));
    options.watch_heads_every = 0s;
    pool = std::make_unique<Pool>(time, std::move(members), std::move(options));
  }
  void ask(const std::string& name, std::uint64_t connection) {
    CallOptions options = by(connection);
    options.timeout.reset();
    pool->call(name, std::move(options), [this, name](Result result) {
      ends.push_back(name + ": " + (result ? "answered" : std::string(to_string(result.error().kind))));
    });
  }
};

TEST_F(QueuedPoolTest, ACallInOurQueueIsNotHedged) {
  make_pool({.hedge_after = 1s});
  ask("first", 1);
  time.run_for(500ms);
  ask("second", 2);
  time.run_for(400ms);
  clients->answer_oldest();
  time.run_for(999ms);
  EXPECT_TRUE(spare->bodies.empty()) << "the node has had it for less than a second";
  time.run_for(1ms);
  EXPECT_EQ(spare->bodies, std::vector<std::string>{"second"});
}

TEST_F(QueuedPoolTest, TimeInOurQueueIsNotTheNodesLatency) {
  make_pool({});
  ask("first", 1);
  ask("second", 2);
  time.run_for(5s);
  clients->answer_oldest();
  EXPECT_EQ(pool->status()[0].latency, Duration(5s));
  time.run_for(5s);
  clients->answer_oldest();
  EXPECT_EQ(pool->status()[0].latency, Duration(5s)) << "ten seconds after it was asked, five of them queued";
  EXPECT_EQ(ends, (std::vector<std::string>{"first: answered", "second: answered"}));
}

TEST_F(QueuedPoolTest, ANodeIsNotPutAsideForWhatWaitsInOurQueue) {
  make_pool({.timeout = 8s, .attempt_timeout = 8s});
  ask("first", 1);
  for (std::uint64_t i = 2; i < 40; ++i) ask("waits", i);
  time.run_for(7900ms);
  clients->answer_oldest();  // the next one has a tenth of a second left
  time.run_for(10s);
  EXPECT_TRUE(pool->status()[0].available);
  EXPECT_EQ(std::ranges::count(ends, "waits: overloaded"), 38);
}

}  // namespace
}  // namespace fanfare::upstream
