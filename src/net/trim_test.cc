// The memory that a loop frees when its load drops; no data may be lost.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <fstream>
#include <string>

#include "net/loop.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

class Gatherer final : public TransportHandler {
 public:
  explicit Gatherer(std::string& received) : received_(received) {}

 private:
  void on_receive(MutableBytes bytes) override { received_ += as_text(bytes); }
  void on_adopted(Stream& stream) override { stream_ = &stream; }
  void on_end() override { stream_->close(); }
  void on_lost(const OsError&) override {}

  std::string& received_;
  Stream* stream_ = nullptr;
};

class RestTest : public testing::TestWithParam<LoopKind> {
 protected:
  RestTest() : loop_(std::move(Loop::create({.kind = GetParam(), .clock = &clock_}).value())) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    stream_ = &loop_->adopt(std::make_unique<Gatherer>(received_), Descriptor(ends[0]));
    peer_ = Descriptor(ends[1]);
  }

  // Waits longer than the loop does before it frees memory.
  void rest() {
    for (int i = 0; i < 3; ++i) {
      clock_.advance(2s);
      loop_->run_once(0ms);
    }
  }

  template <typename Condition>
  void run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never came true";
      loop_->run_once(1ms);
    }
  }

  static std::size_t resident_kib() {
    std::ifstream rollup("/proc/self/smaps_rollup");
    for (std::string word; rollup >> word;) {
      if (word != "Rss:") continue;
      std::size_t kib = 0;
      rollup >> kib;
      return kib;
    }
    return 0;
  }

  ManualClock clock_;
  std::unique_ptr<Loop> loop_;
  std::string received_;
  Stream* stream_ = nullptr;
  Descriptor peer_;
};

TEST_P(RestTest, NothingIsLostBetweenPieces) {
  std::string sent;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::string piece = "piece " + std::to_string(i) + std::string(i * 7 % 1000, '.');
    ASSERT_EQ(::send(peer_.get(), piece.data(), piece.size(), 0), static_cast<ssize_t>(piece.size()));
    sent += piece;
    // Some have arrived before the loop becomes idle, some arrive then.
    if (i % 3 != 0) run_until([&] { return received_.size() == sent.size(); });
    if (i % 4 == 0) rest();
  }
  run_until([&] { return received_.size() == sent.size(); });
  EXPECT_EQ(received_, sent);
}

TEST_P(RestTest, WhatABurstNeededGoesBackToTheSystem) {
  constexpr std::size_t kPieceBytes = 16'000;
  constexpr std::size_t kBurstBytes = 250 * kPieceBytes;
  received_.reserve(kBurstBytes);
  // All of it in one turn, using half of the arena's spare chunks.
  for (std::size_t at = 0; at < kBurstBytes; at += kPieceBytes) {
    std::memset(stream_->extend(kPieceBytes), 'x', kPieceBytes);
  }
  std::string taken(65'536, '\0');
  std::size_t got = 0;
  run_until([&] {
    for (ssize_t n = 0; (n = ::recv(peer_.get(), taken.data(), taken.size(), MSG_DONTWAIT)) > 0;) {
      got += static_cast<std::size_t>(n);
    }
    return got == kBurstBytes;
  });
  const std::size_t before = resident_kib();
  rest();
  EXPECT_LT(resident_kib() + 1024, before);
}

INSTANTIATE_TEST_SUITE_P(Kinds, RestTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare::net
