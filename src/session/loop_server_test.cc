// Serving HTTP and WebSockets: input, output, and the effect of each deadline.

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

TEST_P(LoopServerTest, AnswersHttpAndKeepsTheConnection) {
  const auto peer = connect();
  write(peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(read_until(peer, "GET /a").find("200 OK"), std::string::npos);
  write(peer, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  read_until(peer, "POST /b hi");
}

TEST_P(LoopServerTest, PipelinedRequestsAreAnsweredInOrderAroundALateAnswer) {
  const auto peer = connect();
  write(peer,
        "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /third HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_->sessions().find_http(service_.waiting) != nullptr; }));
  EXPECT_EQ(read_now(peer), "");
  server_->sessions().find_http(service_.waiting)->respond({.body = "first", .headers = {}});
  const std::string text = read_until(peer, "EOF");
  EXPECT_LT(text.find("first"), text.find("GET /second"));
  EXPECT_LT(text.find("GET /second"), text.find("GET /third"));
}

TEST_P(LoopServerTest, AnswerAfterTheClientHalfClosedStillGoesOut) {
  const auto peer = connect();
  write(peer, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  ::shutdown(peer.get(), SHUT_WR);
  ASSERT_TRUE(run_until([&] { return server_->sessions().find_http(service_.waiting) != nullptr; }));
  loop_->run_once(0ms);
  server_->sessions().find_http(service_.waiting)->respond({.body = "late", .headers = {}});
  EXPECT_NE(read_until(peer, "EOF").find("late"), std::string::npos);
  EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
}

TEST_P(LoopServerTest, MalformedRequestIsRefusedAndTheConnectionEnds) {
  const auto peer = connect();
  write(peer, "NOT HTTP\r\n\r\n");
  EXPECT_NE(read_until(peer, "EOF").find("400 Bad Request"), std::string::npos);
}

TEST_P(LoopServerTest, HeadPastItsLimitIs431) {
  LoopServerOptions options;
  options.http.head_bytes_max = 200;
  start(options);
  const auto fits = connect();
  const std::string start_of_head = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
  write(fits, start_of_head + std::string(200 - start_of_head.size() - 4, 'x') + "\r\n\r\n");
  read_until(fits, "200 OK");
  const auto past = connect();
  write(past, start_of_head + std::string(200 - start_of_head.size() - 3, 'x') + "\r\n\r\n");
  read_until(past, "431");
}

TEST_P(LoopServerTest, UpgradesAndEchoes) {
  const auto peer = open_websocket();
  write(peer, client_frame(0x81, "Hello"));
  EXPECT_EQ(read_until(peer, "Hello"), "\x81\x05Hello");
}

TEST_P(LoopServerTest, FrameSentTogetherWithTheHandshakeIsServed_RFC6455_4_2_2) {
  const auto peer = connect();
  write(peer, std::string(kUpgrade) + client_frame(0x81, "early"));
  const std::string text = read_until(peer, "early");
  EXPECT_NE(text.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
}

TEST_P(LoopServerTest, AgreesOnCompressionAndInflates_RFC7692_7_2_3_1) {
  const auto peer = connect();
  std::string request(kUpgrade);
  request.insert(request.size() - 2, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  write(peer, request);
  EXPECT_NE(read_until(peer, "\r\n\r\n").find("Sec-WebSocket-Extensions: permessage-deflate"),
            std::string::npos);
  write(peer, client_frame(0xc1, "\xf2\x48\xcd\xc9\xc9\x07" + std::string(1, '\0')));
  EXPECT_EQ(read_until(peer, "Hello"), "\x81\x05Hello");  // too short to be compressed
}

TEST_P(LoopServerTest, RefusedUpgradeCarriesStatusAndBodyAndHttpGoesOn) {
  const auto peer = connect();
  std::string request(kUpgrade);
  request.replace(request.find("/chat"), 5, "/no");
  write(peer, request);
  EXPECT_NE(read_until(peer, "not here").find("403 Forbidden"), std::string::npos);
  write(peer, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  read_until(peer, "GET /next");
  EXPECT_TRUE(endpoint_.events.empty());
}

TEST_P(LoopServerTest, WrongVersionIs426WithTheRightOne_RFC6455_4_4) {
  const auto peer = connect();
  std::string request(kUpgrade);
  request.replace(request.find("Version: 13"), 11, "Version: 12");
  write(peer, request);
  EXPECT_NE(read_until(peer, "\r\n\r\n").find("Sec-WebSocket-Version: 13"), std::string::npos);
}

TEST_P(LoopServerTest, PeersCloseIsEchoedAndTheServerClosesTcpFirst_RFC6455_7_1_1) {
  const auto peer = open_websocket();
  write(peer, client_frame(0x88, std::string("\x03\xe8", 2) + "bye"));
  EXPECT_EQ(read_until(peer, "EOF"), std::string("\x88\x02\x03\xe8", 4) + "EOF");
  EXPECT_EQ(endpoint_.events.back(), "close peer_closed 1000 bye");
}

TEST_P(LoopServerTest, OurCloseWaitsForThePeersAnswer) {
  const auto peer = open_websocket();
  endpoint_.last->start_closing(4001, "enough");
  EXPECT_EQ(read_until(peer, "enough").substr(0, 4), std::string("\x88\x08\x0f\xa1", 4));
  EXPECT_EQ(endpoint_.events.back(), "open");
  write(peer, client_frame(0x88, "\x0f\xa1"));
  read_until(peer, "EOF");
  EXPECT_EQ(endpoint_.events.back(), "close we_closed 4001 ");
}

TEST_P(LoopServerTest, PeerThatNeverAnswersACloseIsDroppedAfterCloseTimeout_RFC6455_7_1_7) {
  const auto peer = open_websocket();
  endpoint_.last->start_closing(1000);
  loop_->run_once(0ms);
  pass(settings_.close_timeout - 200ms);
  EXPECT_EQ(server_->sessions().size(), 1U);
  pass(400ms);
  EXPECT_EQ(server_->sessions().size(), 0U);
  EXPECT_EQ(endpoint_.events.back(), "close we_closed 1006 ");
}

TEST_P(LoopServerTest, BrokenRuleClosesWithItsCode) {
  const auto peer = open_websocket();
  write(peer, "\x81\x05Hello");  // not masked
  EXPECT_EQ(read_until(peer, "EOF").substr(2, 2), "\x03\xea");
  EXPECT_EQ(endpoint_.events.back(), "close rule_broken 1002 ");
}

TEST_P(LoopServerTest, LostConnectionIs1006) {
  {
    const auto peer = open_websocket();
  }
  EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
  EXPECT_EQ(endpoint_.events.back(), "close connection_lost 1006 ");
}

TEST_P(LoopServerTest, SilentPeerIsPingedAndThenDropped) {
  const auto peer = open_websocket();
  pass(settings_.ping_interval + 200ms);
  EXPECT_EQ(read_now(peer), std::string("\x89\x00", 2));
  pass(settings_.pong_timeout - 300ms);
  EXPECT_EQ(server_->sessions().size(), 1U);
  pass(500ms);
  EXPECT_EQ(server_->sessions().size(), 0U);
  EXPECT_EQ(endpoint_.events.back(), "close pong_timeout 1006 ");
}

TEST_P(LoopServerTest, PeerThatAnswersPingsStays) {
  const auto peer = open_websocket();
  for (int i = 0; i < 10; ++i) {
    pass(settings_.ping_interval + 200ms);
    EXPECT_EQ(read_now(peer), std::string("\x89\x00", 2));
    write(peer, client_frame(0x8a, ""));
    loop_->run_once(0ms);
  }
  EXPECT_EQ(server_->sessions().size(), 1U);
}

TEST_P(LoopServerTest, SessionWithoutMessagesIsClosedWith1008AfterIdleTimeout) {
  settings_.idle_timeout = 100s;
  const auto peer = open_websocket();
  for (int i = 0; i < 3; ++i) {
    pass(settings_.ping_interval + 200ms);
    EXPECT_EQ(read_now(peer), std::string("\x89\x00", 2));
    write(peer, client_frame(0x8a, ""));  // does not count as a message
    loop_->run_once(0ms);
  }
  pass(9'000ms);
  EXPECT_EQ(read_now(peer), "");
  pass(500ms);
  EXPECT_EQ(read_now(peer).substr(2, 2), "\x03\xf0");
  write(peer, client_frame(0x88, "\x03\xf0"));
  read_until(peer, "EOF");
  EXPECT_EQ(endpoint_.events.back(), "close idle_timeout 1008 ");
}

TEST_P(LoopServerTest, MessageInEitherDirectionStartsTheIdleTimeAnew) {
  settings_.idle_timeout = 20s;
  settings_.ping_interval = 0s;
  endpoint_.when_message = [](Session&, std::string_view) {};
  const auto peer = open_websocket();
  pass(15'000ms);
  write(peer, client_frame(0x81, "here"));
  loop_->run_once(0ms);
  pass(15'000ms);
  EXPECT_EQ(read_now(peer), "");
  endpoint_.last->send_text("you");
  pass(15'000ms);
  EXPECT_EQ(read_now(peer).substr(2, 3), "you");
  pass(5'300ms);
  EXPECT_EQ(read_now(peer).substr(2, 2), "\x03\xf0");
}

TEST_P(LoopServerTest, HalfARequestIsGivenUpAfterRequestTimeout) {
  const auto peer = connect();
  write(peer, "GET / HT");
  pass(9900ms);
  EXPECT_EQ(read_now(peer), "");
  write(peer, "TP/1.1\r\nHost:");  // an occasional byte does not extend the deadline
  pass(400ms);
  EXPECT_NE(read_now(peer).find("408 Request Timeout"), std::string::npos);
}

TEST_P(LoopServerTest, ConnectionThatSaysNothingIsClosedAfterHandshakeTimeout) {
  const auto peer = connect();
  pass(9'900ms);
  EXPECT_EQ(read_now(peer), "");
  pass(400ms);
  EXPECT_EQ(read_now(peer), "EOF");
  EXPECT_EQ(server_->gate().refused(Refusal::handshake_timeout), 1U);
}

TEST_P(LoopServerTest, DeadlineOfTheFirstHeadBeginsWithTheAccept) {
  const auto peer = connect();
  pass(9'000ms);
  write(peer, "GET / HT");
  pass(1'200ms);
  EXPECT_NE(read_now(peer).find("408 Request Timeout"), std::string::npos);
  EXPECT_EQ(server_->gate().refused(Refusal::handshake_timeout), 1U);
}

TEST_P(LoopServerTest, BodyOfTheFirstRequestHasItsOwnDeadline) {
  const auto peer = connect();
  pass(9'000ms);
  write(peer, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nh");
  pass(9'800ms);
  EXPECT_EQ(read_now(peer), "");
  pass(500ms);
  EXPECT_NE(read_now(peer).find("408 Request Timeout"), std::string::npos);
  EXPECT_EQ(server_->gate().refused(Refusal::handshake_timeout), 0U);
}

TEST_P(LoopServerTest, ConnectionBetweenRequestsIsClosedAfterIdleTimeout) {
  const auto peer = connect();
  write(peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  read_until(peer, "GET /");
  pass(59'900ms);
  EXPECT_EQ(read_now(peer), "");
  pass(400ms);
  EXPECT_EQ(read_now(peer), "EOF");
}

TEST_P(LoopServerTest, ReaderThatFallsBehindIsClosedWith1013) {
  const auto peer = open_websocket();
  const std::string big(100'000, 'b');
  SendResult result = SendResult::queued;
  bool was_congested = false;
  for (int i = 0; i < 100 && result != SendResult::closed; ++i) {
    result = endpoint_.last->send_text(big);
    was_congested = was_congested || result == SendResult::congested;
    loop_->run_once(0ms);
  }
  EXPECT_EQ(result, SendResult::closed);
  EXPECT_TRUE(was_congested);
  pass(settings_.close_timeout + 400ms);
  EXPECT_EQ(endpoint_.events.back(), "close slow_consumer 1006 ");
  EXPECT_EQ(server_->sessions().size(), 0U);
}

// The clock does not advance: the outbox limit ends the session, not close_timeout.
TEST_P(LoopServerTest, PongsForOneWhoNeverReadsAreLimitedInClosing_RFC6455_5_5_2) {
  settings_.limits.message_bytes_max = 1 << 16;
  const auto peer = open_websocket();
  std::string pings;
  for (int i = 0; i < 100; ++i) pings += client_frame(0x89, std::string(125, 'p'));
  std::size_t sent = 0;
  const auto is_gone = [&] { return server_->sessions().size() == 0; };
  ASSERT_TRUE(run_until([&] {
    const ssize_t written = ::send(peer.get(), pings.data(), pings.size(), MSG_NOSIGNAL);
    if (written > 0) sent += static_cast<std::size_t>(written);
    // A frame cut by a full socket would make the following bytes invalid, so the rest of it is sent first.
    for (std::size_t at = written > 0 ? static_cast<std::size_t>(written) : pings.size();
         at < pings.size() && !is_gone();) {
      loop_->run_once(0ms);
      const ssize_t more = ::send(peer.get(), pings.data() + at, pings.size() - at, MSG_NOSIGNAL);
      if (more > 0) at += static_cast<std::size_t>(more);
    }
    return is_gone();
  }));
  EXPECT_EQ(endpoint_.events.back(), "close slow_consumer 1006 ");
  EXPECT_LT(sent, 4 * settings_.outbox_bytes_max);
}

TEST_P(LoopServerTest, OneMessageMayBeLargerThanTheOutbox) {
  const auto peer = open_websocket();
  EXPECT_EQ(endpoint_.last->send_text(std::string(settings_.outbox_bytes_max * 3, 'x')),
            SendResult::congested);
  std::size_t got = 0;
  ASSERT_TRUE(run_until([&] {
    got += read_now(peer).size();
    return got == settings_.outbox_bytes_max * 3 + 10;
  }));
  EXPECT_TRUE(run_until([&] { return endpoint_.events.back() == "drained"; }));
}

// The response is queued while the bytes of the request are still being read.
TEST_P(LoopServerTest, OneAnswerMayBeLargerThanTheOutbox) {
  endpoint_.when_message = [&](Session& session, std::string_view) {
    session.send_text(std::string(settings_.outbox_bytes_max * 3, 'x'));
  };
  const auto peer = open_websocket();
  // A Ping follows directly; its Pong comes after the response.
  write(peer, client_frame(0x81, "big") + client_frame(0x89, ""));
  std::string got;
  ASSERT_TRUE(run_until([&] {
    got += read_now(peer);
    return got.size() >= settings_.outbox_bytes_max * 3 + 12;
  }));
  EXPECT_TRUE(run_until([&] { return endpoint_.events.back() == "drained"; }));
  EXPECT_EQ(got.size(), settings_.outbox_bytes_max * 3 + 12);
  EXPECT_EQ(got.substr(got.size() - 2), std::string("\x8a\x00", 2));
}

TEST_P(LoopServerTest, PausedSessionHandsNothingOutAndLosesNothing) {
  std::string seen;
  endpoint_.when_message = [&](Session& session, std::string_view text) {
    seen += text;
    if (text == "b") session.pause();
  };
  const auto peer = open_websocket();
  write(peer, client_frame(0x81, "a") + client_frame(0x81, "b") + client_frame(0x81, "c"));
  ASSERT_TRUE(run_until([&] { return seen == "ab"; }));
  write(peer, client_frame(0x81, "d"));
  loop_->run_once(0ms);
  loop_->run_once(0ms);
  EXPECT_EQ(seen, "ab");
  endpoint_.last->resume();
  EXPECT_TRUE(run_until([&] { return seen == "abcd"; }));
}

TEST_P(LoopServerTest, DrainClosesEveryoneWith1012AndTakesNobodyNew) {
  const auto websocket = open_websocket();
  const auto idle = connect();
  const auto asking = connect();
  write(asking, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_->sessions().find_http(service_.waiting) != nullptr; }));
  server_->drain(1012, "restarting");
  EXPECT_EQ(read_until(websocket, "restarting").substr(2, 2), "\x03\xf4");
  EXPECT_EQ(read_until(idle, "EOF"), "EOF");
  server_->sessions().find_http(service_.waiting)->respond({.body = "still", .headers = {}});
  const std::string answer = read_until(asking, "EOF");
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_NE(answer.find("still"), std::string::npos);
  ::shutdown(asking.get(), SHUT_WR);
  const auto late = connect();
  EXPECT_EQ(read_now(late), "EOF");
  write(websocket, client_frame(0x88, "\x03\xf4"));
  read_until(websocket, "EOF");
  ::shutdown(websocket.get(), SHUT_WR);
  EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
  EXPECT_EQ(endpoint_.events.back(), "close shut_down 1012 ");
}

TEST_P(LoopServerTest, ConnectionsPastTheLimitAreRefused) {
  start({.connections_max = 2});
  const auto one = connect();
  const auto two = connect();
  const auto three = connect();
  EXPECT_EQ(read_now(two), "");
  EXPECT_EQ(read_now(three), "EOF");
  EXPECT_EQ(server_->refused_connections().value(), 1U);
}

TEST_P(LoopServerTest, IdsOfSessionsThatAreGoneFindNobody) {
  SessionId id;
  {
    const auto peer = open_websocket();
    id = endpoint_.last->id();
    EXPECT_EQ(server_->sessions().find(id), endpoint_.last);
  }
  ASSERT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
  EXPECT_EQ(server_->sessions().find(id), nullptr);
  const auto next = open_websocket();
  EXPECT_EQ(server_->sessions().find(id), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LoopServerTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
