// Bodies of requests in pieces, with raw bytes on the other side of a real socket.

#include "session/request_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// A test's view of the body that is read.
struct Taken {
  HttpConnection* connection = nullptr;  // until the reader is destroyed
  std::string text;
  std::size_t bytes = 0;
  std::size_t longest_piece = 0;
  bool last = false;
  bool destroyed = false;
  bool wants_all = false;  // asks for the next piece within on_piece()
};

class TakingBody final : public RequestBody {
 public:
  explicit TakingBody(Taken& taken) : taken_(taken) {}
  ~TakingBody() override {
    taken_.destroyed = true;
    taken_.connection = nullptr;
  }
  void on_piece(HttpConnection& connection, Bytes piece, bool last) override {
    taken_.bytes += piece.size();
    taken_.longest_piece = std::max(taken_.longest_piece, piece.size());
    if (taken_.bytes < 1000) taken_.text += as_text(piece);
    taken_.last = last;
    if (last) return connection.respond({.body = "got " + std::to_string(taken_.bytes), .headers = {}});
    if (taken_.wants_all) connection.want_body();
  }

 private:
  Taken& taken_;
};

// POST /pieces takes the body in pieces; other requests are answered with their whole body.
class TakingService final : public HttpService {
 public:
  BodyPlan plan{.in_pieces = true};
  Taken taken;
  std::string answer;  // at once, if not empty
  SessionId id;

  BodyPlan plan_body(const HttpConnection&, const http::Request& head) override {
    return head.path == "/pieces" ? plan : BodyPlan{};
  }
  void on_request(HttpConnection& connection, const http::Request& request) override {
    if (request.path != "/pieces") {
      return connection.respond({.body = "whole " + std::string(as_text(request.body)), .headers = {}});
    }
    EXPECT_TRUE(request.body.empty());
    id = connection.id();
    taken.connection = &connection;
    if (!answer.empty()) return connection.respond({.status = 403, .body = answer, .headers = {}});
    connection.receive_body(std::make_unique<TakingBody>(taken));
    if (taken.wants_all && taken.connection != nullptr) connection.want_body();
  }
  UpgradeDecision on_upgrade(HttpConnection&, const http::Request&) override { return HttpResponse{}; }
};

class RequestBodyTest : public LoopServerTest {
 protected:
  net::Descriptor connect_to_bodies() {
    if (server_ == nullptr) start({.http = http_});
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), bodies_);
    return net::Descriptor(ends[1]);
  }
  static std::string head(std::string_view framing) {
    return "POST /pieces HTTP/1.1\r\nHost: a\r\n" + std::string(framing) + "\r\n\r\n";
  }
  // Writes until the other side accepts no more for many turns, at most `bytes`. Returns how many were accepted.
  std::size_t write_much(const net::Descriptor& peer, std::size_t bytes) {
    const std::string piece(64 * 1024, 'x');
    std::size_t sent = 0;
    int idle = 0;
    while (sent < bytes && idle < 50) {
      const ssize_t more =
          ::send(peer.get(), piece.data(), std::min(piece.size(), bytes - sent), MSG_NOSIGNAL);
      idle = more > 0 ? 0 : idle + 1;
      if (more > 0) sent += static_cast<std::size_t>(more);
      loop_->run_once(0ms);
    }
    return sent;
  }
  bool request_arrives() {
    return run_until([&] { return bodies_.id != SessionId{}; });
  }
  HttpConnection& connection() { return *bodies_.taken.connection; }

  HttpSettings http_;
  TakingService bodies_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, RequestBodyTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

constexpr std::size_t kHundredMegabytes = 100'000'000;
constexpr std::size_t kSocketsHold = 4'000'000;

