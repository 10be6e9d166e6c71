// Nodes behind WebSocket that send unrequested messages, or more than can be processed. They lose their own
// connection and use a bounded amount of memory, and nobody else is affected.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "upstream/node_server_for_tests.h"
#include "upstream/raw_node_for_tests.h"
#include "upstream/test_calls.h"
#include "upstream/websocket_link.h"
#include "upstream/websocket_node.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::Diary;
using testing::expect_failure;
using testing::Flood;
using testing::kControlBytes;
using testing::kPing;
using testing::kPong;
using testing::kPongBytes;
using testing::kRead;
using testing::NodeServer;
using testing::Peer;
using testing::RawNode;
using testing::Request;
using testing::short_frame;

constexpr std::string_view kAsk = R"({"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"})";

std::string told(std::string_view subscription, std::string_view result) {
  return R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":)" +
         std::string(subscription) + R"(,"result":)" + std::string(result) + "}}";
}

struct Observing final : Observer {
  void call_finished(const CallReport&) override {}
  void flooded(std::string_view) override { ++floods; }
  std::atomic<int> floods = 0;
};

struct WebSocketFloodTest : ::testing::TestWithParam<net::LoopKind> {
  // Used by the worker's thread, so that each test ends its endpoint.
  std::function<void(std::string_view)> on_told = [](std::string_view) {};
  std::string reason;
  Diary diary;
  Observing observer;
  Worker worker;
  std::unique_ptr<WebSocketNode> endpoint;

  void open(const NodeServer& node, WebSocketOptions options = {}) { open(node.url(), std::move(options)); }
  void open(std::string url, WebSocketOptions options = {}) {
    options.url = std::move(url);
    options.loop_kind = GetParam();
    // In one task: a flood may be noticed before the next.
    worker.run([&] {
      endpoint = std::make_unique<WebSocketNode>(worker, std::move(options), &observer);
      endpoint->set_watcher({.changed = {},
                             .event = [this](NodeTopic, std::string_view result) { on_told(result); },
                             .flooding_changed =
                                 [this] {
                                   diary.write(endpoint->flooding().empty() ? "good again" : "flooding");
                                   if (!endpoint->flooding().empty()) reason = endpoint->flooding();
                                 }});
    });
  }
  void watch(NodeTopic topic) {
    worker.run([this, topic] { endpoint->watch(topic, true); });
  }
};

std::string kind_name(const ::testing::TestParamInfo<net::LoopKind>& kind) {
  return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
}
INSTANTIATE_TEST_SUITE_P(Loops, WebSocketFloodTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), kind_name);

TEST_P(WebSocketFloodTest, WhatNobodyAskedForPutsTheNodeAsideAndItIsTriedAgain) {
  struct Kind {
    std::string text;
    std::string_view problem;
  };
  const std::vector<Kind> kinds{
      {"garbage", "text that is not JSON-RPC"},
      {told("\"0x9\"", "{}"), "notifications that nobody asked for"},
      {R"({"jsonrpc":"2.0","id":99999,"result":1})", "answers that nobody asked for"},
      {std::string(std::size_t{8} << 20, 'x'), "many bytes that nobody asked for"},
  };
  for (const Kind& kind : kinds) {
    std::atomic<bool> floods = true;
    Flood flood([&] { return floods ? kind.text : std::string(); });
    NodeServer node([](session::Session& session,
                       std::string_view text) { NodeServer::answer(session, text, "\"0x5\""); },
                    GetParam(), [&](session::Session& session) { flood(session); });
    open(node, {.flood_backoff_min = 1ms, .flood_backoff_max = 2ms});
    ASSERT_TRUE(diary.wait_for("flooding", 3)) << kind.problem;
    worker.run([&] { EXPECT_NE(reason.find(kind.problem), std::string::npos) << reason; });
    floods = false;
    Result result = ask(worker, *endpoint, std::string(kAsk), kRead);
    while (!result) result = ask(worker, *endpoint, std::string(kAsk), kRead);
    EXPECT_GE(node.connections(), 4);
    EXPECT_GE(observer.floods, 3);
    EXPECT_TRUE(diary.has("good again"));
    endpoint.reset();
    diary.clear();
  }
}

// It reads the pongs or not: it is put aside before they need room.
TEST_P(WebSocketFloodTest, PingsOrPongsWithoutEndPutTheNodeAside) {
  struct Kind {
    std::uint8_t frame;
    std::string_view problem;
  };
  for (const Kind& kind : {Kind{kPing, "it floods: pings faster than any node sends them"},
                           Kind{kPong, "it floods: pongs that nobody asked for"}}) {
    const std::string frame = short_frame(kind.frame, std::string(kControlBytes, 'p'));
    RawNode node([&](Peer& peer, const Request&) {
      while (peer.send(frame)) {
      }
    });
    open("ws://" + node.address(), {.flood_backoff_min = 1ms, .flood_backoff_max = 2ms});
    ASSERT_TRUE(diary.wait_for("flooding", 3)) << kind.problem;
    worker.run([&] { EXPECT_TRUE(reason.starts_with(kind.problem)) << reason; });
    EXPECT_GE(observer.floods, 3);
    endpoint.reset();
    diary.clear();
  }
}

