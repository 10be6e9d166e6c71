// Every way a connection attempt can fail, each with its kind and a text that names the value.

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <future>

#include "session/client_for_tests.h"

namespace fanfare::session {
namespace {

class ClientFailureTest : public ClientTest {
 protected:
  ClientFailureTest() { options_.reconnect.enabled = false; }

  // Connects to `url` and waits for it to fail.
  const ClientError& fail(const std::string& url, std::string_view kind) {
    options_.url = url;
    connect();
    wait_for("failed " + std::string(kind) + " end");
    EXPECT_EQ(diary_.events.size(), 1U);
    EXPECT_EQ(client_->state(), Client::State::ended);
    return diary_.error;
  }
  void url_of(const RawServer& raw) { options_.url = "ws://127.0.0.1:" + std::to_string(raw.port()) + "/"; }
  // Connects to a raw server that answers with these bytes.
  const ClientError& fail_on(std::string_view response, std::string_view kind) {
    const RawServer raw;
    url_of(raw);
    connect();
    const auto peer = accept(raw);
    read_until(peer, "\r\n\r\n");
    write(peer, response);
    wait_for("failed " + std::string(kind) + " end");
    return diary_.error;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, ClientFailureTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), loop_kind_name);

#define EXPECT_TEXT(error, part) EXPECT_NE((error).text.find(part), std::string::npos) << (error).text

TEST_P(ClientFailureTest, BadUrls) {
  EXPECT_TEXT(fail("http://example.com/", "bad_url"), "\"http\" (expected ws, wss or ws+unix)");
  for (const std::string bad : {"example.com", "ws://host:99999/", "ws://host/#top", "ws+unix:x.sock"}) {
    diary_.events.clear();
    EXPECT_TEXT(fail(bad, "bad_url"), "\"" + bad + "\"");
  }
  diary_.events.clear();
  EXPECT_TEXT(fail("ws+unix:/" + std::string(200, 'p') + ":/", "bad_url"), "Unix socket path");
}

TEST_P(ClientFailureTest, OptionsThatCannotBeSent) {
  const RawServer raw;
  const std::string url = "ws://127.0.0.1:" + std::to_string(raw.port()) + "/";
  options_.subprotocols = {"chat", "chat"};
  EXPECT_TEXT(fail(url, "bad_option"), "\"chat\"");
  options_.subprotocols.clear();
  options_.headers = {{.name = "Sec-WebSocket-Key", .value = "mine"}};
  diary_.events.clear();
  EXPECT_TEXT(fail(url, "bad_option"), "\"Sec-WebSocket-Key\"");
  options_.headers = {{.name = "X-Split", .value = "a\r\nB: c"}};
  diary_.events.clear();
  EXPECT_TEXT(fail(url, "bad_option"), "\"X-Split\"");
  options_.headers.clear();
  options_.proxy = "https://proxy:1/";
  diary_.events.clear();
  EXPECT_TEXT(fail(url, "bad_option"), "https://proxy:1/");
  options_.proxy.clear();
  options_.tls.ca_file = "/no/such/ca.pem";
  diary_.events.clear();
  EXPECT_TEXT(fail("wss://localhost:1/", "bad_option"), "\"/no/such/ca.pem\"");
  EXPECT_FALSE(raw.accept().valid());
}

TEST_P(ClientFailureTest, NobodyListens) {
  std::uint16_t port = 0;
  {
    const RawServer gone;
    port = gone.port();
  }
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const ClientError& error = fail("ws://" + address + "/", "connect_failed");
  EXPECT_TEXT(error, "connect " + address + ": Connection refused");
  EXPECT_EQ(error.os_error, ECONNREFUSED);
  diary_.events.clear();
  EXPECT_TEXT(fail("ws+unix:/no/such.sock:/", "connect_failed"), "unix:/no/such.sock: No such file");
}

// A listening socket with a full queue: further connections hang.
TEST_P(ClientFailureTest, AddressThatNeverAnswersTimesOut) {
  auto listening = net::listen_on(*net::Address::parse("127.0.0.1", 0), {.backlog = 0}).value();
  const net::Address address = *net::local_address(listening.get());
  std::vector<net::Descriptor> crowd;
  for (int i = 0; i < 4; ++i) crowd.push_back(net::start_connect(address).value());
  options_.url = "ws://" + address.text() + "/";
  options_.connect_timeout = 3s;
  connect();
  pass(2900ms);
  EXPECT_EQ(diary_.last(), "");
  pass(300ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
  EXPECT_TEXT(diary_.error, "connect " + address.text() + ": no answer within 3 s");
  EXPECT_EQ(clients_.sessions().size(), 0U);
}

TEST_P(ClientFailureTest, ServerThatNeverAnswersTheHandshakeTimesOut) {
  const RawServer raw;
  url_of(raw);
  connect();
  const auto peer = accept(raw);
  read_until(peer, "\r\n\r\n");
  pass(options_.handshake_timeout - 200ms);
  write(peer, "HTTP/1.1 101 Switching");  // an occasional byte does not extend the deadline
  EXPECT_EQ(diary_.last(), "");
  pass(400ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
  EXPECT_TEXT(diary_.error, "within 10 s");
  EXPECT_TRUE(diary_.error.was_connected);
  read_until(peer, "EOF");
}

TEST_P(ClientFailureTest, ServerThatHangsUpInsteadOfAnswering) {
  const RawServer raw;
  url_of(raw);
  connect();
  {
    const auto peer = accept(raw);
    read_until(peer, "\r\n\r\n");
  }
  wait_for("failed connection_lost end");
  EXPECT_TEXT(diary_.error, "127.0.0.1:" + std::to_string(raw.port()));
}

TEST_P(ClientFailureTest, RefusalsCarryStatusAndTheBodysStart_RFC6455_4_1) {
  serve();
  const std::string base = options_.url;
  const ClientError& error = fail(base + "401", "rejected");
  EXPECT_EQ(error.status, 401);
  EXPECT_EQ(error.text, "the server answered 401 Unauthorized: \"you came to /401\"");
  diary_.events.clear();
  EXPECT_TEXT(fail(base + "302", "rejected"), "302 Found (to \"ws://elsewhere/\")");
}

TEST_P(ClientFailureTest, RefusalWithALongOrNastyBodyIsQuotedInPart) {
  const std::string body = "\x1b[2Jred\r\n" + std::string(1000, 'x');
  fail_on("HTTP/1.1 503 Busy\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
          "rejected");
  EXPECT_EQ(diary_.error.text,
            "the server answered 503 Service Unavailable: \" [2Jred  " + std::string(200 - 9, 'x') + "...\"");
}

TEST_P(ClientFailureTest, RefusalWithoutTheBodyItPromisedIsStillARefusal) {
  fail_on("HTTP/1.1 403 Forbidden\r\nContent-Length: 99999999\r\n\r\n", "rejected");
  EXPECT_EQ(diary_.error.status, 403);
  EXPECT_EQ(diary_.error.text, "the server answered 403 Forbidden");
}

TEST_P(ClientFailureTest, RefusalCutOffIsStillARefusal) {
  const RawServer raw;
  url_of(raw);
  connect();
  {
    const auto peer = accept(raw);
    read_until(peer, "\r\n\r\n");
    write(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf");
  }
  wait_for("failed rejected end");
  EXPECT_EQ(diary_.error.status, 403);
}

TEST_P(ClientFailureTest, WrongAcceptKeyIsARuleBroken_RFC6455_4_1) {
  const ClientError& error = fail_on(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
      "rule_broken");
  EXPECT_EQ(error.rule, ws::Rule::handshake_accept_wrong);
  EXPECT_TEXT(error, "RFC6455§4.1");
}

TEST_P(ClientFailureTest, AnswerThatIsNotHttpIsARuleBroken) {
  EXPECT_TEXT(fail_on("SSH-2.0-OpenSSH_9.2\r\n\r\n", "rule_broken"), "the server's answer is not HTTP");
}

// Names.

TEST_P(ClientFailureTest, HostWithoutAnAddress) {
  lookup_ = [](const std::string& host, std::uint16_t port) -> Resolver::Result {
    return std::unexpected("no address for " + host + ":" + std::to_string(port));
  };
  EXPECT_EQ(fail("ws://name.test:81/", "unresolvable").text, "no address for name.test:81");
}

TEST_P(ClientFailureTest, LookupThatTakesTooLongTimesOut) {
  auto go = std::make_shared<std::promise<void>>();
  std::promise<void> started;
  lookup_ = [future = go->get_future().share(), &started](const std::string&,
                                                          std::uint16_t) -> Resolver::Result {
    started.set_value();
    future.wait();
    return std::unexpected("too late");
  };
  options_.url = "ws://slow.test/";
  connect();
  loop_->run_once(0ms);
  started.get_future().wait();
  pass(options_.connect_timeout + 100ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
  EXPECT_TEXT(diary_.error, "\"slow.test\"");
  go->set_value();
  for (int i = 0; i < 10; ++i) loop_->run_once(1ms);
  EXPECT_EQ(diary_.events.size(), 1U);
}

TEST_P(ClientFailureTest, AddressesOfAHostAreTriedInOrder) {
  serve();
  std::uint16_t port = 0;
  {
    const RawServer gone;
    port = gone.port();
  }
  const auto dead = *net::Address::parse("127.0.0.1", port);
  const auto alive =
      *net::Address::parse("127.0.0.1", static_cast<std::uint16_t>(std::stoi(options_.url.substr(15))));
  lookup_ = [dead, alive](const std::string&, std::uint16_t) -> Resolver::Result {
    return std::vector<net::Address>{dead, dead, alive, dead};
  };
  options_.url = "ws://many.test/";
  connect();
  wait_for("open");
  EXPECT_EQ(diary_.events.size(), 1U);
  EXPECT_EQ(service_.header("Host"), "many.test");
}

TEST_P(ClientFailureTest, WhenNoAddressAnswersTheErrorNamesThemAll) {
  std::uint16_t port = 0;
  {
    const RawServer gone;
    port = gone.port();
  }
  lookup_ = [port](const std::string&, std::uint16_t) -> Resolver::Result {
    return std::vector<net::Address>{*net::Address::parse("127.0.0.1", port),
                                     *net::Address::parse("127.0.0.2", port)};
  };
  const ClientError& error = fail("ws://many.test/", "connect_failed");
  EXPECT_TEXT(error, "connect 127.0.0.1:");
  EXPECT_TEXT(error, "; connect 127.0.0.2:");
}

TEST_P(ClientFailureTest, LocalhostIsLookedUpByNobody) {
  lookup_ = [](const std::string&, std::uint16_t) -> Resolver::Result { std::abort(); };
  serve();
  options_.url.replace(5, 9, "localhost");
  connect();
  wait_for("open");
}

// Our own side.

TEST_P(ClientFailureTest, ClosedWhileConnecting) {
  const RawServer raw;
  url_of(raw);
  options_.reconnect.enabled = true;
  Client& client = connect();
  const auto peer = accept(raw);
  read_until(peer, "\r\n\r\n");
  EXPECT_TRUE(client.close(1000));
  EXPECT_TRUE(diary_.events.empty());
  wait_for("failed cancelled end");
  read_until(peer, "EOF");
  EXPECT_EQ(clients_.sessions().size(), 0U);
}

TEST_P(ClientFailureTest, ClosedWhileLookingUp) {
  struct Lookup {
    std::promise<void> begun;
    std::promise<void> may_end;
    std::promise<void> ended;
  };
  auto shared = std::make_shared<Lookup>();
  lookup_ = [shared](const std::string&, std::uint16_t) -> Resolver::Result {
    // Holds a reference of its own, because nothing joins the lookup thread and the test's end destroys the
    // other one.
    const auto lookup = shared;
    lookup->begun.set_value();
    lookup->may_end.get_future().wait();
    lookup->ended.set_value();
    return std::unexpected("too late");
  };
  options_.url = "ws://slow.test/";
  connect();
  loop_->run_once(0ms);
  shared->begun.get_future().wait();
  client_->close(1000);
  wait_for("failed cancelled end");
  shared->may_end.set_value();
  shared->ended.get_future().wait();
}

TEST_P(ClientFailureTest, DestroyedWhileConnectingSaysNothing) {
  const RawServer raw;
  url_of(raw);
  connect();
  const auto peer = accept(raw);
  client_.reset();
  read_until(peer, "EOF");
  EXPECT_TRUE(diary_.events.empty());
}

}  // namespace
}  // namespace fanfare::session
