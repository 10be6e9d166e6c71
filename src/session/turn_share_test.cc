// How much of a turn one session may use, at the limit and one past it, without losing anything.

#include <algorithm>

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

class TurnShareTest : public LoopServerTest {
 protected:
  TurnShareTest() {
    endpoint_.when_message = [this](Session& session, std::string_view text) {
      seen_.push_back(std::string(text));
      if (when_seen_) when_seen_(session, text);
    };
  }

  std::uint64_t shares_spent() const { return server_->sessions().counters().turn_shares_spent.value(); }
  // Runs the turn in which the first message arrives, and no other.
  void run_first_turn() {
    ASSERT_TRUE(run_until([&] { return !seen_.empty(); }));
  }
  bool all_seen(std::size_t count) {
    return run_until([&] { return seen_.size() == count; });
  }

  std::vector<std::string> seen_;
  std::function<void(Session&, std::string_view)> when_seen_;
};

std::string frames(std::size_t count, std::string_view payload) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += client_frame(0x81, payload);
  return bytes;
}

TEST_P(TurnShareTest, AsManyFramesAsTheLimitAreOneTurn) {
  settings_.frames_per_turn_max = 4;
  const auto peer = open_websocket();
  write(peer, frames(4, "x"));
  run_first_turn();
  EXPECT_EQ(seen_.size(), 4U);
  EXPECT_EQ(shares_spent(), 0U);
}

TEST_P(TurnShareTest, OneFrameMoreWaitsForTheNextTurn) {
  settings_.frames_per_turn_max = 4;
  const auto peer = open_websocket();
  write(peer, frames(4, "x") + client_frame(0x81, "late"));
  run_first_turn();
  EXPECT_EQ(seen_.size(), 4U);
  EXPECT_EQ(shares_spent(), 1U);
  ASSERT_TRUE(all_seen(5));
  EXPECT_EQ(seen_.back(), "late");
  write(peer, client_frame(0x81, "later"));
  EXPECT_TRUE(all_seen(6));
  EXPECT_EQ(shares_spent(), 1U);
}

TEST_P(TurnShareTest, ControlFramesCountAsFrames) {
  settings_.frames_per_turn_max = 3;
  const auto peer = open_websocket();
  write(peer, client_frame(0x81, "x") + client_frame(0x89, "") + client_frame(0x8a, "") +
                  client_frame(0x81, "late"));
  run_first_turn();
  EXPECT_EQ(seen_.size(), 1U);
  EXPECT_TRUE(all_seen(2));
  EXPECT_EQ(shares_spent(), 1U);
}

TEST_P(TurnShareTest, AsManyBytesAsTheLimitAreOneTurn) {
  settings_.bytes_per_turn_max = 1000;
  const auto peer = open_websocket();
  write(peer, frames(2, std::string(492, 'x')));  // with 8 bytes of header each
  run_first_turn();
  EXPECT_EQ(seen_.size(), 2U);
  EXPECT_EQ(shares_spent(), 0U);
}

TEST_P(TurnShareTest, OneByteMoreWaitsForTheNextTurn) {
  settings_.bytes_per_turn_max = 1000;
  const auto peer = open_websocket();
  write(peer, client_frame(0x81, std::string(492, 'x')) + client_frame(0x81, std::string(493, 'y')));
  run_first_turn();
  EXPECT_EQ(seen_.size(), 1U);
  EXPECT_EQ(shares_spent(), 1U);
  ASSERT_TRUE(all_seen(2));
  EXPECT_EQ(seen_.back(), std::string(493, 'y'));
}

TEST_P(TurnShareTest, MessageLargerThanTheShareTakesSeveralTurns) {
  settings_.bytes_per_turn_max = 1000;
  const auto peer = open_websocket();
  write(peer, client_frame(0x82, std::string(2992, 'x')) + client_frame(0x81, "next"));
  ASSERT_TRUE(all_seen(2));
  EXPECT_EQ(seen_.front(), std::string(2992, 'x'));
  EXPECT_EQ(shares_spent(), 3U);  // after each 1000 bytes, and before "next"
}

TEST_P(TurnShareTest, SmallMessageThatInflatesCountsByWhatItBecame) {
  settings_.bytes_per_turn_max = 300;
  const auto peer = connect();
  std::string request(kUpgrade);
  request.insert(request.size() - 2,
                 "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n");
  write(peer, request);
  read_until(peer, "\r\n\r\n");
  // 300 times 'a', deflated.
  const std::string bomb = client_frame(0xc1, std::string("\x4a\x4c\x1c\x05\xc4\x02\x00\x00", 8));
  write(peer, bomb + bomb);
  run_first_turn();
  EXPECT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_.front().size(), 300U);
  EXPECT_TRUE(all_seen(2));
}

TEST_P(TurnShareTest, OthersHaveTheirTurnInBetween) {
  settings_.frames_per_turn_max = 10;
  const auto greedy = open_websocket();
  const auto honest = open_websocket();
  write(greedy, frames(1000, "greedy"));
  write(honest, client_frame(0x81, "honest"));
  ASSERT_TRUE(all_seen(1001));
  const auto its = std::ranges::find(seen_, "honest") - seen_.begin();
  EXPECT_LE(its, 10);
  EXPECT_EQ(shares_spent(), 99U);
}

