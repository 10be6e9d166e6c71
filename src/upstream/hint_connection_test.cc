// What is found beside the HTTP of a node: a WebSocket that announces heads, none, or something that only costs time.

#include "upstream/hint_connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "upstream/node_server_for_tests.h"
#include "upstream/raw_node_for_tests.h"
#include "upstream/test_server.h"
#include "upstream/worker.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::Diary;
using testing::kControlBytes;
using testing::kPing;
using testing::kPongBytes;
using testing::NodeServer;
using testing::Peer;
using testing::RawNode;
using testing::Request;
using testing::short_frame;
using testing::TestServer;

std::string head_told(std::string_view result) {
  return R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":)" +
         std::string(result) + "}}";
}

struct HintConnectionTest : ::testing::TestWithParam<net::LoopKind> {
  Diary diary;                              // outlives all objects that write to it
  ByteBudget budget{std::size_t{1} << 30};  // and this, whatever the worker still holds at its end
  std::function<void()> on_head = [] {};
  Worker worker;
  std::unique_ptr<HintConnection> hints;

  void open(const std::string& url, HintOptions options = {}) {
    options.url = url;
    options.name = "node";
    options.loop_kind = GetParam();
    worker.run([&] {
      hints = std::make_unique<HintConnection>(
          worker, std::move(options),
          HintConnection::Callbacks{.changed = [this](bool live) { diary.write(live ? "live" : "lost"); },
                                    .head =
                                        [this](std::string_view header) {
                                          diary.write(std::string(header));
                                          on_head();
                                        }});
    });
  }
  std::string description() {
    std::string text;
    worker.run([&] { text = hints->description(); });
    return text;
  }
  // Waits until the description contains it.
  bool wait_for(std::string_view part) {
    const Instant end = worker.now() + 60s;
    while (worker.now() < end) {
      if (description().contains(part)) return true;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "it says: " << description();
    return false;
  }
};

std::string hint_loop_name(const ::testing::TestParamInfo<net::LoopKind>& kind) {
  return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
}
INSTANTIATE_TEST_SUITE_P(Loops, HintConnectionTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), hint_loop_name);

TEST(WebSocketUrl, IsTheSameEndpoint) {
  EXPECT_EQ(websocket_url_of("http://user:word@node.example:8545/v2/KEY?a=b"),
            "ws://user:word@node.example:8545/v2/KEY?a=b");
  EXPECT_EQ(websocket_url_of("https://[::1]/"), "wss://[::1]/");
}

TEST_P(HintConnectionTest, HeadsOfAWebSocketAtTheSamePort) {
  NodeServer node(
      [](session::Session& session, std::string_view text) {
        EXPECT_TRUE(text.contains("eth_subscribe") && text.contains("newHeads")) << text;
        NodeServer::answer(session, text, "\"0x1\"");
        session.send_text(head_told(R"({"number":"0x7"})"));
      },
      GetParam());
  open("http" + node.url().substr(2));
  EXPECT_TRUE(diary.wait_for("live"));
  EXPECT_TRUE(diary.wait_for(R"({"number":"0x7"})"));
}

// Only what the judge of its hints says makes it "live", with each subscription anew.
TEST_P(HintConnectionTest, ItIsCalledLiveWhileItIsOfUse) {
  NodeServer node(
      [](session::Session& session, std::string_view text) { NodeServer::answer(session, text, "\"0x1\""); },
      GetParam());
  const auto set_of_use = [this](bool of_use) { worker.run([&] { hints->set_of_use(of_use); }); };
  open("http" + node.url().substr(2), {.wait_min = 1ms, .wait_max = 2ms});
  ASSERT_TRUE(diary.wait_for("live"));
  EXPECT_EQ(description(), "silent: it has not announced a new block yet");
  set_of_use(true);
  EXPECT_EQ(description(), "live");
  set_of_use(false);
  EXPECT_EQ(description(), "silent: polls find the blocks before it announces them");
  set_of_use(true);
  EXPECT_EQ(description(), "live");
  const std::uint16_t port = node.port();
  node.stop();
  ASSERT_TRUE(wait_for("none: "));
  node.start(port);
  ASSERT_TRUE(diary.wait_for("live", 2));
  EXPECT_EQ(description(), "silent: it has not announced a new block yet");
}

