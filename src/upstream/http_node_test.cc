#include "upstream/http_node.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <vector>

#include "upstream/http_clients_for_tests.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::expect_failure;
using testing::HttpClientsTest;
using testing::kAnswer;
using testing::kRead;
using testing::Peer;
using testing::Request;
using testing::TestServer;

class HttpNodeTest : public HttpClientsTest {};
INSTANTIATE_TEST_SUITE_P(Clients, HttpNodeTest, testing::kHttpSetups, testing::name_of_setup);

TEST_P(HttpNodeTest, SendsTheTextAsItIsAndReturnsTheBody) {
  std::promise<Request> seen;
  TestServer server([&](Peer& peer, const Request& request) {
    seen.set_value(request);
    peer.reply(kAnswer);
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url("/v2/secretkey"),
                                         .headers = {{"X-Token", "abc"}, {"X-Empty", ""}}}));
  const std::string text = R"( {"id":1, "jsonrpc":"2.0","method":"eth_blockNumber"} )";
  const Result result = ask(worker, endpoint, text, kRead);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->body, kAnswer);

  const Request request = seen.get_future().get();
  EXPECT_EQ(request.body, text);
  EXPECT_TRUE(request.head.starts_with("POST /v2/secretkey HTTP/1.1\r\n")) << request.head;
  EXPECT_NE(request.head.find("\r\nContent-Type: application/json\r\n"), std::string::npos) << request.head;
  EXPECT_NE(request.head.find("\r\nX-Token: abc\r\n"), std::string::npos) << request.head;
  EXPECT_NE(request.head.find("\r\nX-Empty:\r\n"), std::string::npos) << request.head;
  EXPECT_NE(request.head.find("gzip"), std::string::npos) << request.head;
  EXPECT_EQ(request.head.find("Expect:"), std::string::npos) << request.head;
  EXPECT_EQ(endpoint.name().find("secretkey"), std::string::npos) << endpoint.name();
}

// RFC8259§8.2 leaves open what "\ud800" means. A name that a stranger chose must not make the answer unusable.
TEST_P(HttpNodeTest, ALoneSurrogateIsReplaced_RFC8259_8_2) {
  TestServer server([](Peer& peer, const Request&) { peer.reply(R"({"id":1,"result":["\ud800",1.50]})"); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url("/")}));
  const Result result = ask(worker, endpoint, R"({"id":1,"jsonrpc":"2.0","method":"m"})", kRead);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->body, R"({"id":1,"result":["\ufffd",1.50]})");
}

