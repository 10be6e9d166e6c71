// What our own client does with a connection: when it keeps it, when it uses it again, and when it does not.

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <latch>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upstream/builtin_request.h"
#include "upstream/http_clients_for_tests.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::expect_failure;
using testing::HttpClientsTest;
using testing::HttpSetup;
using testing::kAnswer;
using testing::kRead;
using testing::Peer;
using testing::Request;
using testing::TestServer;

const std::string kText = kAnswer;
const std::string kLength = "Content-Length: " + std::to_string(kText.size()) + "\r\n";

class BuiltinClientTest : public HttpClientsTest {};
INSTANTIATE_TEST_SUITE_P(Loops, BuiltinClientTest,
                         ::testing::Values(HttpSetup{HttpClientChoice::builtin, net::LoopKind::epoll},
                                           HttpSetup{HttpClientChoice::builtin, net::LoopKind::uring}),
                         testing::name_of_setup);

// Every way to delimit a body, and whether its connection is used again.
TEST_P(BuiltinClientTest, EveryFramingOfABody_RFC9112_6_3) {
  struct Case {
    std::string_view name;
    std::string answer;
    bool closes;
    bool is_kept;
  };
  const std::vector<Case> cases{
      {"counted", "HTTP/1.1 200 OK\r\n" + kLength + "\r\n" + kText, false, true},
      {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + kLength + "\r\n" + kText, false, true},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n",
       false, true},
      {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\n" + kLength + "\r\n" + kText, false, false},
      {"old", "HTTP/1.0 200 OK\r\n" + kLength + "\r\n" + kText, false, false},
      {"old, kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + kLength + "\r\n" + kText, false, true},
      {"until the close", "HTTP/1.1 200 OK\r\n\r\n" + kText, true, false},
      {"bytes behind the answer", "HTTP/1.1 200 OK\r\n" + kLength + "\r\n" + kText + "HTTP/1.1 200 OK\r\n",
       false, false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    TestServer server([&](Peer& peer, const Request&) {
      peer.send(one.answer);
      if (one.closes) peer.close();
    });
    Worker worker(on_loop());
    HttpNode endpoint(worker, with_client({.url = server.url()}));
    for (int i = 0; i < 2; ++i) {
      const Result result = ask(worker, endpoint, "{}", kRead);
      ASSERT_TRUE(result.has_value()) << result.error().message;
      EXPECT_EQ(result->body, one.name == "chunked" ? "[1]" : kText);
      EXPECT_EQ(result->new_connection, i == 0 || !one.is_kept);
    }
    EXPECT_EQ(server.connections(), one.is_kept ? 1 : 2);
  }
}

TEST_P(BuiltinClientTest, AnAnswerByteByByte) {
  const std::string answer = "HTTP/1.1 200 OK\r\n" + kLength + "\r\n" + kText;
  TestServer server([&](Peer& peer, const Request&) {
    for (const char& byte : answer) peer.send({&byte, 1});
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  EXPECT_EQ(ask(worker, endpoint, "{}", kRead)->body, kText);
  EXPECT_EQ(ask(worker, endpoint, "{}", kRead)->body, kText);
  EXPECT_EQ(server.connections(), 1);
}

// The node answers and closes; the client sees the end while nothing is asked.
TEST_P(BuiltinClientTest, AConnectionThatEndedWhileIdleIsNotUsed) {
  TestServer server([&](Peer& peer, const Request& request) {
    peer.reply(kAnswer);
    if (request.connection == 1) peer.close();
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  ASSERT_TRUE(ask(worker, endpoint, "first", kRead).has_value());
  ASSERT_TRUE(ask(worker, endpoint, "second", kRead).has_value());
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(BuiltinClientTest, AReadIsRepeatedOnceAndOnlyIfNoByteCame) {
  TestServer server([&](Peer& peer, const Request& request) {
    if (request.body == "first") {
      peer.reply(kAnswer);
    } else {
      if (request.body == "half") peer.send("HTTP/1.1 2");
      peer.close();
    }
  });
  Worker worker(on_loop());
  {
    HttpNode endpoint(worker, with_client({.url = server.url()}));
    ASSERT_TRUE(ask(worker, endpoint, "first", kRead).has_value());
    const Result result =
        ask(worker, endpoint, "nothing", kRead);  // on the kept connection, then on a new one
    expect_failure(result, FailureKind::closed);
    EXPECT_TRUE(result.error().sent);
    EXPECT_EQ(server.requests(), 3);
  }
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  ASSERT_TRUE(ask(worker, endpoint, "first", kRead).has_value());
  expect_failure(ask(worker, endpoint, "half", kRead), FailureKind::closed);
  EXPECT_EQ(server.requests(), 5);
}

TEST_P(BuiltinClientTest, AWriteGetsAConnectionOfItsOwn) {
  TestServer server([](Peer& peer, const Request&) { peer.reply(kAnswer); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  EXPECT_TRUE(ask(worker, endpoint, "read", kRead)->new_connection);
  EXPECT_TRUE(ask(worker, endpoint, "write", {.method = "eth_sendRawTransaction"})->new_connection);
  EXPECT_FALSE(ask(worker, endpoint, "read", kRead)->new_connection);  // that connection is kept as well
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(BuiltinClientTest, KeepsAsManyConnectionsAsItMayUse) {
  TestServer server([](Peer& peer, const Request&) { peer.reply(kAnswer); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .connections_max = 1}));
  EXPECT_TRUE(ask(worker, endpoint, "write", {.method = "m"})->new_connection);
  EXPECT_TRUE(ask(worker, endpoint, "write", {.method = "m"})->new_connection);
  EXPECT_FALSE(ask(worker, endpoint, "read", kRead)->new_connection);
}

TEST_P(BuiltinClientTest, ACodingThatWasNotOfferedIsABadReply) {
  TestServer server([](Peer& peer, const Request& request) {
    peer.reply(kAnswer, "200 OK", "Content-Encoding: " + request.body + "\r\n");
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  EXPECT_TRUE(ask(worker, endpoint, "identity", kRead).has_value());
  for (const char* coding : {"br", "gzip"}) {  // the second one lies
    const Result result = ask(worker, endpoint, coding, kRead);
    expect_failure(result, FailureKind::bad_reply);
    EXPECT_EQ(result.error().http_status, 200);
  }
}

TEST_P(BuiltinClientTest, AnAnswerBeforeTheRequestIsWhole) {
  TestServer server([](Peer&, const Request&) {},
                    [](int fd) {
                      Peer peer(fd);
                      char byte = 0;
                      static_cast<void>(::recv(fd, &byte, 1, 0));
                      peer.reply(R"({"error":"too long"})", "413 Content Too Large");
                      // Until the client closes: an end of ours before that could overtake the answer.
                      std::array<char, 65536> rest;
                      while (::recv(fd, rest.data(), rest.size(), 0) > 0) continue;
                    });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  const Result result = ask(worker, endpoint, std::string(8 << 20, ' '), kRead);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().http_status, 413) << result.error().message;
}

TEST_P(BuiltinClientTest, TheAddressesOfAHostAreTriedInTurn) {
  TestServer server([](Peer& peer, const Request& request) {
    EXPECT_NE(request.head.find("\r\nHost: localhost:"), std::string::npos) << request.head;
    peer.reply(kAnswer);
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = "http://localhost:" + std::to_string(server.port())}));
  EXPECT_TRUE(ask(worker, endpoint, "{}", kRead).has_value());
  HttpNode nobody(worker,
                  with_client({.url = "http://localhost:" + std::to_string(TestServer::closed_port())}));
  const Result result = ask(worker, nobody, "{}", kRead);
  expect_failure(result, FailureKind::connect);
  EXPECT_NE(result.error().message.find("[::1]"), std::string::npos) << result.error().message;
  EXPECT_NE(result.error().message.find("127.0.0.1"), std::string::npos) << result.error().message;
}

// The resolver itself rejects a label of more than 63 bytes (RFC1035§2.3.4).
TEST_P(BuiltinClientTest, AHostWithoutAnAddress) {
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = "http://" + std::string(64, 'a') + ".invalid/v2/secretkey"}));
  std::vector<std::promise<Result>> results(3);  // one lookup for all
  worker.run([&] {
    for (auto& promise : results) {
      endpoint.call("{}", kRead, [&promise](Result got) { promise.set_value(std::move(got)); });
    }
  });
  for (auto& promise : results) {
    const Result result = promise.get_future().get();
    expect_failure(result, FailureKind::resolve);
    EXPECT_FALSE(result.error().sent);
    EXPECT_EQ(result.error().message.find("secretkey"), std::string::npos);
  }
}

TEST_P(BuiltinClientTest, ManyCallsAtOnceUseManyConnectionsOnce) {
  constexpr int kCalls = 200;
  TestServer server([](Peer& peer, const Request& request) { peer.reply("[" + request.body + "]"); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .connections_max = 8}));
  std::vector<std::promise<Result>> results(kCalls);
  worker.run([&] {
    for (int i = 0; i < kCalls; ++i) {
      endpoint.call(std::to_string(i), kRead,
                    [&results, i](Result got) { results[i].set_value(std::move(got)); });
    }
  });
  for (int i = 0; i < kCalls; ++i) {
    const Result result = results[i].get_future().get();
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->body, "[" + std::to_string(i) + "]");
  }
  EXPECT_LE(server.connections(), 8);
}

TEST(BuiltinRequest, UserAndPasswordBecomeAHeader_RFC7617) {
  const HttpOptions options{.url = "http://us%20er:p%3Aw@host:81/a?b=c"};
  const std::string head = builtin_request_head(options, *http::parse_url(options.url));
  EXPECT_TRUE(
      head.starts_with("POST /a?b=c HTTP/1.1\r\nHost: host:81\r\nAuthorization: Basic dXMgZXI6cDp3\r\n"))
      << head;
  EXPECT_TRUE(head.ends_with("\r\nContent-Length: ")) << head;
}

TEST(BuiltinRequest, ConfiguredHeadersReplaceOurs) {
  const HttpOptions options{
      .url = "http://u:p@[::1]/",
      .headers = {{"host", "other"}, {"AUTHORIZATION", "Bearer x"}, {"User-Agent", "me"}}};
  const std::string head = builtin_request_head(options, *http::parse_url(options.url));
  EXPECT_EQ(head,
            "POST / HTTP/1.1\r\nAccept-Encoding: gzip, deflate\r\nContent-Type: application/json\r\n"
            "Accept: application/json\r\nhost: other\r\nAUTHORIZATION: Bearer x\r\nUser-Agent: "
            "me\r\nContent-Length: ");
}

TEST(HttpClientChoice, IsTheConfiguredOne) {
  const auto chosen = [](const HttpOptions& options) {
    const HttpClientDecision decision = decide_client(options);
    return std::string(name_of(decision.client)) + ": " + decision.reason;
  };
  EXPECT_EQ(chosen({.url = "http://a"}), "builtin: the default");
  EXPECT_EQ(chosen({.url = "http://a", .proxy = "http://p"}),
            "libcurl: the built-in client does not support a proxy");
  EXPECT_EQ(chosen({.url = "http://a", .client = HttpClientChoice::libcurl}), "libcurl: configured");
  EXPECT_EQ(chosen({.url = "https://a", .client = HttpClientChoice::builtin}), "builtin: configured");
  EXPECT_EQ(problem_with({.url = "http://a", .proxy = "http://p", .client = HttpClientChoice::builtin}),
            "the built-in client does not support a proxy");
  EXPECT_EQ(problem_with({.url = "http://a", .client = HttpClientChoice::builtin}), std::nullopt);
}

}  // namespace
}  // namespace fanfare::upstream