// The pongs of one turn, and nothing else, wait.
TEST_P(HintConnectionTest, AtTheLimitOfWhatWaitsForTheNodeItsConnectionEnds) {
  const std::string ping = short_frame(kPing, std::string(kControlBytes, 'p'));
  constexpr std::size_t kWaiting = 2 * kPongBytes;
  constexpr std::size_t kMessageBytes = 100;  // pongs may follow one answer of this size
  for (const bool is_past : {false, true}) {
    RawNode node([&](Peer& peer, const Request&) {
      peer.read(1);  // the subscription has been sent
      peer.send(ping + ping);
      if (!is_past) peer.read(kWaiting);
    });
    open("http://" + node.address(), {.wait_min = 1h,
                                      .wait_absent_max = 1h,
                                      .message_bytes_max = kMessageBytes,
                                      .outbox_bytes_max = kWaiting - kMessageBytes + (is_past ? 0 : 1)});
    EXPECT_TRUE(wait_for(is_past ? "none: the node does not read: 162 bytes wait for it"
                                 : "none: the connection was lost"));
    EXPECT_EQ(node.connections(), 1);
    hints.reset();
  }
}

// Only the newest head is of use, so few wait for a worker that is busy.
TEST_P(HintConnectionTest, WhatWaitsForItsWorkerIsLittle) {
  constexpr std::size_t kHeadBytes = std::size_t{64} << 10;
  constexpr std::size_t kWaitingBytes = std::size_t{512} << 10;
  const std::string head = head_told("\"" + std::string(kHeadBytes, 'x') + "\"");
  std::size_t most = 0;
  on_head = [&, first = true]() mutable {
    if (!std::exchange(first, false)) return;
    // Until nothing more can come, as far as time shows it.
    const Instant end = worker.now() + 60s;
    Instant since = worker.now();
    while (worker.now() < end && (budget.used() < kWaitingBytes || worker.now() - since < 300ms)) {
      if (std::exchange(most, std::max(most, budget.used())) < budget.used()) since = worker.now();
      std::this_thread::yield();
    }
    diary.write("seen");
  };
  NodeServer node(
      [&](session::Session& session, std::string_view text) {
        NodeServer::answer(session, text, "\"0x1\"");
        for (int i = 0; i < 40; ++i) session.send_text(head);
      },
      GetParam());
  open("http" + node.url().substr(2), {.received = std::make_shared<ByteShare>(budget, budget.bytes_max())});
  ASSERT_TRUE(diary.wait_for("seen"));
  // The waiting messages, the one that filled it up and the incomplete one.
  EXPECT_LE(most, kWaitingBytes + 3 * kHeadBytes);
  hints.reset();
}

TEST_P(HintConnectionTest, APingFloodEndsTheConnectionAndItIsTriedAgainAsEver) {
  const std::string ping = short_frame(kPing, std::string(kControlBytes, 'p'));
  RawNode node([&](Peer& peer, const Request&) {
    while (peer.send(ping)) {
    }
  });
  const Instant begun = worker.now();
  open("http://" + node.address(), {.wait_min = 50ms, .wait_max = 1h});
  ASSERT_TRUE(wait_for("none: it floods: pings faster than any node sends them"));
  while (node.connections() < 3) std::this_thread::yield();
  EXPECT_GE(worker.now() - begun, 150ms);  // after 50 and 100 ms
  hints.reset();
}

TEST_P(HintConnectionTest, TheSamePathHeadersAndUserAreUsed) {
  std::mutex mutex;  // guards the head
  std::string head;
  TestServer server([&](Peer& peer, const Request& request) {
    const std::scoped_lock lock(mutex);
    head = request.head;
    peer.reply("", "404 Not Found");
  });
  open("http://user:word@127.0.0.1:" + std::to_string(server.port()) + "/v2/KEY?a=b",
       {.headers = {{"X-Token", "secret-token"}}, .wait_min = 1h});
  ASSERT_TRUE(wait_for("none: "));
  const std::scoped_lock lock(mutex);
  EXPECT_TRUE(head.starts_with("GET /v2/KEY?a=b HTTP/1.1\r\n")) << head;
  EXPECT_TRUE(head.contains("X-Token: secret-token\r\n")) << head;
  EXPECT_FALSE(head.contains("Sec-WebSocket-Extensions")) << head;
  EXPECT_TRUE(head.contains("Authorization: Basic dXNlcjp3b3Jk\r\n")) << head;
}

