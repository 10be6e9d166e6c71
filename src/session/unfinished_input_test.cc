// The memory of messages and bodies that have come in part, at the limit and one past it, and the rate below which a message
// is not waited for.

#include "session/unfinished_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t kBudget = std::size_t{1} << 20;

class UnfinishedInputTest : public LoopServerTest {
 protected:
  UnfinishedInputTest() {
    settings_.message_bytes_per_second_min = 1000;
    settings_.message_timeout = 10s;
    settings_.ping_interval = 0s;
  }

  net::Descriptor open() {
    if (server_ == nullptr) start({.unfinished_input = &budget_});
    return open_websocket();
  }
  net::Descriptor open_http() {
    if (server_ == nullptr) start({.unfinished_input = &budget_});
    return connect();
  }
  // The beginning of a text message in fragments, none of them the last.
  void send_part(const net::Descriptor& peer, std::size_t bytes, bool first = true) {
    constexpr std::size_t kFragment = 32'768;
    for (std::size_t sent = 0; sent < bytes;) {
      const std::size_t now = std::min(kFragment, bytes - sent);
      const std::uint8_t opcode = first && sent == 0 ? 0x01 : 0x00;
      write_all(peer, client_frame(opcode, std::string(now, 'x')));
      sent += now;
    }
  }
  void write_all(const net::Descriptor& peer, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t wrote = ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (wrote > 0) bytes.remove_prefix(static_cast<std::size_t>(wrote));
      if (wrote < 0) {
        ASSERT_EQ(errno, EAGAIN);
        loop_->run_once(1ms);
      }
    }
  }
  bool until_used(std::size_t at_least) {
    return run_until([&] { return budget_.used() >= at_least; });
  }
  bool until_free() {
    return run_until([&] { return budget_.used() == 0; });
  }

  ByteBudget budget_{kBudget};
};