TEST_P(WebSocketFloodTest, AsManyPingsAsItMaySendAreAllAnswered) {
  std::string pings;
  for (std::uint32_t i = 0; i < IntakeLimits{}.useless_max; ++i)
    pings += short_frame(kPing, std::string(kControlBytes, 'p'));
  std::promise<bool> answered;
  RawNode node([&](Peer& peer, const Request&) {
    peer.send(pings);
    answered.set_value(peer.read(IntakeLimits{}.useless_max * kPongBytes));
    peer.wait_for_close();
  });
  open("ws://" + node.address(), {.only_once = true});
  EXPECT_TRUE(answered.get_future().get());
  EXPECT_FALSE(diary.has("flooding"));
  endpoint.reset();
}

TEST_P(WebSocketFloodTest, CallsOfANodeThatIsPutAsideFailAtOnce) {
  Flood flood([] { return std::string("garbage"); });
  NodeServer node([](session::Session&, std::string_view) {}, GetParam(),
                  [&](session::Session& session) { flood(session); });
  open(node, {.flood_backoff_min = 1h, .flood_backoff_max = 1h});
  ASSERT_TRUE(diary.wait_for("flooding"));
  const Result result = ask(worker, *endpoint, std::string(kAsk), kRead);
  expect_failure(result, FailureKind::connect);
  EXPECT_NE(result.error().message.find("it floods"), std::string::npos) << result.error().message;
  EXPECT_EQ(node.connections(), 1);
  endpoint.reset();
}

// Every message was requested, but they come faster than they can be processed: the socket is not read.
TEST_P(WebSocketFloodTest, ANodeThatIsFasterThanItsReaderWaits) {
  constexpr std::size_t kTextBytes = 64 << 10;
  constexpr std::size_t kMessages = 1500;  // 96 MiB
  ByteBudget budget(std::size_t{1} << 30);
  const std::string text = told("\"0xabc\"", "\"" + std::string(kTextBytes, 'x') + "\"");
  std::size_t sent = 0;
  Flood flood([&] { return sent++ < kMessages ? text : std::string(); });
  NodeServer node(
      [&](session::Session& session, std::string_view asked) {
        NodeServer::answer(session, asked, "\"0xabc\"");
        flood(session);
      },
      GetParam(),
      [&](session::Session& session) {
        if (sent > 0) flood(session);
      });
  std::size_t seen = 0;
  std::size_t most = 0;
  std::promise<void> all;
  on_told = [&](std::string_view) {
    // Until the inbox is full, or a minute has passed.
    const Instant late = system_clock().now() + 60s;
    while (seen == 0 && budget.used() < InboxLimits{}.bytes_max && system_clock().now() < late) {
      std::this_thread::yield();
    }
    most = std::max(most, budget.used());
    if (++seen == kMessages) all.set_value();
  };
  open(node, {.received = std::make_shared<ByteShare>(budget, budget.bytes_max())});
  watch(NodeTopic::pending_hashes);
  ASSERT_EQ(all.get_future().wait_for(120s), std::future_status::ready);
  worker.run([&] {
    EXPECT_EQ(seen, kMessages);
    EXPECT_GE(most, InboxLimits{}.bytes_max);
    // The waiting messages, and the incomplete one.
    EXPECT_LE(most, InboxLimits{}.bytes_max + 4 * kTextBytes);
  });
  EXPECT_EQ(observer.floods, 0);
  endpoint.reset();
  EXPECT_EQ(budget.used(), 0U);
}

TEST_P(WebSocketFloodTest, OfTooManyHeadsTheLastOneIsToldAndMostAreNot) {
  constexpr std::size_t kHeads = 20'000;
  std::size_t sent = 0;
  Flood flood([&] { return sent < kHeads ? told("\"0xabc\"", std::to_string(++sent)) : std::string(); });
  NodeServer node(
      [&](session::Session& session, std::string_view asked) {
        NodeServer::answer(session, asked, "\"0xabc\"");
        flood(session);
      },
      GetParam(),
      [&](session::Session& session) {
        if (sent > 0) flood(session);
      });
  std::vector<std::size_t> numbers;
  std::promise<void> last;
  on_told = [&](std::string_view result) {
    numbers.push_back(std::stoul(std::string(result)));
    if (numbers.back() == kHeads) last.set_value();
  };
  open(node);
  watch(NodeTopic::new_heads);
  ASSERT_EQ(last.get_future().wait_for(60s), std::future_status::ready);
  worker.run([&] {
    EXPECT_TRUE(std::ranges::is_sorted(numbers));
    EXPECT_LT(numbers.size(), kHeads / 2);
    EXPECT_GE(numbers.size(), IntakeLimits{}.heads_max);
  });
  endpoint.reset();
}