TEST_P(TurnShareTest, WhatCameBeforeTheFinIsHandedOutBeforeIt) {
  settings_.frames_per_turn_max = 2;
  const auto peer = open_websocket();
  write(peer, frames(7, "x") + client_frame(0x88, "\x03\xe8"));
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return endpoint_.last == nullptr; }));
  EXPECT_EQ(seen_.size(), 7U);
  EXPECT_EQ(endpoint_.events.back(), "close peer_closed 1000 ");
}

TEST_P(TurnShareTest, FinWithoutACloseIsToldAfterTheLastMessage) {
  settings_.frames_per_turn_max = 2;
  const auto peer = open_websocket();
  write(peer, frames(7, "x"));
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return endpoint_.last == nullptr; }));
  EXPECT_EQ(seen_.size(), 7U);
  EXPECT_EQ(endpoint_.events.back(), "close connection_lost 1006 ");
}

TEST_P(TurnShareTest, PausingInBetweenHoldsTheRestBack) {
  settings_.frames_per_turn_max = 2;
  when_seen_ = [](Session& session, std::string_view text) {
    if (text == "stop") session.pause();
  };
  const auto peer = open_websocket();
  write(peer, frames(3, "x") + client_frame(0x81, "stop") + frames(4, "y"));
  ASSERT_TRUE(all_seen(4));
  for (int i = 0; i < 5; ++i) loop_->run_once(0ms);
  EXPECT_EQ(seen_.size(), 4U);
  endpoint_.last->resume();
  ASSERT_TRUE(all_seen(8));
  EXPECT_EQ(seen_.back(), "y");
  write(peer, client_frame(0x81, "alive"));
  EXPECT_TRUE(all_seen(9));
}

TEST_P(TurnShareTest, SessionMayGoWhileItsRestWaits) {
  settings_.frames_per_turn_max = 1;
  when_seen_ = [](Session& session, std::string_view) { session.close(); };
  const auto peer = open_websocket();
  write(peer, frames(5, "x"));
  EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
  EXPECT_EQ(seen_.size(), 1U);
}

class RequestShareTest : public LoopServerTest {
 protected:
  net::Descriptor connect_with_share(std::uint32_t requests) {
    LoopServerOptions options;
    options.http.requests_per_turn_max = requests;
    start(options);
    service_.when_request = [this](HttpConnection&) { ++served_; };
    return connect();
  }
  static std::string requests(std::size_t count, std::string_view path = "/x") {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) {
      bytes += "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    }
    return bytes;
  }
  static std::size_t answers(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("200 OK"); at != std::string_view::npos;
         at = text.find("200 OK", at + 1)) {
      ++count;
    }
    return count;
  }
  std::uint64_t shares_spent() const { return server_->sessions().counters().turn_shares_spent.value(); }

  std::size_t served_ = 0;
};

TEST_P(RequestShareTest, AsManyRequestsAsTheLimitAreOneTurn) {
  const auto peer = connect_with_share(4);
  write(peer, requests(4));
  ASSERT_TRUE(run_until([&] { return served_ > 0; }));
  EXPECT_EQ(served_, 4U);
  EXPECT_EQ(shares_spent(), 0U);
}

TEST_P(RequestShareTest, OneRequestMoreWaitsForTheNextTurn) {
  const auto peer = connect_with_share(4);
  write(peer, requests(4) + requests(1, "/late"));
  ASSERT_TRUE(run_until([&] { return served_ > 0; }));
  EXPECT_EQ(served_, 4U);
  EXPECT_EQ(shares_spent(), 1U);
  read_until(peer, "GET /late");
  write(peer, requests(1, "/after"));
  read_until(peer, "GET /after");
}

TEST_P(RequestShareTest, RequestsBeforeTheFinAreAllAnswered) {
  const auto peer = connect_with_share(2);
  write(peer, requests(7));
  ::shutdown(peer.get(), SHUT_WR);
  EXPECT_EQ(answers(read_until(peer, "EOF")), 7U);
}

TEST_P(RequestShareTest, RequestsBeforeTheFinAreAnsweredBehindALateAnswer) {
  const auto peer = connect_with_share(2);
  write(peer, requests(1, "/later") + requests(5));
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return server_->sessions().find_http(service_.waiting) != nullptr; }));
  for (int i = 0; i < 3; ++i) loop_->run_once(0ms);
  server_->sessions().find_http(service_.waiting)->respond({.body = "now", .headers = {}});
  const std::string text = read_until(peer, "EOF");
  EXPECT_EQ(answers(text), 6U);
  EXPECT_LT(text.find("now"), text.find("GET /x"));
}

TEST_P(RequestShareTest, UpgradeBehindManyRequestsIsServed) {
  const auto peer = connect_with_share(2);
  write(peer, requests(5) + std::string(kUpgrade) + client_frame(0x81, "Hello"));
  EXPECT_NE(read_until(peer, "Hello").find("101 Switching"), std::string::npos);
  write(peer, client_frame(0x81, "again"));
  read_until(peer, "again");
}

INSTANTIATE_TEST_SUITE_P(Kinds, RequestShareTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

INSTANTIATE_TEST_SUITE_P(Kinds, TurnShareTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
