// How a link ends: each reason in words, and the limit of what waits for a node that does not read.

#include "upstream/websocket_link.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "upstream/node_server_for_tests.h"
#include "upstream/raw_node_for_tests.h"
#include "upstream/worker.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::Diary;
using testing::kControlBytes;
using testing::kPing;
using testing::kPongBytes;
using testing::Peer;
using testing::RawNode;
using testing::Request;
using testing::short_frame;

constexpr std::size_t kPings = 100'000;

struct WebSocketLinkTest : ::testing::TestWithParam<net::LoopKind>, LinkHandler {
  Diary diary;
  Worker worker;
  std::unique_ptr<WebSocketLink> link;

  void link_opened() override { diary.write("open"); }
  void link_received(const jsonrpc::Answer&) override {}
  void link_lost(const LinkLost& lost) override { diary.write(lost.why); }

  void open(const std::string& address, LinkOptions options) {
    options.url = "ws://" + address;
    options.loop_kind = GetParam();
    worker.run([&] { link = std::make_unique<WebSocketLink>(worker, std::move(options), *this); });
  }
  void close() {
    worker.run([this] { link.reset(); });
  }
};

std::string link_loop_name(const ::testing::TestParamInfo<net::LoopKind>& kind) {
  return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
}
INSTANTIATE_TEST_SUITE_P(Loops, WebSocketLinkTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), link_loop_name);

// The limit of pings is out of the way: only that of what waits is left.
LinkOptions without_limit_of_pings(std::size_t outbox_bytes_max) {
  LinkOptions options;
  options.outbox_bytes_max = outbox_bytes_max;
  options.message_bytes_max = 1000;
  options.intake.useless_max = std::numeric_limits<std::uint32_t>::max();
  return options;
}

TEST_P(WebSocketLinkTest, ANodeThatReadsNoPongsLosesItsConnectionAtTheLimit) {
  const std::string ping = short_frame(kPing, std::string(kControlBytes, 'p'));
  std::atomic<std::size_t> sent = 0;
  RawNode node([&](Peer& peer, const Request& request) {
    while (peer.send(ping)) {
      if (request.connection == 1) sent += ping.size();
    }
  });
  open(node.address(), without_limit_of_pings(std::size_t{64} << 10));
  EXPECT_TRUE(diary.wait_for("the node does not read: 65536 bytes wait for it"));
  EXPECT_LT(sent, std::size_t{40} << 20) << "the rest is in the system's buffers";
  EXPECT_TRUE(diary.wait_for("open", 2)) << "it is tried again";
  close();
}

TEST_P(WebSocketLinkTest, BelowTheLimitPongsWaitForANodeThatDoesNotRead) {
  std::string pings;
  for (std::size_t i = 0; i < kPings; ++i) pings += short_frame(kPing, std::string(kControlBytes, 'p'));
  std::promise<bool> all;
  RawNode node([&](Peer& peer, const Request&) {
    // More than the system's buffers take; the link has read all of them before anyone reads a pong.
    peer.send(pings);
    all.set_value(peer.read(kPings * kPongBytes));
    peer.wait_for_close();
  });
  LinkOptions options = without_limit_of_pings(kPings * kPongBytes);
  options.only_once = true;
  open(node.address(), options);
  EXPECT_TRUE(all.get_future().get());
  close();
}

TEST_P(WebSocketLinkTest, TheReasonSaysWhatTheNodeDid) {
  struct Kind {
    std::string frames;
    std::string_view why;
  };
  for (const Kind& kind : {
           Kind{"", "the connection was lost"},
           Kind{std::string("\x88\x02\x03\xE9", 4), "the node closed the connection with 1001"},
           Kind{short_frame(0xF1, "x"), "the node broke a rule of WebSocket: reserved_bits_set"},
           Kind{short_frame(0x81, std::string(101, 'x')), "a message is longer than 100 bytes"},
       }) {
    RawNode node([&](Peer& peer, const Request&) { peer.send(kind.frames); });
    LinkOptions options;
    options.message_bytes_max = 100;
    open(node.address(), options);
    EXPECT_TRUE(diary.wait_for(std::string(kind.why))) << kind.why;
    close();
  }
}

TEST_P(WebSocketLinkTest, ANodeThatAnswersNoPingLosesItsConnection) {
  RawNode node([](Peer& peer, const Request&) {
    while (!peer.wait_for_close()) {
    }
  });
  LinkOptions options;
  options.ping_interval = 10ms;
  options.pong_timeout = 10ms;
  open(node.address(), options);
  EXPECT_TRUE(diary.wait_for("the node did not answer a ping in time"));
  close();
}

TEST_P(WebSocketLinkTest, CompressionIsOfferedUnlessTheOptionSaysNo) {
  for (const bool deflate : {true, false}) {
    std::promise<bool> offered;
    RawNode node([&](Peer& peer, const Request& request) {
      offered.set_value(request.head.contains("permessage-deflate"));
      peer.wait_for_close();
    });
    LinkOptions options;
    options.deflate = deflate;
    options.only_once = true;
    open(node.address(), options);
    EXPECT_EQ(offered.get_future().get(), deflate);
    close();
  }
}

}  // namespace
}  // namespace fanfare::upstream
