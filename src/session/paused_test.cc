// A paused session notices that its peer has disconnected, and loses no earlier data.

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

class PausedTest : public LoopServerTest {
 protected:
  PausedTest() {
    endpoint_.when_message = [this](Session&, std::string_view text) { seen_ += text; };
  }
  net::Descriptor connect_tcp() {
    start();
    auto listening = net::listen_on(net::Address::parse("127.0.0.1", 0).value()).value();
    const net::Address address = net::local_address(listening.get()).value();
    server_->listen(std::move(listening), service_);
    net::Descriptor peer = net::start_connect(address).value();
    EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 1; }));
    write(peer, kUpgrade);
    read_until(peer, "\r\n\r\n");
    return peer;
  }
  // A paused session and its peer, over TCP or a Unix socket.
  net::Descriptor paused(bool tcp) {
    net::Descriptor peer = tcp ? connect_tcp() : open_websocket();
    endpoint_.last->pause();
    loop_->run_once(0ms);
    return peer;
  }
  template <typename Test>
  void over_both(Test test) {
    for (const bool tcp : {false, true}) {
      SCOPED_TRACE(tcp ? "tcp" : "unix");
      seen_.clear();
      test(tcp);
      server_.reset();
      if (HasFailure()) return;
    }
  }
  void when_seen(std::function<void(Session&)> then) {
    endpoint_.when_message = [this, then = std::move(then)](Session& session, std::string_view text) {
      seen_ += text;
      then(session);
    };
  }
  // Waits until both systems have accepted as much as they can; how long that takes depends on them.
  void settle() {
    std::size_t last = SIZE_MAX;
    int same = 0;
    ASSERT_TRUE(run_until([&] {
      const std::size_t now = transport().send_progress().bytes + endpoint_.last->queued_bytes();
      same = now == last ? same + 1 : 0;
      last = now;
      return same == 100;
    }));
  }
  const net::Transport& transport() const { return std::as_const(*endpoint_.last).transport(); }
  bool is_gone() const { return server_->sessions().size() == 0; }
  bool sees_the_end() {
    return run_until([&] { return transport().is_end_unread(); });
  }

  std::string seen_;
};

TEST_P(PausedTest, PeersFinEndsTheSessionAfterCloseTimeout) {
  over_both([&](bool tcp) {
    const auto peer = paused(tcp);
    write(peer, client_frame(0x81, "unread"));
    ::shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(sees_the_end());
    pass(settings_.close_timeout - 300ms);
    EXPECT_FALSE(is_gone());
    pass(600ms);
    EXPECT_TRUE(is_gone());
    EXPECT_EQ(endpoint_.events.back(), "close connection_lost 1006 ");
    EXPECT_EQ(seen_, "");
  });
}

TEST_P(PausedTest, PeerThatClosedItsSocketIsNoticedToo) {
  over_both([&](bool tcp) {
    {
      const auto peer = paused(tcp);
      write(peer, client_frame(0x81, "unread") + client_frame(0x88, "\x03\xe8"));
      (void)read_now(peer);
    }
    ASSERT_TRUE(sees_the_end());
    pass(settings_.close_timeout + 300ms);
    EXPECT_TRUE(is_gone());
  });
}

TEST_P(PausedTest, WhatCameBeforeTheFinIsHandedOutAfterResume) {
  over_both([&](bool tcp) {
    const auto peer = paused(tcp);
    write(peer, client_frame(0x81, "one ") + client_frame(0x81, "two") + client_frame(0x88, "\x03\xe8"));
    ::shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(sees_the_end());
    pass(settings_.close_timeout - 300ms);
    endpoint_.last->resume();
    ASSERT_TRUE(run_until([&] { return endpoint_.last == nullptr; }));
    EXPECT_EQ(seen_, "one two");
    EXPECT_EQ(endpoint_.events.back(), "close peer_closed 1000 ");
  });
}

