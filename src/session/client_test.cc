// The client with our own server and with raw bytes: opening, exchanging messages, closing.

#include "session/client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "session/client_for_tests.h"

namespace fanfare::session {
namespace {

INSTANTIATE_TEST_SUITE_P(Kinds, ClientTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         loop_kind_name);

TEST_P(ClientTest, ConnectsTalksAndCloses) {
  Client& client = open();
  EXPECT_EQ(client.send_text("hello"), SendResult::queued);
  wait_for("text hello");
  EXPECT_EQ(client.send_binary(as_bytes("\x01\x02")), SendResult::queued);
  wait_for("binary \x01\x02");
  EXPECT_TRUE(client.close(4001, "enough"));
  EXPECT_EQ(client.send_text("late"), SendResult::closed);
  wait_for("close we_closed 4001  end");
  EXPECT_EQ(endpoint_.closes, (std::vector<std::string>{"peer_closed 4001 enough"}));
  EXPECT_EQ(client.state(), Client::State::ended);
  EXPECT_TRUE(run_until([&] { return clients_.sessions().size() == 0; }));
}

TEST_P(ClientTest, SaysWhatItWasToldToSay_RFC6455_4_1) {
  serve();
  service_.policy.subprotocols = {"graphql", "chat"};
  options_.url.insert(5, "user:p%40ss@");
  options_.url += "room?x=1";
  options_.headers = {{.name = "X-Token", .value = "abc"}};
  options_.subprotocols = {"chat", "other"};
  options_.origin = "https://example.com";
  connect();
  wait_for("open chat");
  EXPECT_EQ(service_.targets, (std::vector<std::string>{"/room?x=1"}));
  EXPECT_EQ(service_.header("X-Token"), "abc");
  EXPECT_EQ(service_.header("Origin"), "https://example.com");
  EXPECT_EQ(service_.header("Authorization"), "Basic dXNlcjpwQHNz");
  EXPECT_EQ("ws://" + service_.header("Host") + "/room?x=1",
            options_.url.substr(0, 5) + options_.url.substr(options_.url.find('@') + 1));
}

TEST_P(ClientTest, CompressesBothWaysWhenAgreed_RFC7692_7) {
  serve();
  options_.deflate.enabled = true;
  connect();
  wait_for("open deflate");
  const std::string text(5000, 'z');
  for (int i = 0; i < 3; ++i) {
    client_->send_text(text);
    wait_for("text " + text);
    diary_.events.clear();
  }
  // 15,000 bytes in each direction, less than a tenth of that on the wire.
  EXPECT_LT(clients_.sessions().counters().bytes_received.value(), 1500U);
  EXPECT_LT(server_->sessions().counters().bytes_received.value(), 1500U);
}

TEST_P(ClientTest, ServerWithoutCompressionIsFine) {
  serve();
  service_.policy.deflate.enabled = false;
  options_.deflate.enabled = true;
  connect();
  wait_for("open");
  client_->send_text(std::string(200, 'z'));
  wait_for("text " + std::string(200, 'z'));
}

TEST_P(ClientTest, MasksEveryFrameWithAKeyOfItsOwn_RFC6455_5_3) {
  const RawServer raw;
  const auto peer = open_raw(raw);
  std::set<std::string> keys;
  for (int i = 0; i < 32; ++i) {
    client_->send_text("same");
    const std::string frame = read_bytes(peer, 10);
    ASSERT_EQ(frame.size(), 10U);
    EXPECT_EQ(frame.substr(0, 2), "\x81\x84");
    for (std::size_t at = 0; at < 4; ++at) {
      EXPECT_EQ(static_cast<char>(frame[6 + at] ^ frame[2 + at]), "same"[at]);
    }
    keys.insert(frame.substr(2, 4));
  }
  EXPECT_EQ(keys.size(), 32U);
}

TEST_P(ClientTest, FramesBehindTheAnswerAreServed_RFC6455_4_1) {
  const RawServer raw;
  const auto peer = open_raw(raw,
                             "\x81\x05"
                             "early"
                             "\x81\x02");
  write(peer, "hi");
  wait_for("text hi");
  EXPECT_EQ(diary_.events, (std::vector<std::string>{"open", "text early", "text hi"}));
}

TEST_P(ClientTest, AnswerInSingleBytesIsReadAllTheSame) {
  const RawServer raw;
  options_.url = "ws://127.0.0.1:" + std::to_string(raw.port()) + "/";
  connect();
  const auto peer = accept(raw);
  const std::string request = read_until(peer, "\r\n\r\n");
  const std::string key = request.substr(request.find("Key: ") + 5, 24);
  const std::string response =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      ws::accept_key_for(key) + "\r\n\r\n\x81\x02hi";
  for (const char byte : response) {
    write(peer, std::string(1, byte));
    loop_->run_once(0ms);
  }
  wait_for("text hi");
}

TEST_P(ClientTest, PingsAndPauses) {
  Client& client = open();
  client.ping(as_bytes("are you there"));
  wait_for("pong are you there");
  client.pause();
  client.send_text("later");
  ASSERT_TRUE(run_until([&] { return server_->sessions().counters().messages_sent.value() == 1; }));
  for (int i = 0; i < 5; ++i) loop_->run_once(0ms);
  EXPECT_FALSE(diary_.has("text later"));
  client.resume();
  wait_for("text later");
}

TEST_P(ClientTest, SlowServerMakesSendCongestedAndThenDrained) {
  options_.session.outbox_bytes_high = std::size_t{16} << 20;
  options_.session.outbox_bytes_max = std::size_t{64} << 20;
  const RawServer raw;
  const auto peer = open_raw(raw);
  const std::string big(1 << 20, 'b');
  std::size_t sent = 0;
  SendResult result = SendResult::queued;
  while (result == SendResult::queued && sent < 60) {
    result = client_->send_text(big);
    ++sent;
    loop_->run_once(0ms);
  }
  EXPECT_EQ(result, SendResult::congested);
  EXPECT_GT(client_->buffered_bytes(), 0U);
  std::size_t got = 0;
  EXPECT_TRUE(run_until([&] {
    got += read_now(peer).size();
    return diary_.has("drained");
  }));
  EXPECT_TRUE(run_until([&] {
    got += read_now(peer).size();
    return got == sent * (big.size() + 14);
  }));
}

TEST_P(ClientTest, WhoWasToldToWaitIsToldToGoOnAlsoWhenNothingHadToWait) {
  options_.session.outbox_bytes_high = 1000;
  open();
  EXPECT_EQ(client_->send_text(std::string(1000, 'x')), SendResult::congested);
  wait_for("drained");
}

TEST_P(ClientTest, ConnectsThroughAUnixSocket) {
  const std::string path = "/tmp/fanfare-client-test-" + std::to_string(::getpid()) + ".sock";
  serve(*net::Address::unix_path(path));
  options_.url += "here";
  connect();
  wait_for("open");
  client_->send_text("by path");
  wait_for("text by path");
  EXPECT_EQ(service_.targets, (std::vector<std::string>{"/here"}));
  ::unlink(path.c_str());
}

// Closing.

TEST_P(ClientTest, ServersCloseIsEchoedAndTheServerClosesTcpFirst_RFC6455_7_1_1) {
  const RawServer raw;
  options_.reconnect.enabled = false;
  const auto peer = open_raw(raw);
  write(peer, std::string("\x88\x05\x03\xe8"
                          "bye",
                          7));
  wait_for("close peer_closed 1000 bye end");
  const std::string echo = read_bytes(peer, 8);
  EXPECT_EQ(echo.substr(0, 2), "\x88\x82");
  // We send no FIN until the server's FIN or close_timeout.
  pass(options_.session.close_timeout - 300ms);
  EXPECT_EQ(read_now(peer), "");
  EXPECT_EQ(clients_.sessions().size(), 1U);
  ::shutdown(peer.get(), SHUT_WR);
  EXPECT_EQ(read_until(peer, "EOF"), "EOF");
  EXPECT_EQ(clients_.sessions().size(), 0U);
}

TEST_P(ClientTest, ServerThatNeverClosesTcpIsLeftAfterCloseTimeout_RFC6455_7_1_1) {
  const RawServer raw;
  options_.reconnect.enabled = false;
  const auto peer = open_raw(raw);
  write(peer, std::string("\x88\x02\x03\xe8", 4));
  wait_for("close peer_closed 1000  end");
  pass(options_.session.close_timeout + 200ms);
  EXPECT_EQ(clients_.sessions().size(), 0U);
  read_until(peer, "EOF");
}

TEST_P(ClientTest, ServerThatNeverAnswersOurCloseIsDroppedAfterCloseTimeout_RFC6455_7_1_7) {
  const RawServer raw;
  const auto peer = open_raw(raw);
  client_->close(1000);
  loop_->run_once(0ms);
  pass(options_.session.close_timeout + 200ms);
  EXPECT_EQ(diary_.last(), "close we_closed 1006  end");
  EXPECT_EQ(clients_.sessions().size(), 0U);
}

TEST_P(ClientTest, ServerThatHalfClosesAfterItsCloseStillGetsTheEcho) {
  const RawServer raw;
  options_.reconnect.enabled = false;
  const auto peer = open_raw(raw);
  write(peer, std::string("\x88\x02\x03\xe8", 4));
  ::shutdown(peer.get(), SHUT_WR);
  wait_for("close peer_closed 1000  end");
  EXPECT_EQ(read_until(peer, "EOF").substr(0, 2), "\x88\x82");
}

TEST_P(ClientTest, FinWithoutACloseFrameIs1006) {
  const RawServer raw;
  options_.reconnect.enabled = false;
  const auto peer = open_raw(raw);
  ::shutdown(peer.get(), SHUT_WR);
  wait_for("close connection_lost 1006  end");
  EXPECT_EQ(read_until(peer, "EOF"), "EOF");
}

TEST_P(ClientTest, MaskedFrameOfTheServerFailsTheConnectionAtOnce_RFC6455_5_1) {
  const RawServer raw;
  const auto peer = open_raw(raw);
  write(peer, std::string("\x81\x82\0\0\0\0hi", 8));
  wait_for("close rule_broken 1002  end");
  // RFC6455§7.1.7: an endpoint that fails a connection need not wait for the other side.
  const std::string close = read_until(peer, "EOF");
  EXPECT_EQ(close[0], '\x88');
  EXPECT_EQ(static_cast<char>(close[6] ^ close[2]), '\x03');
  EXPECT_EQ(static_cast<char>(close[7] ^ close[3]), '\xea');
}

TEST_P(ClientTest, CloseThatNoFrameCanCarryIsRefusedAndNothingHappens) {
  Client& client = open();
  EXPECT_FALSE(client.close(1006));
  EXPECT_FALSE(client.close(999));
  EXPECT_FALSE(client.close(1000, std::string(124, 'x')));
  EXPECT_FALSE(client.close(1000, "\xff"));
  EXPECT_FALSE(client.close(1005, "a reason without a code"));
  EXPECT_EQ(client.state(), Client::State::open);
  EXPECT_TRUE(client.close(1005));
  wait_for("close we_closed 1005  end");
}

TEST_P(ClientTest, BothSidesCloseAtOnce) {
  Client& client = open();
  endpoint_.open.front()->start_closing(1001, "server");
  client.close(1000, "client");
  wait_for("close we_closed 1001 server end");
  EXPECT_TRUE(run_until([&] { return !endpoint_.closes.empty(); }));
  EXPECT_EQ(endpoint_.closes.front(), "we_closed 1000 client");
}

TEST_P(ClientTest, DestroyedClientSaysNothingMoreAndLetsTheConnectionGo) {
  open();
  client_.reset();
  EXPECT_TRUE(run_until([&] { return !endpoint_.closes.empty(); }));
  EXPECT_EQ(endpoint_.closes.front(), "connection_lost 1006 ");
  EXPECT_EQ(diary_.events, (std::vector<std::string>{"open"}));
  EXPECT_EQ(clients_.sessions().size(), 0U);
}

TEST_P(ClientTest, HandlerMayDestroyTheClientInAnyCall) {
  const std::string path = "/tmp/fanfare-client-gone-" + std::to_string(::getpid()) + ".sock";
  for (const std::string at : {"open", "text x", "pong p", "close peer_closed 1012 again retry"}) {
    if (server_ == nullptr) serve();
    diary_.events.clear();
    diary_.when = [&](Client& client, const std::string& event) {
      if (event == at) return client_.reset();
      if (event == "open") {
        client.send_text("x");
        client.ping(as_bytes("p"));
      }
      if (event == "pong p") endpoint_.open.front()->start_closing(1012, "again");
    };
    connect();
    ASSERT_TRUE(run_until([&] { return client_ == nullptr; })) << at;
    EXPECT_EQ(diary_.last(), at);
    ASSERT_TRUE(run_until([&] { return clients_.sessions().size() == 0 && endpoint_.open.empty(); }));
  }
  diary_.when = [&](Client&, const std::string&) { client_.reset(); };
  options_.url = "ws+unix:" + path;
  connect();
  ASSERT_TRUE(run_until([&] { return client_ == nullptr; }));
  EXPECT_EQ(diary_.last(), "failed connect_failed retry");
}

}  // namespace
}  // namespace fanfare::session
