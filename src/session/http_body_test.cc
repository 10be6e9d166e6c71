// Responses in pieces and upgrades decided later, with raw bytes on the other side of a real socket.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "session/answer_body.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

// A test's access to the body: its session while it exists.
struct Watched {
  HttpConnection* session = nullptr;
  int writable = 0;
  bool destroyed = false;
  std::function<void(HttpConnection&)> when_writable;
};

class WatchedBody final : public AnswerBody {
 public:
  explicit WatchedBody(Watched& watched) : watched_(watched) {}
  ~WatchedBody() override {
    watched_.destroyed = true;
    watched_.session = nullptr;
  }
  void on_writable(HttpConnection& session) override {
    ++watched_.writable;
    if (watched_.when_writable) watched_.when_writable(session);
  }
  void on_shut_down(HttpConnection& session) override { session.end_body(); }

 private:
  Watched& watched_;
};

class BodyService final : public HttpService {
 public:
  explicit BodyService(EchoEndpoint& endpoint) : endpoint_(endpoint) {}

  std::optional<std::uint64_t> length;
  Watched watched;
  bool started = false;
  SessionId deciding;
  std::optional<ws::UpgradeAccept> agreed;
  ws::UpgradePolicy policy;

  void on_request(HttpConnection& session, const http::Request& request) override {
    if (request.path == "/plain") return session.respond({.body = "plain", .headers = {}});
    session.set_answer_headers({{.name = "X-Front", .value = "1"}});
    watched.session = &session;
    started = session.start_body({.body = "", .headers = {{.name = "X-Own", .value = "2"}}}, length,
                                 std::make_unique<WatchedBody>(watched));
  }
  UpgradeDecision on_upgrade(HttpConnection& session, const http::Request& request) override {
    deciding = session.id();
    auto checked = check_upgrade(request, policy);
    if (!checked) return response_of(std::move(checked.error()));
    agreed = *std::move(checked);
    return DecideLater{};
  }
  Acceptance acceptance() {
    return {.endpoint = &endpoint_,
            .policy = &policy,
            .data = nullptr,
            .agreed = agreed,
            .headers = {{.name = "Set-Cookie", .value = "a=1"}}};
  }

 private:
  EchoEndpoint& endpoint_;
};

class AnswerBodyTest : public LoopServerTest {
 protected:
  net::Descriptor connect_to_bodies(LoopServerOptions options = {}) {
    if (server_ == nullptr) start(options);
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), bodies_);
    return net::Descriptor(ends[1]);
  }
  // Reads up to the FIN and omits the "EOF".
  std::string read_to_eof(const net::Descriptor& peer) {
    std::string text = read_until(peer, "EOF");
    return text.substr(0, text.size() - 3);
  }
  void turn() { loop_->run_once(0ms); }

  BodyService bodies_{endpoint_};
};