TEST_P(WebSocketFloodTest, WithoutRoomForWhatItSendsTheConnectionEndsAndTheNextOneIsGood) {
  ByteBudget budget(100'000);
  std::atomic<bool> large = true;
  NodeServer node(
      [&](session::Session& session, std::string_view asked) {
        NodeServer::answer(session, asked, large ? "\"" + std::string(150'000, 'x') + "\"" : "\"0x1\"");
      },
      GetParam());
  open(node,
       {.reconnect_backoff_max = 1ms, .received = std::make_shared<ByteShare>(budget, budget.bytes_max())});
  expect_failure(ask(worker, *endpoint, std::string(kAsk), kRead), FailureKind::closed);
  large = false;
  Result result = ask(worker, *endpoint, std::string(kAsk), kRead);
  while (!result) result = ask(worker, *endpoint, std::string(kAsk), kRead);
  EXPECT_EQ(observer.floods, 0);
  endpoint.reset();
}

TEST_P(WebSocketFloodTest, AnAnswerCountsAgainstTheShareOfTheOneWhoAsked) {
  ByteBudget budget(1000);
  NodeServer node(
      [](session::Session& session, std::string_view asked) {
        NodeServer::answer(session, asked, "\"" + std::string(300, 'x') + "\"");
      },
      GetParam());
  open(node);
  CallOptions options = kRead;
  options.payer = std::make_shared<ByteShare>(budget, 400);
  {
    const Result kept = ask(worker, *endpoint, std::string(kAsk), options);
    ASSERT_TRUE(kept.has_value());
    EXPECT_GT(budget.used(), 300U);
    expect_failure(ask(worker, *endpoint, std::string(kAsk), options), FailureKind::no_room);
    EXPECT_TRUE(ask(worker, *endpoint, std::string(kAsk), kRead).has_value());
  }
  EXPECT_EQ(budget.used(), 0U);
  endpoint.reset();
}

// One worker for each, or one for both: the other node's calls are answered during a flood, before and after
// the flooding node is put aside.
TEST_P(WebSocketFloodTest, TheOtherNetworkIsAnswered) {
  const std::string text = told("\"0xabc\"", "\"" + std::string(1000, 'x') + "\"");
  for (const bool together : {false, true}) {
    Flood flood([&] { return text; });
    NodeServer bad(
        [&](session::Session& session, std::string_view asked) {
          NodeServer::answer(session, asked, "\"0xabc\"");
          flood(session);
        },
        GetParam(),
        [&](session::Session& session) {
          if (flood.sent_bytes() > 0) flood(session);
        });
    NodeServer good([](session::Session& session,
                       std::string_view asked) { NodeServer::answer(session, asked, "\"0x5\""); },
                    GetParam());
    std::atomic<std::size_t> seen = 0;
    on_told = [&](std::string_view) { ++seen; };
    open(bad);
    watch(NodeTopic::pending_hashes);
    Worker other;
    Worker& of_good = together ? worker : other;
    WebSocketNode another(of_good, {.url = good.url(), .loop_kind = GetParam()});
    for (int i = 0; i < 20; ++i) {
      const std::size_t before = seen;
      EXPECT_TRUE(ask(of_good, another, std::string(kAsk), kRead).has_value());
      while (seen < before + 100) std::this_thread::yield();  // the flood continues
    }
    endpoint.reset();
  }
}

TEST_P(WebSocketFloodTest, StopsInTheMidstOfAFlood) {
  const std::string text = told("\"0xabc\"", "\"" + std::string(1000, 'x') + "\"");
  Flood flood([&] { return text; });
  NodeServer node(
      [&](session::Session& session, std::string_view asked) {
        NodeServer::answer(session, asked, "\"0xabc\"");
        flood(session);
      },
      GetParam(),
      [&](session::Session& session) {
        if (flood.sent_bytes() > 0) flood(session);
      });
  std::promise<void> flooded;
  std::atomic<std::size_t> seen = 0;
  on_told = [&](std::string_view) {
    if (++seen == 2000) flooded.set_value();
  };
  open(node);
  watch(NodeTopic::pending_hashes);
  flooded.get_future().wait();
  const Instant begun = system_clock().now();
  worker.stop();
  endpoint.reset();
  EXPECT_LT(system_clock().now() - begun, 30s);  // it would never end
}

}  // namespace
}  // namespace fanfare::upstream
