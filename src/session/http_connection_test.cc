// HTTP/1.1 and the upgrade over a transport that is no socket: what a stream of another protocol needs from this room.
#include "session/http_connection.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "session/endpoint.h"
#include "session/memory_transport_for_tests.h"
#include "session/session.h"

namespace fanfare::session {
namespace {

using namespace std::chrono_literals;

struct EchoAfterUpgrade final : Endpoint {
  using Endpoint::Endpoint;
  void on_message(Session& session, const Message& message) override {
    session.send_text(as_text(message.payload));
  }
};

struct PathService final : HttpService {
  explicit PathService(Endpoint& its_endpoint) : endpoint(its_endpoint) {}
  void on_request(HttpConnection& connection, const http::Request& request) override {
    if (request.target == "/later") {
      waiting = &connection;
      abandonment = connection.abandonment();
      return;
    }
    connection.respond({.body = std::string(request.target), .headers = {}});
  }
  UpgradeDecision on_upgrade(HttpConnection&, const http::Request&) override {
    return Acceptance{.endpoint = &endpoint, .policy = &policy, .data = nullptr};
  }
  Endpoint& endpoint;
  ws::UpgradePolicy policy;
  HttpConnection* waiting = nullptr;  // for the response to /later
  std::shared_ptr<const std::atomic<bool>> abandonment;
};

class HttpConnectionTest : public testing::Test {
 protected:
  HttpConnectionTest() {
    EXPECT_TRUE(gate_.enter().has_value());
    auto http = std::make_unique<HttpConnection>(table_, context_, transport_, table_.now_ms());
    HttpConnection& begun = *http;
    transport_.set_handler(std::move(http));
    begun.open(Admission(gate_));
  }
  ~HttpConnectionTest() override {
    transport_.close();
    transport_.detach();
    EXPECT_EQ(gate_.connections(), 0U);
  }

  std::unique_ptr<net::Loop> loop_ = std::move(net::Loop::create({.kind = net::LoopKind::epoll}).value());
  AcceptGate gate_;
  ServerTable table_{*loop_, 100ms, gate_};
  SessionSettings of_messages_;
  EchoAfterUpgrade endpoint_{of_messages_};
  PathService service_{endpoint_};
  HttpSettings http_;
  ListenerContext context_{.service = service_, .http = http_, .options = {}};
  MemoryTransport transport_;
};

TEST_F(HttpConnectionTest, AnswersRequestsOnAnyTransport) {
  EXPECT_EQ(gate_.connections(), 1U);
  transport_.deliver("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string sent = transport_.take();
  EXPECT_NE(sent.find("/one"), std::string::npos) << sent;
  EXPECT_LT(sent.find("/one"), sent.find("/two")) << sent;
}

TEST_F(HttpConnectionTest, AnAnswerIsAbandonedWhenItIsSentOrTheClientEndsItsSide) {
  const std::string later = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
  transport_.deliver(later);
  const auto first = service_.abandonment;
  EXPECT_FALSE(first->load());
  service_.waiting->respond({.body = "now", .headers = {}});
  EXPECT_TRUE(first->load());
  EXPECT_TRUE(service_.waiting->abandonment()->load()) << "there is no request";
  transport_.deliver(later);
  EXPECT_FALSE(service_.abandonment->load());
  transport_.end();
  EXPECT_TRUE(service_.abandonment->load());
  service_.waiting->respond({.body = "nevertheless", .headers = {}});
  EXPECT_NE(transport_.take().find("nevertheless"), std::string::npos);
}

TEST_F(HttpConnectionTest, ARequestThatWaitedForItsTurnWhenTheClientEndedItsSideIsAbandonedAtOnce) {
  const std::string later = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
  transport_.deliver(later + later);
  transport_.end();
  const auto first = service_.abandonment;
  service_.waiting->respond({.body = "one", .headers = {}});
  for (int turn = 0; turn < 3; ++turn) loop_->run_once(0ms);
  ASSERT_NE(service_.abandonment, first) << "the second was not asked";
  EXPECT_TRUE(service_.abandonment->load());
  service_.waiting->respond({.body = "two", .headers = {}});
  EXPECT_NE(transport_.take().find("two"), std::string::npos);
}

// Reading is paused while bytes wait behind the request.
TEST_F(HttpConnectionTest, AnAnswerIsAbandonedWhenTheClientEndsItsSideBehindBytesThatWait) {
  transport_.deliver("GET /later HTTP/1.1\r\nHost: a\r\n\r\nG");
  EXPECT_FALSE(transport_.is_reading());
  EXPECT_FALSE(service_.abandonment->load());
  transport_.end_while_paused();
  EXPECT_TRUE(service_.abandonment->load());
}

TEST_F(HttpConnectionTest, AnAnswerIsAbandonedWhenTheClientHasGone) {
  transport_.deliver("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(service_.abandonment->load());
  transport_.lose();
  transport_.detach();
  EXPECT_TRUE(service_.abandonment->load());
}

TEST_F(HttpConnectionTest, ASessionTakesOverItsTransport) {
  transport_.deliver(
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  const std::string agreed = transport_.take();
  EXPECT_TRUE(agreed.starts_with("HTTP/1.1 101 ")) << agreed;
  // RFC6455§1.3
  EXPECT_NE(agreed.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos) << agreed;
  transport_.deliver(std::string("\x81\x82\0\0\0\0Hi", 8));
  EXPECT_EQ(transport_.take(), "\x81\x02Hi");
  EXPECT_EQ(gate_.connections(), 1U);
}

}  // namespace
}  // namespace fanfare::session