TEST_P(UnfinishedInputTest, AMessageCountsUntilItHasComeWhole) {
  const auto peer = open();
  send_part(peer, 100'000);
  ASSERT_TRUE(until_used(100'000));
  EXPECT_LE(budget_.used(), 210'000U);  // its memory grows by doubling
  write_all(peer, client_frame(0x80, "y"));
  EXPECT_TRUE(until_free());
  EXPECT_TRUE(run_until([&] { return read_now(peer).ends_with("xy"); }));
}

TEST_P(UnfinishedInputTest, AFrameThatIsCutCountsUntilItHasComeWhole) {
  const auto peer = open();
  const std::string frame = client_frame(0x81, std::string(50'000, 'x'));
  write_all(peer, std::string_view(frame).substr(0, 40'000));
  ASSERT_TRUE(until_used(39'000));
  write_all(peer, std::string_view(frame).substr(40'000));
  EXPECT_TRUE(until_free());
}

TEST_P(UnfinishedInputTest, AMessageWithoutMemoryEndsItsConnectionAndFreesIt) {
  const auto first = open();
  const auto second = open();
  send_part(first, 400'000);
  ASSERT_TRUE(until_used(400'000));
  const std::size_t used = budget_.used();
  // A connection may keep at most as much as is free.
  send_part(second, 600'000);
  EXPECT_THAT(read_until(second, "EOF"), HasSubstr("\x03\xf5no memory for a message of this length"));
  EXPECT_TRUE(run_until([&] { return budget_.used() == used; }));
  EXPECT_GE(budget_.refusals(), 1U);
  // The other one is not disturbed, and neither are messages that come whole.
  write_all(first, client_frame(0x80, "y"));
  EXPECT_TRUE(run_until([&] { return read_now(first).ends_with("xy"); }));
  const auto third = open();
  write_all(third, client_frame(0x81, "hello"));
  EXPECT_THAT(read_until(third, "hello"), HasSubstr("hello"));
}

TEST_P(UnfinishedInputTest, TheMemoryOfAConnectionThatEndsIsFree) {
  {
    const auto peer = open();
    send_part(peer, 100'000);
    ASSERT_TRUE(until_used(100'000));
  }
  EXPECT_TRUE(until_free());
}

TEST_P(UnfinishedInputTest, ABodyCountsUntilItHasComeWhole) {
  const auto peer = open_http();
  write_all(peer,
            "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 200000\r\n\r\n" + std::string(150'000, 'b'));
  ASSERT_TRUE(until_used(150'000));
  write_all(peer, std::string(50'000, 'b'));
  EXPECT_THAT(read_until(peer, "bbb"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_P(UnfinishedInputTest, ABodyWithoutMemoryIsAnswered503AndItsMemoryIsFree) {
  for (const std::string_view framing :
       {"Content-Length: 900000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nDBBA0\r\n"}) {
    const auto peer = open_http();
    // The answer may come before all of it was sent, so what cannot be sent is left out.
    write(peer, "POST / HTTP/1.1\r\nHost: here\r\n" + std::string(framing));
    std::string answer;
    ASSERT_TRUE(run_until([&] {
      const std::string piece(10'000, 'b');
      static_cast<void>(::send(peer.get(), piece.data(), piece.size(), MSG_NOSIGNAL));
      answer += read_now(peer);
      return answer.find("no memory") != std::string::npos;
    }));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503")) << framing;
    EXPECT_EQ(budget_.used(), 0U) << framing;
  }
}

TEST_P(UnfinishedInputTest, AMessageThatStandsStillEndsItsConnection) {
  const auto peer = open();
  send_part(peer, 60'000);
  ASSERT_TRUE(until_used(60'000));
  pass(9900ms);
  ASSERT_NE(endpoint_.last, nullptr);
  EXPECT_TRUE(endpoint_.last->is_open());
  // The first ten seconds brought more than the rate; the next ones bring nothing.
  pass(11s);
  EXPECT_THAT(read_until(peer, "EOF"), HasSubstr("\x03\xf0"
                                                 "a message took too long to arrive"));
  EXPECT_TRUE(until_free());
}

TEST_P(UnfinishedInputTest, OccasionalBytesDoNotHoldAMessageAndTheRateDoes) {
  const auto slow = open();
  const auto fast = open();
  send_part(slow, 1);
  send_part(fast, 1);
  ASSERT_TRUE(run_until([&] { return budget_.used() > 0; }));
  for (int second = 0; second < 25; ++second) {
    if (second < 9) send_part(slow, 1, false);
    send_part(fast, 1100, false);
    pass(1s);
  }
  EXPECT_THAT(read_until(slow, "EOF"), HasSubstr("a message took too long to arrive"));
  write_all(fast, client_frame(0x80, "y"));
  EXPECT_TRUE(run_until([&] { return read_now(fast).ends_with("xy"); }));
}

TEST_P(UnfinishedInputTest, ThePausesOfOurReadingDoNotCount) {
  const auto peer = open();
  send_part(peer, 100);
  ASSERT_TRUE(run_until([&] { return budget_.used() > 0; }));
  ASSERT_NE(endpoint_.last, nullptr);
  endpoint_.last->pause();
  pass(60s);
  endpoint_.last->resume();
  pass(5s);
  EXPECT_TRUE(endpoint_.last->is_open());
  write_all(peer, client_frame(0x80, "y"));
  EXPECT_TRUE(run_until([&] { return read_now(peer).ends_with("xy"); }));
}

TEST_P(UnfinishedInputTest, WithoutARateAMessageMayTakeAnyTime) {
  settings_.message_bytes_per_second_min = 0;
  const auto peer = open();
  send_part(peer, 10);
  ASSERT_TRUE(run_until([&] { return budget_.used() > 0; }));
  pass(120s);
  write_all(peer, client_frame(0x80, "y"));
  EXPECT_TRUE(run_until([&] { return read_now(peer).ends_with("xy"); }));
}

TEST_P(UnfinishedInputTest, ASessionCanHaveLimitsOfItsOwn) {
  const ws::Limits small{.message_bytes_max = 5};
  endpoint_.when_message = [&](Session& session, std::string_view text) {
    if (text == "small") session.limit_messages(small);
    if (text == "large") session.limit_messages(settings_.limits);
    session.send_text(text);
  };
  const auto peer = open();
  for (const std::string_view text : {"small", "large", "any length"}) {
    write_all(peer, client_frame(0x81, text));
    EXPECT_THAT(read_until(peer, text), HasSubstr(text));
  }
  write_all(peer, client_frame(0x81, "small"));
  read_until(peer, "small");
  write_all(peer, client_frame(0x81, "123456"));
  EXPECT_THAT(read_until(peer, "EOF"), HasSubstr("\x03\xf1"));  // 1009
}

INSTANTIATE_TEST_SUITE_P(Kinds, UnfinishedInputTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& chosen) {
                           return std::string(chosen.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::session