INSTANTIATE_TEST_SUITE_P(Kinds, AnswerBodyTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

TEST_P(AnswerBodyTest, ComesInChunksWhereNobodyKnowsItsLength_RFC9112_7_1) {
  const net::Descriptor peer = connect_to_bodies();
  write(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string head = read_until(peer, "\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("X-Front: 1\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Own: 2\r\n"));
  EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(run_until([&] { return bodies_.watched.writable == 1; }));
  EXPECT_EQ(bodies_.watched.session->write_body(as_bytes("hello")), SendResult::queued);
  EXPECT_EQ(read_until(peer, "hello\r\n"), "5\r\nhello\r\n");
  EXPECT_EQ(bodies_.watched.session->write_body({}), SendResult::queued);  // would be the last chunk
  bodies_.watched.session->end_body();
  // The connection's next request is answered after it.
  EXPECT_THAT(read_until(peer, "plain"), testing::StartsWith("0\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(run_until([&] { return bodies_.watched.destroyed; }));
}

TEST_P(AnswerBodyTest, EndsWithTheConnectionForAnOldClient_RFC9112_6_3) {
  const net::Descriptor peer = connect_to_bodies();
  write(peer, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(read_until(peer, "\r\n\r\n"), HasSubstr("Connection: close\r\n"));
  bodies_.watched.session->write_body(as_bytes("hello"));
  bodies_.watched.session->end_body();
  EXPECT_EQ(read_to_eof(peer), "hello");
}

TEST_P(AnswerBodyTest, HasTheLengthThatWasSaid) {
  bodies_.length = 5;
  const net::Descriptor peer = connect_to_bodies();
  write(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(read_until(peer, "\r\n\r\n"), HasSubstr("Content-Length: 5\r\n"));
  bodies_.watched.session->write_body(as_bytes("hel"));
  bodies_.watched.session->write_body(as_bytes("lo"));
  bodies_.watched.session->end_body();
  write(peer, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(read_until(peer, "plain"), testing::StartsWith("helloHTTP/1.1 200 OK"));
}

// A client must not mistake a truncated body for a complete one, nor the rest for the next response.
TEST_P(AnswerBodyTest, OfAnotherLengthThanWasSaidIsCutOff) {
  bodies_.length = 5;
  const net::Descriptor shorter = connect_to_bodies();
  write(shorter, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  read_until(shorter, "\r\n\r\n");
  bodies_.watched.session->write_body(as_bytes("hel"));
  EXPECT_EQ(read_until(shorter, "hel"), "hel");
  bodies_.watched.session->end_body();
  EXPECT_EQ(read_to_eof(shorter), "");

  const net::Descriptor longer = connect_to_bodies();
  write(longer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  read_until(longer, "\r\n\r\n");
  EXPECT_EQ(bodies_.watched.session->write_body(as_bytes("hello!")), SendResult::closed);
  EXPECT_EQ(read_to_eof(longer), "");
}

TEST_P(AnswerBodyTest, HeadGetsTheHeadAlone_RFC9110_9_3_2) {
  const net::Descriptor peer = connect_to_bodies();
  write(peer, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(read_until(peer, "plain"), HasSubstr("chunked\r\n\r\nHTTP/1.1 200 OK"));
  EXPECT_FALSE(bodies_.started);
  EXPECT_TRUE(bodies_.watched.destroyed);
}

TEST_P(AnswerBodyTest, AReaderThatIsSlowHoldsTheWriterBack) {
  LoopServerOptions options;
  options.http.outbox_bytes_high = 1000;
  options.http.body_outbox_bytes_max = 4000;
  bodies_.length = 40'000'000;
  const net::Descriptor peer = connect_to_bodies(options);
  write(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  read_until(peer, "\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return bodies_.watched.writable == 1; }));
  // More than the system's buffers hold.
  const std::string much(8'000'000, 'x');
  EXPECT_EQ(bodies_.watched.session->write_body(as_bytes(much)), SendResult::congested);
  turn();
  turn();
  EXPECT_EQ(bodies_.watched.writable, 1);
  std::size_t taken = 0;
  EXPECT_TRUE(run_until([&] { return (taken += read_now(peer).size()) >= much.size(); }));
  EXPECT_TRUE(run_until([&] { return bodies_.watched.writable == 2; }));
  // A writer that does not wait loses the client instead of filling the memory.
  EXPECT_EQ(bodies_.watched.session->write_body(as_bytes(much)), SendResult::congested);
  turn();
  HttpConnection* const session = bodies_.watched.session;
  EXPECT_EQ(session->write_body(as_bytes("x")), SendResult::closed);
  EXPECT_TRUE(run_until([&] { return bodies_.watched.destroyed; }));
}

TEST_P(AnswerBodyTest, AClientThatTakesNothingIsNotWaitedForWithoutEnd) {
  LoopServerOptions options;
  options.http.idle_timeout = std::chrono::seconds(3);
  const net::Descriptor peer = connect_to_bodies(options);
  write(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  read_until(peer, "\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return bodies_.watched.writable == 1; }));
  pass(std::chrono::seconds(60));  // a writer without data may take its time
  EXPECT_FALSE(bodies_.watched.destroyed);
  bodies_.watched.session->write_body(as_bytes(std::string(8'000'000, 'x')));
  turn();
  pass(std::chrono::seconds(2));
  EXPECT_FALSE(bodies_.watched.destroyed);
  pass(std::chrono::seconds(3));
  EXPECT_TRUE(run_until([&] { return bodies_.watched.destroyed; }));
}

TEST_P(AnswerBodyTest, IsDestroyedWithItsConnection) {
  {
    const net::Descriptor peer = connect_to_bodies();
    write(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    read_until(peer, "\r\n\r\n");
    EXPECT_TRUE(run_until([&] { return bodies_.watched.writable == 1; }));
    bodies_.watched.when_writable = [](HttpConnection& session) { session.write_body(as_bytes("more")); };
    bodies_.watched.session->write_body(as_bytes("more"));
  }
  EXPECT_TRUE(run_until([&] { return bodies_.watched.destroyed; }));
}

TEST_P(AnswerBodyTest, EndsInGoodOrderWhenTheServerStops) {
  const net::Descriptor peer = connect_to_bodies();
  write(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  read_until(peer, "\r\n\r\n");
  server_->drain(1012, "");
  EXPECT_EQ(read_to_eof(peer), "0\r\n\r\n");
}

TEST_P(AnswerBodyTest, AnUpgradeMayBeAcceptedLater) {
  const net::Descriptor peer = connect_to_bodies();
  // The first message arrives with the handshake, before the decision.
  write(peer, std::string(kUpgrade) + client_frame(0x81, "early"));
  EXPECT_TRUE(run_until([&] { return bodies_.agreed.has_value(); }));
  turn();
  EXPECT_TRUE(endpoint_.events.empty());
  auto* connection = server_->sessions().find_http(bodies_.deciding);
  ASSERT_NE(connection, nullptr);
  connection->accept_upgrade(bodies_.acceptance());
  const std::string answer = read_until(peer, "early");
  EXPECT_THAT(answer, HasSubstr("101 Switching Protocols"));
  EXPECT_THAT(answer, HasSubstr("Set-Cookie: a=1\r\n"));
  EXPECT_THAT(answer, EndsWith("early"));
  write(peer, client_frame(0x81, "late"));
  EXPECT_THAT(read_until(peer, "late"), EndsWith("late"));
  // The id of the request finds neither it nor the WebSocket, so a second answer reaches nothing.
  EXPECT_EQ(server_->sessions().find_http(bodies_.deciding), nullptr);
  EXPECT_EQ(server_->sessions().find(bodies_.deciding), nullptr);
  turn();
  EXPECT_EQ(endpoint_.events, std::vector<std::string>{"open"});
}

TEST_P(AnswerBodyTest, AnUpgradeMayBeRefusedLater) {
  const net::Descriptor peer = connect_to_bodies();
  write(peer, std::string(kUpgrade) + "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return bodies_.agreed.has_value(); }));
  auto* connection = server_->sessions().find_http(bodies_.deciding);
  connection->respond({.status = 403, .body = "no", .headers = {}});
  EXPECT_THAT(read_until(peer, "plain"), HasSubstr("HTTP/1.1 403 "));
  connection->accept_upgrade(bodies_.acceptance());
  EXPECT_TRUE(endpoint_.events.empty());
}

TEST_P(AnswerBodyTest, AClientMayLeaveBeforeTheDecision) {
  {
    const net::Descriptor peer = connect_to_bodies();
    write(peer, kUpgrade);
    EXPECT_TRUE(run_until([&] { return bodies_.agreed.has_value(); }));
  }
  turn();
  // Its system may accept data that the client does not read: the session then opens, and ends.
  if (auto* connection = server_->sessions().find_http(bodies_.deciding)) {
    connection->accept_upgrade(bodies_.acceptance());
  }
  EXPECT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
  EXPECT_EQ(server_->sessions().find_http(bodies_.deciding), nullptr);
  if (!endpoint_.events.empty()) {
    EXPECT_EQ(endpoint_.events, (std::vector<std::string>{"open", "close connection_lost 1006 "}));
  }
}

}  // namespace
}  // namespace fanfare::session
