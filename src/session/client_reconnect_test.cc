// When a client reconnects, and how soon.

#include <gtest/gtest.h>

#include "session/client_for_tests.h"
#include "ws/close_code.h"

namespace fanfare::session {
namespace {

class ClientReconnectTest : public ClientTest {
 protected:
  // A port on which nothing listens any more.
  std::uint16_t free_port() {
    const RawServer gone;
    return gone.port();
  }
  void point_at(std::uint16_t port) { options_.url = "ws://127.0.0.1:" + std::to_string(port) + "/"; }
  std::size_t count(std::string_view event) const {
    return static_cast<std::size_t>(std::ranges::count(diary_.events, event));
  }
  bool wait_for_events(std::size_t number) {
    return run_until([&] { return diary_.events.size() >= number; });
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, ClientReconnectTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), loop_kind_name);

TEST_P(ClientReconnectTest, WaitsAreDrawnFromTheSeed) {
  point_at(free_port());
  options_.reconnect.backoff = {.backoff_min = 250ms, .backoff_max = 1s, .multiplier = 2.0, .jitter = true};
  connect();
  for (std::size_t attempt = 1; attempt <= 5; ++attempt) {
    ASSERT_TRUE(wait_for_events(attempt));
    clock_.advance(diary_.waits.back());
  }
  SeededRandom same(11);
  std::vector<Duration> expected;
  for (const Duration ceiling : {250ms, 500ms, 1000ms, 1000ms, 1000ms}) {
    expected.emplace_back(same.below(static_cast<std::uint64_t>(Duration(ceiling).count()) + 1));
  }
  EXPECT_EQ(diary_.waits, expected);
  EXPECT_EQ(count("failed connect_failed retry"), 5U);
}

TEST_P(ClientReconnectTest, NoAttemptComesBeforeItsTime) {
  point_at(free_port());
  connect();
  ASSERT_TRUE(wait_for_events(1));
  EXPECT_EQ(client_->state(), Client::State::waiting);
  clock_.advance(diary_.waits.back() - 1ms);
  for (int i = 0; i < 20; ++i) loop_->run_once(1ms);
  EXPECT_EQ(diary_.events.size(), 1U);
  clock_.advance(1ms);
  EXPECT_TRUE(wait_for_events(2));
}

TEST_P(ClientReconnectTest, ServerThatComesUpLaterIsFound) {
  const std::uint16_t port = free_port();
  point_at(port);
  connect();
  ASSERT_TRUE(wait_for_events(1));
  serve(*net::Address::parse("127.0.0.1", port));
  clock_.advance(diary_.waits.back());
  wait_for("open");  // its first one: not a reconnect
}

// The server's close code, and whether the client reconnects.
TEST_P(ClientReconnectTest, ComesBackAfterWhatWillPassAndNotAfterTheRest) {
  serve();
  const std::vector<std::pair<std::uint16_t, bool>> cases{{ws::close_code::normal, false},
                                                          {ws::close_code::going_away, true},
                                                          {ws::close_code::protocol_error, false},
                                                          {ws::close_code::no_status, false},
                                                          {ws::close_code::policy_violation, false},
                                                          {ws::close_code::message_too_big, false},
                                                          {ws::close_code::internal_error, true},
                                                          {ws::close_code::service_restart, true},
                                                          {ws::close_code::try_again_later, true},
                                                          {ws::close_code::bad_gateway, true},
                                                          {3000, false},
                                                          {4000, false}};
  for (const auto& [code, back] : cases) {
    diary_.events.clear();
    open();
    endpoint_.open.back()->start_closing(code);
    wait_for("close peer_closed " + std::to_string(code) + " " + (back ? " retry" : " end"));
    if (back) {
      clock_.advance(diary_.waits.back());
      wait_for("reopen");
    }
    client_.reset();
    ASSERT_TRUE(run_until([&] { return endpoint_.open.empty(); }));
  }
}

TEST_P(ClientReconnectTest, ComesBackWhenTheServerWantsIt) {
  serve();
  options_.reconnect.backoff = {.backoff_min = 250ms, .backoff_max = 1s, .multiplier = 2.0, .jitter = false};
  open();
  endpoint_.open.back()->start_closing(ws::close_code::service_restart, "restarting, try again in 3 s");
  wait_for("close peer_closed 1012 restarting, try again in 3 s retry");
  EXPECT_EQ(diary_.waits, std::vector<Duration>{3250ms});
  clock_.advance(3250ms);
  wait_for("reopen");
}

TEST_P(ClientReconnectTest, ComesBackAfterSomeStatusesOnly) {
  serve();
  const std::string base = options_.url;
  for (const auto& [status, back] : std::vector<std::pair<std::string, bool>>{
           {"301", false}, {"401", false}, {"404", false}, {"408", true}, {"429", true}, {"503", true}}) {
    diary_.events.clear();
    options_.url = base + status;
    connect();
    wait_for(std::string("failed rejected ") + (back ? "retry" : "end"));
  }
}

TEST_P(ClientReconnectTest, OwnRulesReplaceTheUsualOnes) {
  serve();
  options_.reconnect.retry_close = [](const CloseInfo& info) { return info.code == 1000; };
  open();
  endpoint_.open.front()->start_closing(1000);
  wait_for("close peer_closed 1000  retry");
  clock_.advance(diary_.waits.back());
  wait_for("reopen");
  endpoint_.open.front()->start_closing(1012);
  wait_for("close peer_closed 1012  end");

  options_.reconnect.retry_failure = [](const ClientError& error) { return error.status == 404; };
  options_.url += "404";
  connect();
  wait_for("failed rejected retry");
}

TEST_P(ClientReconnectTest, ReconnectedClientIsToldSoThatItSubscribesAgain) {
  serve();
  diary_.when = [](Client& client, const std::string& event) {
    if (event == "open" || event == "reopen") client.send_text("subscribe " + event);
  };
  open();
  wait_for("text subscribe open");
  endpoint_.open.front()->close();  // lost without a Close frame
  wait_for("close connection_lost 1006  retry");
  clock_.advance(diary_.waits.back());
  wait_for("text subscribe reopen");
}

TEST_P(ClientReconnectTest, WatchdogNoticesAPeerThatFellSilent) {
  const RawServer raw;
  point_at(raw.port());
  options_.session.ping_interval = 2s;
  options_.session.pong_timeout = 1s;
  const auto silent = open_raw(raw);
  pass(2100ms);
  EXPECT_EQ(read_bytes(silent, 6).substr(0, 2), "\x89\x80");
  EXPECT_EQ(client_->state(), Client::State::open);
  pass(1100ms);
  EXPECT_EQ(diary_.last(), "close pong_timeout 1006  retry");
  clock_.advance(diary_.waits.back());
  const auto again = accept(raw);
  answer(again);
  wait_for("reopen");
}

TEST_P(ClientReconnectTest, PeerThatAnswersPingsStays) {
  options_.session.ping_interval = 2s;
  options_.session.pong_timeout = 1s;
  open();
  pass(20s);
  EXPECT_GE(count("pong "), 8U);
  EXPECT_EQ(diary_.events.size(), 1 + count("pong "));
  EXPECT_EQ(client_->state(), Client::State::open);
}

TEST_P(ClientReconnectTest, GivesUpAfterAttemptsMaxInARow) {
  point_at(free_port());
  options_.reconnect.attempts_max = 3;
  connect();
  for (std::size_t attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(wait_for_events(attempt));
    clock_.advance(diary_.waits.back());
  }
  wait_for("failed connect_failed end");
  EXPECT_EQ(count("failed connect_failed retry"), 3U);
  EXPECT_EQ(client_->state(), Client::State::ended);
}

TEST_P(ClientReconnectTest, ServerThatAcceptsAndDropsIsCalledOnLessAndLess) {
  serve();
  endpoint_.when_open = [](Session& session) { session.start_closing(1013); };
  connect();
  for (std::size_t round = 1; round <= 4; ++round) {
    ASSERT_TRUE(run_until([&] { return count("close peer_closed 1013  retry") == round; }));
    clock_.advance(diary_.waits.back());
  }
  EXPECT_EQ(diary_.waits, (std::vector<Duration>{250ms, 500ms, 1s, 2s}));
}

TEST_P(ClientReconnectTest, StableConnectionMakesTheBackoffStartAnew) {
  open();
  for (int round = 0; round < 3; ++round) {
    pass(options_.reconnect.stable_after);
    endpoint_.open.front()->start_closing(1012);
    ASSERT_TRUE(run_until([&] { return client_->state() == Client::State::waiting; }));
    EXPECT_EQ(diary_.waits.back(), 250ms);
    clock_.advance(250ms);
    ASSERT_TRUE(run_until([&] { return client_->state() == Client::State::open; }));
  }
}

TEST_P(ClientReconnectTest, WithoutReconnectionOneFailureIsTheEnd) {
  point_at(free_port());
  options_.reconnect.enabled = false;
  connect();
  wait_for("failed connect_failed end");
}

TEST_P(ClientReconnectTest, ClosedWhileWaitingNeverComesBack) {
  const RawServer raw;
  point_at(raw.port());
  connect();
  {
    const auto peer = accept(raw);
  }
  wait_for("failed connection_lost retry");
  client_->close();
  wait_for("failed cancelled end");
  pass(2s);
  EXPECT_FALSE(raw.accept().valid());
  EXPECT_EQ(client_->state(), Client::State::ended);
}

TEST_P(ClientReconnectTest, ClosedFromTheHandlerOfAFailureNeverComesBack) {
  point_at(free_port());
  diary_.when = [](Client& client, const std::string& event) {
    if (event == "failed connect_failed retry") client.close();
  };
  connect();
  wait_for("failed cancelled end");
  pass(2s);
  EXPECT_EQ(diary_.events.size(), 2U);
}

TEST_P(ClientReconnectTest, EndedClientMayBeginAnew) {
  open();
  client_->close();
  wait_for("close we_closed 1000  end");
  client_->connect();
  wait_for("reopen");
}

TEST_P(ClientReconnectTest, WaitMayBeCutShort) {
  point_at(free_port());
  Client& client = connect();
  ASSERT_TRUE(wait_for_events(1));
  client.connect();
  client.connect();
  EXPECT_EQ(client.state(), Client::State::connecting);
  ASSERT_TRUE(wait_for_events(2));  // without advancing the clock
  EXPECT_EQ(diary_.waits, (std::vector<Duration>{250ms, 500ms}));
}

TEST_P(ClientReconnectTest, StoppedLoopTakesItsClientsAlong) {
  open();
  clients_.sessions().for_each_session([](Session& session) { session.shut_down(1001, "leaving"); });
  wait_for("close shut_down 1001  end");
  EXPECT_EQ(endpoint_.closes.front(), "peer_closed 1001 leaving");
}

}  // namespace
}  // namespace fanfare::session
