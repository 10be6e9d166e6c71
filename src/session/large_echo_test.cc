// Echoes of large messages: they are sent from where they came, and are not copied.

#include <functional>
#include <numeric>
#include <string>

#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

std::string header_of(std::size_t size, bool masked) {
  std::string header{'\x82', static_cast<char>(masked ? 0xFF : 0x7F)};
  for (int shift = 56; shift >= 0; shift -= 8) header += static_cast<char>(size >> shift);
  if (masked) header += std::string(4, '\0');
  return header;
}

std::string numbered(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + seed + i / 251) % 256);
  return bytes;
}

std::size_t sum_of(std::string_view bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::size_t{0},
                         [](std::size_t sum, char c) { return sum * 33 + static_cast<unsigned char>(c); });
}

class LargeEchoTest : public LoopServerTest {
 protected:
  // More than the system takes for a peer that does not read.
  static constexpr std::size_t kBytes = 4 << 20;

  LargeEchoTest() {
    settings_.limits.message_bytes_max = kBytes;
    settings_.outbox_bytes_max = 8 * kBytes;
    settings_.outbox_bytes_high = 8 * kBytes;
  }
  void send(const net::Descriptor& peer, std::string_view payload) {
    const std::string bytes = header_of(payload.size(), true) + std::string(payload);
    std::size_t at = 0;
    EXPECT_TRUE(run_until([&] {
      const ssize_t sent = ::send(peer.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent > 0) at += static_cast<std::size_t>(sent);
      return at == bytes.size();
    }));
  }
  std::string read(const net::Descriptor& peer, std::size_t size) {
    std::string got;
    EXPECT_TRUE(run_until([&] {
      got += read_now(peer);
      return got.size() >= size;
    }));
    return got;
  }
  // The handler sends each message back, and then calls `then` with it.
  void echo(const std::function<void(Session&, std::string_view)>& then) {
    endpoint_.when_message = [this, then](Session& session, std::string_view text) {
      ++came_;
      session.send(ws::Opcode::binary, as_bytes(text));
      then(session, text);
    };
  }
  bool came(unsigned messages) {
    return run_until([&] { return came_ == messages; });
  }

  unsigned came_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Loops, LargeEchoTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

TEST_P(LargeEchoTest, WaitsWhereItCame) {
  bool is_handed_over = false;
  echo([&](Session& session, std::string_view text) {
    is_handed_over = session.take_message(as_bytes(text)) == nullptr;
  });
  const auto peer = open_websocket();
  const std::string payload = numbered(kBytes, 1);
  send(peer, payload);
  ASSERT_TRUE(came(1));
  EXPECT_TRUE(is_handed_over);
  const std::string expected = header_of(kBytes, false) + payload;
  EXPECT_TRUE(read(peer, expected.size()) == expected);
}

TEST_P(LargeEchoTest, TheNextMessageDoesNotTouchOneThatWaits) {
  echo([](Session&, std::string_view) {});
  const auto peer = open_websocket();
  std::string expected;
  for (unsigned i = 0; i < 3; ++i) {
    const std::string payload = numbered(kBytes - i, i);
    send(peer, payload);
    expected += header_of(payload.size(), false) + payload;
    ASSERT_TRUE(came(i + 1));
  }
  EXPECT_TRUE(read(peer, expected.size()) == expected);
}

TEST_P(LargeEchoTest, TwiceInOneHandler) {
  echo([](Session& session, std::string_view text) { session.send(ws::Opcode::binary, as_bytes(text)); });
  const auto peer = open_websocket();
  const std::string payload = numbered(kBytes, 2);
  send(peer, payload);
  const std::string once = header_of(kBytes, false) + payload;
  EXPECT_TRUE(read(peer, 2 * once.size()) == once + once);
}

// The handler may still read it, whatever it does to its session.
TEST_P(LargeEchoTest, IsThereUntilTheHandlerReturns) {
  for (const bool is_cut : {false, true}) {
    std::size_t seen = 0;
    echo([&](Session& session, std::string_view text) {
      if (is_cut) {
        session.close();
      } else {
        session.start_closing(1000, "enough");
      }
      session.send_text("not any more");
      seen = sum_of(text);
    });
    const auto peer = open_websocket();
    const std::string payload = numbered(kBytes, 3);
    send(peer, payload);
    ASSERT_TRUE(run_until([&] { return seen != 0; }));
    EXPECT_EQ(seen, sum_of(payload));
  }
}

TEST_P(LargeEchoTest, APeerThatIsGoneTakesItWithIt) {
  echo([](Session&, std::string_view) {});
  auto peer = open_websocket();
  send(peer, numbered(kBytes, 4));
  ASSERT_TRUE(came(1));
  peer = net::Descriptor();
  EXPECT_TRUE(run_until([&] { return endpoint_.last == nullptr; }));
}

}  // namespace
}  // namespace fanfare::session