TEST_P(HintConnectionTest, SecretsAreNotInTheReason) {
  TestServer server([](Peer& peer, const Request& request) { peer.reply(request.head, "403 Forbidden"); });
  open("http://127.0.0.1:" + std::to_string(server.port()) + "/v2/KEY-KEY-KEY",
       {.headers = {{"X-Token", "secret-token"}}, .wait_min = 1h});
  ASSERT_TRUE(wait_for("403"));
  EXPECT_FALSE(description().contains("KEY-KEY")) << description();
  EXPECT_FALSE(description().contains("secret-token")) << description();
}

// Each of these endpoints costs a few attempts, ever more rarely.
TEST_P(HintConnectionTest, EndpointsThatAreNoWebSocketAreTriedEverMoreRarely) {
  struct Kind {
    std::string_view name;
    TestServer::Handler handler;
    std::string_view reason;
  };
  const std::vector<Kind> kinds{
      {"a page", [](Peer& peer, const Request&) { peer.reply("<html>hello</html>"); }, "200"},
      {"a redirect",
       [](Peer& peer, const Request&) { peer.reply("", "302 Found", "Location: http://127.0.0.1:1/\r\n"); },
       "302"},
      {"not allowed", [](Peer& peer, const Request&) { peer.reply("", "405 Method Not Allowed"); }, "405"},
      {"closes at once", [](Peer& peer, const Request&) { peer.close(); }, "closed the connection"},
      {"never answers", [](Peer&, const Request&) {}, ""},
      {"not HTTP", [](Peer& peer, const Request&) { peer.send("garbage garbage\r\n\r\n"); }, ""},
      {"a wrong upgrade",
       [](Peer& peer, const Request&) {
         peer.send(
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
       },
       "handshake"},
  };
  for (const Kind& kind : kinds) {
    TestServer server(kind.handler);
    const Instant begun = worker.now();
    open("http://127.0.0.1:" + std::to_string(server.port()),
         {.answer_timeout = 100ms, .wait_min = 50ms, .wait_max = 1h});
    ASSERT_TRUE(wait_for("none: ")) << kind.name;
    EXPECT_TRUE(wait_for(kind.reason)) << kind.name;
    while (server.requests() < 3) std::this_thread::yield();
    // After 50 and 100 ms.
    EXPECT_GE(worker.now() - begun, 150ms) << kind.name;
    hints.reset();
    EXPECT_FALSE(diary.has("live")) << kind.name;
  }
}

TEST_P(HintConnectionTest, ASubscriptionThatIsRefusedOrNotAnsweredIsNoHint) {
  NodeServer refuses(
      [](session::Session& session, std::string_view text) {
        session.send_text(R"({"jsonrpc":"2.0","id":)" + std::string(*jsonrpc::member(text, "id")) +
                          R"(,"error":{"code":-32601,"message":"no subscriptions here"}})");
      },
      GetParam());
  open("http" + refuses.url().substr(2), {.wait_min = 1h});
  EXPECT_TRUE(wait_for("none: it does not offer newHeads: no subscriptions here"));

  NodeServer silent([](session::Session&, std::string_view) {}, GetParam());
  open("http" + silent.url().substr(2), {.answer_timeout = 50ms, .wait_min = 1h});
  EXPECT_TRUE(wait_for("none: no answer within 1 s"));
  EXPECT_FALSE(diary.has("live"));
}

TEST_P(HintConnectionTest, AFloodAndTooLongAMessageEndTheConnection) {
  for (const bool is_long : {false, true}) {
    NodeServer node(
        [is_long](session::Session& session, std::string_view text) {
          NodeServer::answer(session, text, "\"0x1\"");
          if (is_long) {
            session.send_text(head_told("\"" + std::string(std::size_t{300} << 10, 'x') + "\""));
          } else {
            for (int i = 0; i < 5000; ++i) session.send_text("garbage");
          }
        },
        GetParam());
    diary.clear();
    open("http" + node.url().substr(2), {.wait_min = 1h});
    EXPECT_TRUE(diary.wait_for("live"));
    EXPECT_TRUE(diary.wait_for("lost"));
    EXPECT_TRUE(wait_for(is_long ? "none: " : "none: it floods"));
    EXPECT_EQ(node.connections(), 1);
  }
}

TEST_P(HintConnectionTest, AConnectionThatIsLostIsOpenedAgain) {
  NodeServer node(
      [](session::Session& session, std::string_view text) { NodeServer::answer(session, text, "\"0x1\""); },
      GetParam());
  open("http" + node.url().substr(2), {.wait_min = 1ms, .wait_max = 2ms});
  ASSERT_TRUE(diary.wait_for("live"));
  const std::uint16_t port = node.port();
  node.stop();
  EXPECT_TRUE(diary.wait_for("lost"));
  EXPECT_TRUE(wait_for("none: "));
  node.start(port);
  EXPECT_TRUE(diary.wait_for("live", 2));
}

TEST_P(HintConnectionTest, OneThatLastedIsOpenedAgainSoon) {
  for (const bool lasted : {true, false}) {
    NodeServer node(
        [](session::Session& session, std::string_view text) {
          NodeServer::answer(session, text, "\"0x1\"");
          session.start_closing(1000);
        },
        GetParam());
    diary.clear();
    open("http" + node.url().substr(2),
         {.wait_min = 1h, .stable_after = lasted ? Duration(0ms) : Duration(1h), .wait_stable = 1ms});
    ASSERT_TRUE(diary.wait_for("lost", lasted ? 3 : 1));
    worker.run([] {});
    EXPECT_TRUE(wait_for("none: the node closed the connection with 1000"));
    if (!lasted) {
      EXPECT_EQ(node.connections(), 1);
    }
    hints.reset();
  }
}

TEST_P(HintConnectionTest, ANodeThatIsNotThereYetIsTriedAgainSoon) {
  const auto port = static_cast<std::uint16_t>(TestServer::closed_port());
  open("http://127.0.0.1:" + std::to_string(port), {.wait_min = 1h, .wait_absent_max = 1ms});
  ASSERT_TRUE(wait_for("none: "));
  NodeServer node(
      [](session::Session& session, std::string_view text) { NodeServer::answer(session, text, "\"0x1\""); },
      GetParam());
  node.stop();
  node.start(port);
  EXPECT_TRUE(diary.wait_for("live"));
}

TEST_P(HintConnectionTest, OneThatWasGivenUpIsClosedForLong) {
  NodeServer node(
      [](session::Session& session, std::string_view text) { NodeServer::answer(session, text, "\"0x1\""); },
      GetParam());
  open("http" + node.url().substr(2), {.wait_max = 10ms, .stable_after = 0ms, .wait_stable = 1h});
  ASSERT_TRUE(diary.wait_for("live"));
  worker.run([this] {
    hints->give_up("it lies");
    hints->give_up("it lies");  // while it is not live
  });
  EXPECT_TRUE(diary.wait_for("lost"));
  EXPECT_TRUE(diary.wait_for("live", 2));  // after wait_max, however long the connection lasted
}

TEST_P(HintConnectionTest, ItEndsInEveryState) {
  NodeServer node(
      [](session::Session& session, std::string_view text) { NodeServer::answer(session, text, "\"0x1\""); },
      GetParam());
  const std::string url = "http" + node.url().substr(2);
  open(url);
  hints.reset();  // trying
  open(url);
  ASSERT_TRUE(diary.wait_for("live"));
  hints.reset();
  EXPECT_FALSE(diary.has("lost"));
  open("http://127.0.0.1:" + std::to_string(TestServer::closed_port()));
  ASSERT_TRUE(wait_for("none: "));
  hints.reset();
  open(url);
  worker.stop();
  hints.reset();
}

}  // namespace
}  // namespace fanfare::upstream