TEST_P(RequestBodyTest, AHundredMegabytesPassInPiecesAndNothingIsReadWhileTheReaderIsBusy) {
  bodies_.plan.bytes_max = kHundredMegabytes;
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: " + std::to_string(kHundredMegabytes)));
  ASSERT_TRUE(request_arrives());
  // The reader has not asked for anything: the client is held back by what the sockets hold.
  std::size_t sent = write_much(peer, kHundredMegabytes);
  EXPECT_LT(sent, kSocketsHold);
  EXPECT_EQ(bodies_.taken.bytes, 0U);
  // One piece, and again nothing.
  connection().want_body();
  ASSERT_TRUE(run_until([&] { return bodies_.taken.bytes > 0; }));
  sent += write_much(peer, kHundredMegabytes - sent);
  EXPECT_LT(sent - bodies_.taken.bytes, kSocketsHold);
  EXPECT_LT(bodies_.taken.bytes, kSocketsHold);
  bodies_.taken.wants_all = true;
  connection().want_body();
  while (sent < kHundredMegabytes) {
    const std::size_t more = write_much(peer, kHundredMegabytes - sent);
    ASSERT_GT(more, 0U);
    sent += more;
  }
  EXPECT_THAT(read_until(peer, "got 100000000"), HasSubstr("200 OK"));
  EXPECT_EQ(bodies_.taken.bytes, kHundredMegabytes);
  EXPECT_LT(bodies_.taken.longest_piece, kSocketsHold);
  EXPECT_TRUE(bodies_.taken.destroyed);
  // The connection continues.
  write(peer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  read_until(peer, "whole abc");
}

TEST_P(RequestBodyTest, ChunksAndSplitsGiveTheSameBytes) {
  bodies_.taken.wants_all = true;
  const net::Descriptor peer = connect_to_bodies();
  const std::string request =
      head("Transfer-Encoding: chunked") + "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: 1\r\n\r\n";
  for (const char byte : request) {
    write(peer, std::string_view(&byte, 1));
    loop_->run_once(0ms);
  }
  read_until(peer, "got 7");
  EXPECT_EQ(bodies_.taken.text, "abcdefg");
  // Pipelined behind a body that is there at once.
  bodies_.taken = {.wants_all = true};
  write(peer, request + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(read_until(peer, "whole "), HasSubstr("got 7"));
  EXPECT_EQ(bodies_.taken.text, "abcdefg");
}

TEST_P(RequestBodyTest, ARequestWithoutABodyGivesOneEmptyLastPiece) {
  bodies_.taken.wants_all = true;
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 0"));
  read_until(peer, "got 0");
  EXPECT_TRUE(bodies_.taken.last);
}

TEST_P(RequestBodyTest, TheLimitIsOfTheRequest_413) {
  bodies_.plan.bytes_max = 5;
  bodies_.taken.wants_all = true;
  net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 5") + "abcde");
  read_until(peer, "got 5");
  write(peer, head("Content-Length: 6"));
  EXPECT_THAT(read_until(peer, "EOF"), HasSubstr("413 "));
  // Chunks have no length beforehand. The piece within the limit was handed out already.
  bodies_.taken = {.wants_all = true};
  peer = connect_to_bodies();
  write(peer, head("Transfer-Encoding: chunked") + "5\r\nabcde\r\n");
  ASSERT_TRUE(run_until([&] { return bodies_.taken.bytes == 5; }));
  write(peer, "1\r\nf\r\n");
  EXPECT_THAT(read_until(peer, "EOF"), HasSubstr("413 "));
  loop_->run_once(0ms);
  EXPECT_TRUE(bodies_.taken.destroyed);
  EXPECT_FALSE(bodies_.taken.last);
}

TEST_P(RequestBodyTest, AMalformedChunkIsAnswered400) {
  bodies_.taken.wants_all = true;
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Transfer-Encoding: chunked") + "3\r\nabc\r\n");
  ASSERT_TRUE(run_until([&] { return bodies_.taken.bytes == 3; }));
  write(peer, "nonsense\r\n");
  EXPECT_THAT(read_until(peer, "EOF"), HasSubstr("400 "));
  EXPECT_FALSE(bodies_.taken.last);
}

TEST_P(RequestBodyTest, AClientThatLeavesInTheMiddleEndsTheReader) {
  for (const bool wants : {true, false}) {
    bodies_.taken = {.wants_all = wants};
    bodies_.id = {};
    {
      const net::Descriptor peer = connect_to_bodies();
      write(peer, head("Content-Length: 100") + "part");
      ASSERT_TRUE(request_arrives());
      if (wants) ASSERT_TRUE(run_until([&] { return bodies_.taken.bytes == 4; }));
    }
    // While nothing is wanted, the end of the client's data is not seen. It is when more is wanted.
    if (!wants) {
      loop_->run_once(0ms);
      if (bodies_.taken.connection != nullptr) connection().want_body();
      run_until([&] { return bodies_.taken.bytes == 4 || bodies_.taken.destroyed; });
      if (bodies_.taken.connection != nullptr) connection().want_body();
    }
    ASSERT_TRUE(run_until([&] { return bodies_.taken.destroyed; }));
    EXPECT_FALSE(bodies_.taken.last);
    ASSERT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
  }
}

TEST_P(RequestBodyTest, ABusyReaderMayTakeItsTimeAndASlowClientMayNot_408) {
  http_.request_timeout = 2s;
  http_.body_bytes_per_second_min = 10;
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 1000"));
  ASSERT_TRUE(request_arrives());
  pass(60s);
  ASSERT_FALSE(bodies_.taken.destroyed);
  // At the rate it may take any time.
  bodies_.taken.wants_all = true;
  connection().want_body();
  for (int i = 0; i < 20; ++i) {
    write(peer, "0123456789012345");
    ASSERT_TRUE(run_until([&] { return bodies_.taken.bytes == 16U * static_cast<std::size_t>(i + 1); }));
    pass(1s);
  }
  ASSERT_FALSE(bodies_.taken.destroyed);
  // A byte now and then is too little.
  for (int i = 0; i < 6 && !bodies_.taken.destroyed; ++i) {
    write(peer, "x");
    pass(1s);
  }
  EXPECT_TRUE(bodies_.taken.destroyed);
  EXPECT_THAT(read_until(peer, "EOF"), HasSubstr("408 "));
}

TEST_P(RequestBodyTest, TheRateMayBeExactlyTheLeast) {
  http_.request_timeout = 2s;
  http_.body_bytes_per_second_min = 10;
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 1000"));
  ASSERT_TRUE(request_arrives());
  bodies_.taken.wants_all = true;
  connection().want_body();
  loop_->run_once(0ms);
  for (const std::size_t bytes : {20U, 19U}) {
    const std::size_t before = bodies_.taken.bytes;
    write(peer, std::string(bytes, 'x'));
    ASSERT_TRUE(run_until([&] { return bodies_.taken.bytes == before + bytes; }));
    pass(2s);
    loop_->run_once(0ms);  // a refused reader is destroyed in the next turn
    EXPECT_EQ(bodies_.taken.destroyed, bytes == 19);
  }
  EXPECT_THAT(read_until(peer, "EOF"), HasSubstr("408 "));
}

TEST_P(RequestBodyTest, AnAnswerBeforeAShortRestKeepsTheConnection_RFC9112_9_3) {
  http_.discarded_body_bytes_max = 10;
  bodies_.answer = "no";
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 10"));
  EXPECT_THAT(read_until(peer, "no"), Not(HasSubstr("Connection: close")));
  write(peer, "0123456789POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nz");
  read_until(peer, "whole z");
}

TEST_P(RequestBodyTest, AnAnswerBeforeALongRestClosesTheConnection_RFC9112_9_6) {
  http_.discarded_body_bytes_max = 10;
  bodies_.answer = "no";
  for (const std::string_view framing : {"Content-Length: 11", "Transfer-Encoding: chunked"}) {
    bodies_.id = {};
    const net::Descriptor peer = connect_to_bodies();
    write(peer, head(framing));
    const std::string answer = read_until(peer, "EOF");
    EXPECT_THAT(answer, HasSubstr("403 "));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    // The rest is still read, so that no reset destroys the response.
    write(peer, "01234567890");
    loop_->run_once(0ms);
    EXPECT_EQ(server_->sessions().size(), 1U);
    pass(http_.linger_timeout + 1s);
    EXPECT_EQ(server_->sessions().size(), 0U);
  }
}

TEST_P(RequestBodyTest, ARestThatNeverComesDoesNotHoldTheConnection) {
  bodies_.answer = "no";
  http_.request_timeout = 2s;
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 10") + "part");
  read_until(peer, "no");
  pass(http_.request_timeout + http_.linger_timeout + 1s);
  EXPECT_EQ(server_->sessions().size(), 0U);
}

TEST_P(RequestBodyTest, ContinueIsSentWhenTheBodyIsWanted_RFC9110_10_1_1) {
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 3\r\nExpect: 100-continue"));
  ASSERT_TRUE(request_arrives());
  loop_->run_once(0ms);
  loop_->run_once(0ms);
  EXPECT_EQ(read_now(peer), "");
  bodies_.taken.wants_all = true;
  connection().want_body();
  EXPECT_EQ(read_until(peer, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  write(peer, "abc");
  read_until(peer, "got 3");
}

TEST_P(RequestBodyTest, AClientThatWasNotToldToContinueIsClosedAfterItsAnswer_RFC9110_10_1_1) {
  bodies_.answer = "no";
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 3\r\nExpect: 100-continue"));
  const std::string answer = read_until(peer, "EOF");
  EXPECT_THAT(answer, Not(HasSubstr("100 Continue")));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST_P(RequestBodyTest, AReaderThatComesTooLateOrTwiceIsDestroyedAtOnce) {
  const net::Descriptor peer = connect_to_bodies();
  write(peer, head("Content-Length: 3"));
  ASSERT_TRUE(request_arrives());
  Taken second;
  connection().receive_body(std::make_unique<TakingBody>(second));
  EXPECT_TRUE(second.destroyed);
  EXPECT_FALSE(bodies_.taken.destroyed);
  HttpConnection& answered = connection();
  answered.respond({.body = "early", .headers = {}});
  EXPECT_THAT(read_until(peer, "early"), EndsWith("early"));
  EXPECT_TRUE(bodies_.taken.destroyed);
  Taken late;
  answered.receive_body(std::make_unique<TakingBody>(late));
  EXPECT_TRUE(late.destroyed);
}

}  // namespace
}  // namespace fanfare::session
