#pragma once
// A loop with a manual clock, whose turns the test runs, and raw bytes to and from its connections.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "net/loop.h"
#include "net/socket.h"

namespace fanfare::session {

using namespace std::chrono_literals;

class OneLoopTest : public testing::TestWithParam<net::LoopKind> {
 protected:
  OneLoopTest() : loop_(std::move(net::Loop::create({.kind = GetParam(), .clock = &clock_}).value())) {
    EXPECT_EQ(loop_->name(), GetParam() == net::LoopKind::epoll ? "epoll" : "io_uring");
  }

  static void write(const net::Descriptor& peer, std::string_view bytes) {
    ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // The data received so far; "EOF" at its end if the other end has closed.
  static std::string read_now(const net::Descriptor& peer) {
    std::string text;
    std::array<char, 65536> piece;
    for (;;) {
      const ssize_t got = ::recv(peer.get(), piece.data(), piece.size(), 0);
      if (got == 0) return text + "EOF";
      if (got < 0) return text;
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
  }
  std::string read_until(const net::Descriptor& peer, std::string_view needle) {
    std::string text;
    const bool came = run_until([&] {
      text += read_now(peer);
      return text.find(needle) != std::string::npos;
    });
    EXPECT_TRUE(came) << "waited for " << needle << ", got " << text;
    return text;
  }
  template <typename Condition>
  bool run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_->run_once(1ms);
    }
    return true;
  }
  // Advances the clock by that time, sweep by sweep.
  void pass(Duration time) {
    for (Duration passed{}; passed < time; passed += 50ms) {
      clock_.advance(50ms);
      loop_->run_once(0ms);
    }
  }

  // As above, but only until the condition is true. For what begins anew when the system moves bytes, which it does in its own time.
  template <typename Condition>
  bool pass_until(Condition condition, Duration most) {
    for (Duration passed{}; passed < most && !condition(); passed += 50ms) pass(50ms);
    return condition();
  }

  ManualClock clock_;
  std::unique_ptr<net::Loop> loop_;
};

}  // namespace fanfare::session
