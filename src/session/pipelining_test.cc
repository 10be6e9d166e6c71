// Requests of a client that does not accept its responses wait, at the limit and one past it.

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

class PipeliningTest : public LoopServerTest {
 protected:
  void start_with(std::size_t body_bytes, std::size_t outbox_bytes_high) {
    LoopServerOptions options;
    options.http.outbox_bytes_high = outbox_bytes_high;
    start(options);
    service_.when_request = [this, body_bytes](HttpConnection& session) {
      ++served_;
      most_queued_ = std::max(most_queued_, session.queued_bytes());
      if (is_late_) {
        late_ = session.id();
      } else {
        session.respond({.body = std::string(body_bytes, 'x'), .headers = {}});
      }
    };
    peer_ = connect();
  }
  static std::string requests(std::size_t count) {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) bytes += "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
    return bytes;
  }
  static std::size_t answers(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("200 OK"); at != std::string_view::npos;
         at = text.find("200 OK", at + 1)) {
      ++count;
    }
    return count;
  }
  std::string read_answers(std::size_t count) {
    std::string text;
    EXPECT_TRUE(run_until([&] {
      text += read_now(peer_);
      return answers(text) >= count;
    })) << answers(text);
    return text;
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) loop_->run_once(0ms);
  }

  net::Descriptor peer_;
  std::size_t served_ = 0;
  std::size_t most_queued_ = 0;
  bool is_late_ = false;
  SessionId late_;
};

// The queued size when a request is served; the size of a response is known from an earlier one.
TEST_P(PipeliningTest, RequestsAreServedUntilTheLimitIsReached) {
  start_with(1000, 1 << 20);
  write(peer_, requests(1));
  const std::size_t answer_bytes = read_answers(1).size();
  for (const std::size_t below : {0, 1}) {
    start_with(1000, 3 * answer_bytes + below);
    served_ = most_queued_ = 0;
    write(peer_, requests(8));
    read_answers(8);
    EXPECT_EQ(most_queued_, (2 + below) * answer_bytes);
    EXPECT_EQ(served_, 8U);
  }
}

TEST_P(PipeliningTest, ClientThatReadsNothingCostsNoMoreThanTheLimitAndOneAnswer) {
  constexpr std::size_t kAnswer = 256 * 1024;
  start_with(kAnswer, 1 << 20);
  std::size_t sent = 0;
  const std::string many = requests(3000);
  for (int turn = 0; turn < 500; ++turn) {
    const ssize_t more = ::send(peer_.get(), many.data() + sent, many.size() - sent, MSG_NOSIGNAL);
    if (more > 0) sent += static_cast<std::size_t>(more);
    loop_->run_once(0ms);
    server_->sessions().for_each_member(
        [&](Member& member) { ASSERT_LE(member.queued_bytes(), (1 << 20) + kAnswer + 1000); });
  }
  EXPECT_LE(served_, 10U);
  EXPECT_GE(served_, 4U);
  // All are answered once the client reads.
  std::size_t got = 0;
  ASSERT_TRUE(run_until([&] {
    if (sent < many.size()) {
      const ssize_t more = ::send(peer_.get(), many.data() + sent, many.size() - sent, MSG_NOSIGNAL);
      if (more > 0) sent += static_cast<std::size_t>(more);
    }
    got += read_now(peer_).size();
    return served_ >= 100;
  }));
  EXPECT_GT(got, 90 * kAnswer);
}

TEST_P(PipeliningTest, AnswersGivenLaterCountAsWell) {
  start_with(0, 10'000);
  is_late_ = true;
  write(peer_, requests(3));
  const std::string big(2'000'000, 'x');
  for (std::size_t number = 1; number <= 3; ++number) {
    ASSERT_TRUE(run_until([&] { return served_ == number; }));
    server_->sessions().find_http(late_)->respond({.body = big, .headers = {}});
    turns(10);
    EXPECT_EQ(served_, number);  // the next one waits for the client
    std::size_t got = 0;
    ASSERT_TRUE(run_until([&] { return (got += read_now(peer_).size()) > big.size(); }));
  }
}

TEST_P(PipeliningTest, RequestsBeforeTheFinAreAnsweredToOneWhoReadsLater) {
  start_with(1'000'000, 10'000);
  write(peer_, requests(5));
  ::shutdown(peer_.get(), SHUT_WR);
  turns(20);
  EXPECT_EQ(served_, 1U);
  const std::string text = read_until(peer_, "EOF");
  EXPECT_EQ(answers(text), 5U);
  EXPECT_GT(text.size(), 5'000'000U);
}

TEST_P(PipeliningTest, LimitOfZeroIsOneAnswerAtATime) {
  start_with(1000, 0);
  write(peer_, requests(5));
  EXPECT_EQ(answers(read_answers(5)), 5U);
}

TEST_P(PipeliningTest, UpgradeBehindAnswersThatWaitIsServed) {
  start_with(1'000'000, 10'000);
  write(peer_, requests(2) + std::string(kUpgrade) + client_frame(0x81, "Hello"));
  turns(20);
  EXPECT_EQ(endpoint_.last, nullptr);
  const std::string text = read_until(peer_, "Hello");
  EXPECT_NE(text.find("101 Switching"), std::string::npos);
  write(peer_, client_frame(0x81, "again"));
  read_until(peer_, "again");
}

INSTANTIATE_TEST_SUITE_P(Kinds, PipeliningTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