TEST_P(PausedTest, FinThatCameBeforeThePauseIsNoticed) {
  over_both([&](bool tcp) {
    settings_.frames_per_turn_max = 1;
    when_seen([](Session& session) { session.pause(); });
    const auto peer = tcp ? connect_tcp() : open_websocket();
    write(peer, client_frame(0x81, "a") + client_frame(0x81, "b"));
    ::shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(run_until([&] { return seen_ == "a"; }));
    for (int i = 0; i < 5; ++i) loop_->run_once(0ms);
    pass(settings_.close_timeout + 300ms);
    EXPECT_TRUE(is_gone());
  });
}

TEST_P(PausedTest, PausingAgainBehindTheFinGivesTheWholeTimeAgain) {
  over_both([&](bool tcp) {
    settings_.frames_per_turn_max = 4096;
    when_seen([](Session& session) { session.pause(); });
    const auto peer = paused(tcp);
    write(peer, client_frame(0x81, "a") + client_frame(0x81, "b"));
    ::shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(sees_the_end());
    pass(settings_.close_timeout - 300ms);
    endpoint_.last->resume();
    ASSERT_TRUE(run_until([&] { return seen_ == "a"; }));
    for (int i = 0; i < 5; ++i) loop_->run_once(0ms);
    pass(settings_.close_timeout - 300ms);
    EXPECT_FALSE(is_gone());
    pass(600ms);
    EXPECT_TRUE(is_gone());
    EXPECT_EQ(seen_, "a");
  });
}

TEST_P(PausedTest, ResetEndsTheSessionAtOnce) {
  {
    const auto peer = paused(true);
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  EXPECT_TRUE(run_until([&] { return is_gone(); }));
  EXPECT_EQ(endpoint_.events.back(), "close connection_lost 1006 ");
}

TEST_P(PausedTest, IdleTimeoutGoesOn) {
  settings_.ping_interval = 0s;
  settings_.idle_timeout = 20s;
  over_both([&](bool tcp) {
    const auto peer = paused(tcp);
    pass(settings_.idle_timeout - 300ms);
    EXPECT_TRUE(endpoint_.last->is_open());
    pass(600ms);
    EXPECT_FALSE(endpoint_.last->is_open());
    EXPECT_EQ(read_until(peer, "\x03\xf0").substr(2, 2), "\x03\xf0");
  });
}

TEST_P(PausedTest, IdleTimeoutGoesOnAfterThePeersFin) {
  settings_.idle_timeout = 2s;
  over_both([&](bool tcp) {
    const auto peer = paused(tcp);
    write(peer, client_frame(0x81, "unread") + client_frame(0x88, "\x03\xe8"));
    ::shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(sees_the_end());
    pass(settings_.idle_timeout + 300ms);
    EXPECT_TRUE(run_until([&] { return endpoint_.last == nullptr; }));
    EXPECT_EQ(endpoint_.events.back(), "close idle_timeout 1000 ");
  });
}

TEST_P(PausedTest, PeerWhoseSystemTakesThePingsStays) {
  over_both([&](bool tcp) {
    const auto peer = paused(tcp);
    std::string pings;
    for (int second = 0; second < 300 && !is_gone(); ++second) {
      pass(1s);
      ASSERT_TRUE(run_until([&] { return transport().send_progress().is_complete; }));
      pings += read_now(peer);
    }
    EXPECT_FALSE(is_gone());
    EXPECT_GE(pings.size(), 3 * 2U);
  });
}

TEST_P(PausedTest, PeerThatTakesNothingIsDroppedAfterPongTimeout) {
  over_both([&](bool tcp) {
    const auto peer = paused(tcp);
    // More than both systems can hold: the ping never arrives.
    endpoint_.last->send(ws::Opcode::binary, as_bytes(std::string(std::size_t{16} << 20, 'x')));
    settle();
    pass(settings_.ping_interval + settings_.pong_timeout - 500ms);
    EXPECT_FALSE(is_gone());
    EXPECT_TRUE(pass_until([&] { return is_gone(); }, settings_.ping_interval + settings_.pong_timeout));
    EXPECT_EQ(endpoint_.events.back(), "close pong_timeout 1006 ");
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, PausedTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
