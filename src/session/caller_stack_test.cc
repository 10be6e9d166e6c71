// No call runs a handler on its caller's stack: the loop calls handlers later. So a program may hold its
// locks during a call, and handlers do not nest.

#include <algorithm>
#include <deque>
#include <vector>

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

constexpr std::string_view kLater = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";

class CallerStackTest : public LoopServerTest {
 protected:
  static std::size_t answers(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("200 OK"); at != std::string_view::npos;
         at = text.find("200 OK", at + 1)) {
      ++count;
    }
    return count;
  }
  void respond(SessionId id) { server_->sessions().find_http(id)->respond({.body = "news", .headers = {}}); }
  // A session that its handler paused after "one", with these frames following.
  net::Descriptor paused_before(std::string_view frames) {
    net::Descriptor peer = open_websocket();
    endpoint_.when_message = [this](Session& session, std::string_view text) {
      seen_ += text;
      if (text == "one") session.pause();
    };
    write(peer, client_frame(0x81, "one") + std::string(frames));
    EXPECT_TRUE(run_until([&] { return seen_ == "one"; }));
    turns(5);
    return peer;
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) loop_->run_once(0ms);
  }
  bool is_closed() const { return endpoint_.events.back().starts_with("close"); }

  std::string seen_;
};

TEST_P(CallerStackTest, AnAnswerServesNoPipelinedRequest) {
  std::size_t served = 0;
  service_.when_request = [&](HttpConnection&) { ++served; };
  const auto peer = connect();
  write(peer, std::string(kLater) + std::string(kLater));
  ASSERT_TRUE(run_until([&] { return served == 1; }));
  turns(5);
  respond(service_.waiting);
  EXPECT_EQ(served, 1U);
  ASSERT_TRUE(run_until([&] { return served == 2; }));
  respond(service_.waiting);
  std::string text;
  EXPECT_TRUE(run_until([&] { return answers(text += read_now(peer)) == 2; })) << text;
}

// Each request answers the one that has waited longest, and then waits itself.
TEST_P(CallerStackTest, HandlersThatAnswerEachOtherDoNotNest) {
  constexpr std::size_t kPeers = 50;
  std::deque<SessionId> waiting;
  std::size_t depth = 0;
  std::size_t deepest = 0;
  std::size_t served = 0;
  service_.when_request = [&](HttpConnection& session) {
    deepest = std::max(deepest, ++depth);
    ++served;
    waiting.push_back(session.id());
    if (waiting.size() > kPeers) {
      const SessionId oldest = waiting.front();
      waiting.pop_front();
      respond(oldest);
    }
    --depth;
  };
  std::vector<net::Descriptor> peers;
  for (std::size_t i = 0; i < kPeers; ++i) {
    peers.push_back(connect());
    write(peers.back(), std::string(kLater) + std::string(kLater));
  }
  ASSERT_TRUE(run_until([&] { return served == kPeers; }));
  const auto last = connect();
  write(last, kLater);
  ASSERT_TRUE(run_until([&] { return served == 2 * kPeers + 1; })) << served;
  EXPECT_EQ(deepest, 1U);
}

TEST_P(CallerStackTest, TheFinBehindPipelinedRequestsIsSeenAfterThem) {
  std::size_t served = 0;
  service_.when_request = [&](HttpConnection&) { ++served; };
  const auto peer = connect();
  write(peer, std::string(kLater) + std::string(kLater));
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return served == 1; }));
  turns(5);
  respond(service_.waiting);
  ASSERT_TRUE(run_until([&] { return served == 2; }));
  respond(service_.waiting);
  EXPECT_EQ(answers(read_until(peer, "EOF")), 2U);
}

TEST_P(CallerStackTest, ResumeHandsOutNothing) {
  const auto peer = paused_before(client_frame(0x81, " two") + client_frame(0x81, " three"));
  endpoint_.last->resume();
  EXPECT_EQ(seen_, "one");
  EXPECT_TRUE(run_until([&] { return seen_ == "one two three"; })) << seen_;
}

TEST_P(CallerStackTest, AfterManyResumesAllComesOnceAndAPauseStillCounts) {
  const auto peer = paused_before(client_frame(0x81, " two"));
  for (int i = 0; i < 1000; ++i) {
    endpoint_.last->resume();
    endpoint_.last->pause();
  }
  turns(5);
  EXPECT_EQ(seen_, "one");
  endpoint_.last->resume();
  EXPECT_TRUE(run_until([&] { return seen_ == "one two"; })) << seen_;
  write(peer, client_frame(0x81, " three"));
  EXPECT_TRUE(run_until([&] { return seen_ == "one two three"; })) << seen_;
}

TEST_P(CallerStackTest, ASendTooManyReadsNoCloseFrame) {
  const auto peer = paused_before(client_frame(0x88, "\x03\xe8"));
  const std::string big(1 << 20, 'x');
  Session& session = *endpoint_.last;
  while (session.send_text(big) != SendResult::closed) {
  }
  EXPECT_FALSE(is_closed());
  EXPECT_TRUE(run_until([&] { return is_closed(); }));
  EXPECT_EQ(endpoint_.events.back(), "close slow_consumer 1000 ");
}

TEST_P(CallerStackTest, StartClosingAndShutDownReadNoCloseFrame) {
  for (const bool all : {false, true}) {
    const auto peer = paused_before(client_frame(0x88, "\x03\xe8"));
    if (all) {
      server_->drain(1012, "");
    } else {
      endpoint_.last->start_closing(1000);
    }
    EXPECT_FALSE(is_closed());
    EXPECT_TRUE(run_until([&] { return is_closed(); }));
    EXPECT_EQ(endpoint_.events.back(), all ? "close shut_down 1000 " : "close we_closed 1000 ");
    seen_.clear();
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CallerStackTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