TEST_P(HttpNodeTest, ReusesTheConnectionForReads) {
  TestServer server([](Peer& peer, const Request&) { peer.reply(kAnswer); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(ask(worker, endpoint, "{}", kRead).has_value());
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.requests(), 5);
}

TEST_P(HttpNodeTest, ReadsSurviveAConnectionThatDiedWhileIdle) {
  TestServer server([](Peer& peer, const Request& request) {
    if (request.connection == 1 && request.body == "second") {
      peer.close();  // as a node that closes the idle connection just as the request is written
      return;
    }
    peer.reply(kAnswer);
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  ASSERT_TRUE(ask(worker, endpoint, "first", kRead).has_value());
  ASSERT_TRUE(ask(worker, endpoint, "second", kRead).has_value());
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(HttpNodeTest, AWriteIsNeverSentTwice) {
  TestServer server([](Peer& peer, const Request& request) {
    if (request.body == "write") {
      peer.close();
      return;
    }
    peer.reply(kAnswer);
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  ASSERT_TRUE(ask(worker, endpoint, "read", kRead).has_value());
  const Result result = ask(worker, endpoint, "write", {.method = "eth_sendTransaction"});
  expect_failure(result, FailureKind::closed);
  EXPECT_TRUE(result.error().sent);
  EXPECT_EQ(server.requests(), 2);
}

TEST_P(HttpNodeTest, ARefusedConnectionSentNothing) {
  Worker worker(on_loop());
  HttpNode endpoint(worker,
                    with_client({.url = "http://127.0.0.1:" + std::to_string(TestServer::closed_port()) +
                                        "/v2/secretkey"}));
  const Result result = ask(worker, endpoint, "{}");
  expect_failure(result, FailureKind::connect);
  EXPECT_FALSE(result.error().sent);
  EXPECT_EQ(result.error().message.find("secretkey"), std::string::npos);
}

TEST_P(HttpNodeTest, ANodeThatNeverAnswersTimesOut) {
  std::latch release(1);
  TestServer server([&](Peer&, const Request&) { release.wait(); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  const Result result = ask(worker, endpoint, "{}", {.timeout = 300ms});
  release.count_down();
  expect_failure(result, FailureKind::timeout);
  EXPECT_TRUE(result.error().sent);
}

TEST_P(HttpNodeTest, ACallerWithMoreTimeDoesNotGiveTheNodeMore) {
  std::latch release(1);
  TestServer server([&](Peer&, const Request&) { release.wait(); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .timeout = 300ms}));
  const Result result = ask(worker, endpoint, "{}", {.timeout = 1h});
  release.count_down();
  expect_failure(result, FailureKind::timeout);
}

TEST_P(HttpNodeTest, ASlowBodyTimesOutToo) {
  std::latch release(1);
  TestServer server([&](Peer& peer, const Request&) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    release.wait();
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  const Result result = ask(worker, endpoint, "{}", {.timeout = 300ms});
  release.count_down();
  expect_failure(result, FailureKind::timeout);
}

TEST_P(HttpNodeTest, AnAnswerThatEndsEarlyIsNoAnswer) {
  TestServer server([](Peer& peer, const Request& request) {
    if (request.body == "half") peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}");
    peer.close();
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  expect_failure(ask(worker, endpoint, "half", kRead), FailureKind::closed);
  expect_failure(ask(worker, endpoint, "nothing", kRead), FailureKind::closed);
}

TEST_P(HttpNodeTest, AStatusOtherThan2xxIsAFailureWithItsBody) {
  TestServer server([](Peer& peer, const Request& request) {
    if (request.body == "429") {
      peer.reply(R"({"error":"slow down /v2/secretkey"})", "429 Too Many Requests", "Retry-After: 7\r\n");
    } else if (request.body == "502") {
      peer.reply("<html>" + std::string(10000, 'x'), "502 Bad Gateway");
    } else {
      peer.reply("", "302 Found", "Location: /elsewhere\r\n");
    }
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url("/v2/secretkey")}));
  const Result limited = ask(worker, endpoint, "429", kRead);
  expect_failure(limited, FailureKind::http_status);
  EXPECT_EQ(limited.error().http_status, 429);
  EXPECT_EQ(limited.error().retry_after, Duration(7s));
  EXPECT_EQ(limited.error().body, R"({"error":"slow down /v2/***"})");
  EXPECT_TRUE(blames_endpoint(limited.error()));

  const Result gateway = ask(worker, endpoint, "502", kRead);
  expect_failure(gateway, FailureKind::http_status);
  EXPECT_EQ(gateway.error().http_status, 502);
  EXPECT_EQ(gateway.error().body.size(), 4096U);

  const Result redirect = ask(worker, endpoint, "302", kRead);
  expect_failure(redirect, FailureKind::http_status);
  EXPECT_EQ(redirect.error().http_status, 302);
  EXPECT_EQ(server.requests(), 3);  // no call was retried
}

TEST_P(HttpNodeTest, WhatIsNotHttpOrNotJsonIsABadReply) {
  TestServer server([](Peer& peer, const Request& request) {
    if (request.body == "noise") {
      peer.send("\x16\x03\x01 what is this\r\n\r\n");
      peer.close();
    } else if (request.body == "page") {
      peer.reply("<html>hello</html>");
    } else if (request.body == "cut") {
      peer.reply(R"([{"id":1},{"id":2,"result":"0x])");
    } else if (request.body == "spaces") {
      peer.reply(" \n ");
    } else {
      peer.reply("", "204 No Content");
    }
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  for (const char* body : {"noise", "page", "cut", "spaces", "empty"}) {
    SCOPED_TRACE(body);
    expect_failure(ask(worker, endpoint, body, kRead), FailureKind::bad_reply);
  }
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_P(HttpNodeTest, TheSizeLimitHoldsAnnouncedStreamedAndCompressed) {
  const std::string fits = "[" + std::string(998, ' ') + "]";
  const std::string over = "[" + std::string(999, ' ') + "]";
  TestServer server([&](Peer& peer, const Request& request) {
    if (request.body == "fits") peer.reply(fits);
    if (request.body == "announced") {
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
      peer.wait_for_close();  // not one byte of the body is waited for
    }
    if (request.body == "streamed") {
      peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + over + "\r\n");
      peer.wait_for_close();
    }
    if (request.body == "gzip fits") peer.reply(gzip(fits), "200 OK", "Content-Encoding: gzip\r\n");
    if (request.body == "gzip bomb") {
      peer.reply(gzip("[" + std::string(1 << 20, ' ') + "]").substr(0, 900), "200 OK",
                 "Content-Encoding: gzip\r\n");
    }
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .response_bytes_max = 1000}));
  for (const char* body : {"fits", "gzip fits"}) {
    const Result result = ask(worker, endpoint, body, kRead);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->body, fits);
  }
  for (const char* body : {"announced", "streamed", "gzip bomb"}) {
    SCOPED_TRACE(body);
    const Result result = ask(worker, endpoint, body, kRead);
    expect_failure(result, FailureKind::too_large);
    EXPECT_FALSE(blames_endpoint(result.error()));
  }
}

struct Recorder final : Observer {
  struct Entry {
    std::string endpoint, method;
    std::optional<FailureKind> failure;
    int status;
    std::size_t sent, received;
  };
  void call_finished(const CallReport& report) override {
    EXPECT_GE(report.latency, Duration::zero());
    entries.push_back({std::string(report.endpoint), std::string(report.method), report.failure,
                       report.http_status, report.bytes_sent, report.bytes_received});
  }
  std::vector<Entry> entries;  // used by the worker; read after run()
};

TEST_P(HttpNodeTest, TellsTheObserverEveryCall) {
  TestServer server([](Peer& peer, const Request& request) {
    request.body == "bad" ? peer.reply("oops", "500 Internal Server Error") : peer.reply(kAnswer);
  });
  Recorder recorder;
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .name = "node-a"}), &recorder);
  EXPECT_TRUE(ask(worker, endpoint, "good", kRead).has_value());
  EXPECT_FALSE(ask(worker, endpoint, "bad", {.method = "batch"}).has_value());
  worker.stop();
  ASSERT_EQ(recorder.entries.size(), 2U);
  EXPECT_EQ(recorder.entries[0].endpoint, "node-a");
  EXPECT_EQ(recorder.entries[0].method, "eth_blockNumber");
  EXPECT_FALSE(recorder.entries[0].failure.has_value());
  EXPECT_EQ(recorder.entries[0].sent, 4U);
  EXPECT_EQ(recorder.entries[0].received, std::string(kAnswer).size());
  EXPECT_EQ(recorder.entries[1].method, "batch");
  EXPECT_EQ(recorder.entries[1].failure, FailureKind::http_status);
  EXPECT_EQ(recorder.entries[1].status, 500);
}

TEST_P(HttpNodeTest, IgnoresTheProxyOfTheEnvironment) {
  ::setenv("http_proxy", ("http://127.0.0.1:" + std::to_string(TestServer::closed_port())).c_str(), 1);
  TestServer server([](Peer& peer, const Request&) { peer.reply(kAnswer); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  EXPECT_TRUE(ask(worker, endpoint, "{}", kRead).has_value());
  ::unsetenv("http_proxy");
}

TEST(HttpOptions, AreCheckedWithoutTellingSecrets) {
  EXPECT_FALSE(problem_with({.url = "https://eth.example/v2/key"}).has_value());
  EXPECT_TRUE(problem_with({.url = "ftp://eth.example"}).has_value());
  EXPECT_TRUE(problem_with({.url = "eth.example"}).has_value());
  EXPECT_TRUE(problem_with({.url = "http://"}).has_value());
  EXPECT_TRUE(problem_with({.url = "http://a", .connections_max = 0}).has_value());
  EXPECT_TRUE(problem_with({.url = "http://a", .headers = {{"X", "a\r\nY: b"}}}).has_value());
  EXPECT_TRUE(problem_with({.url = "http://a", .headers = {{"", "a"}}}).has_value());
  const auto problem = problem_with({.url = "http://host:port/secretkey"});
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->find("secretkey"), std::string::npos);
}

}  // namespace
}  // namespace fanfare::upstream
