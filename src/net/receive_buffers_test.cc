// With its own ring and socket: how many buffers the kernel is given, and when it gets more or fewer.

#include "net/receive_buffers.h"

#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "net/socket.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSmall = 16 * 1024;
constexpr std::size_t kWhole = 128 * 1024;

using Shown = std::pair<unsigned, std::size_t>;  // number, size

struct Ring : io_uring {
  Ring() : io_uring{} {
    EXPECT_EQ(io_uring_queue_init(64, this, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN), 0);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { io_uring_queue_exit(this); }
};

class ReceiveBuffersTest : public testing::Test {
 protected:
  ReceiveBuffersTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    here_ = Descriptor(ends[0]);
    peer_ = Descriptor(ends[1]);
  }

  // False on a kernel that uses a whole buffer for each receive.
  bool attach(std::size_t streams_max) {
    EXPECT_FALSE(buffers_.attach(ring_, streams_max));
    return buffers_.shown_bytes() == kSmall;
  }
  Shown shown() const { return {buffers_.shown(), buffers_.shown_bytes()}; }

  // Fills all buffers given to the kernel before any is free again, until a receive had to wait.
  Shown receive_until_starved() {
    // Each turn delivers more than the smallest buffer holds.
    int turns_left = 1000;
    while (!turn() && --turns_left > 0) {
    }
    EXPECT_GT(turns_left, 0) << "nobody ever waited";
    free_all();
    buffers_.make_room(now_);
    return shown();
  }
  void receive(std::size_t bytes) {
    for (const std::size_t end = received_ + bytes; received_ < end;) {
      turn();
      free_all();
    }
  }

  ReceiveBuffers buffers_;
  Ring ring_;  // destroyed before the buffers
  Instant now_{1h};

 private:
  // True: a receive found no buffer.
  bool turn() {
    if (!std::exchange(armed_, true)) arm();
    // Each byte's value depends on its position.
    std::string text(60'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = byte_at(sent_ + i);
    const ssize_t taken = ::send(peer_.get(), text.data(), text.size(), MSG_DONTWAIT);
    if (taken > 0) sent_ += static_cast<std::size_t>(taken);
    io_uring_submit_and_get_events(&ring_);
    bool starved = false;
    io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(&ring_, &completion) == 0) {
      received(completion->res, completion->flags);
      starved = starved || completion->res == -ENOBUFS;
      io_uring_cqe_seen(&ring_, completion);
    }
    return starved;
  }

  void received(int result, std::uint32_t flags) {
    if ((flags & IORING_CQE_F_MORE) == 0) armed_ = false;
    if (result <= 0) return;
    const unsigned index = flags >> IORING_CQE_BUFFER_SHIFT;
    std::size_t wrong = 0;
    for (const std::uint8_t byte : buffers_.received(index, static_cast<std::size_t>(result))) {
      if (static_cast<char>(byte) != byte_at(received_++)) ++wrong;
    }
    EXPECT_EQ(wrong, 0U);
    if ((flags & ReceiveBuffers::kHasMore) == 0) filled_.push_back(index);
  }

  void free_all() {
    for (const unsigned index : std::exchange(filled_, {})) buffers_.release(index, now_);
    buffers_.show_free();
  }

  static char byte_at(std::size_t at) { return static_cast<char>(at % 251); }

  void arm() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    io_uring_prep_recv_multishot(entry, here_.get(), nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = ReceiveBuffers::kGroup;
  }

  Descriptor here_;
  Descriptor peer_;
  bool armed_ = false;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
  std::vector<unsigned> filled_;  // and not yet free
};

constexpr const char* kOldKernel = "this kernel gives each receive a whole buffer";

TEST_F(ReceiveBuffersTest, AreMadeWholeBeforeThereAreMore) {
  if (!attach(1000)) GTEST_SKIP() << kOldKernel;
  EXPECT_EQ(shown(), Shown(4, kSmall));
  EXPECT_EQ(receive_until_starved(), Shown(4, kWhole));
  // Buffers given to the kernel earlier are still small.
  EXPECT_EQ(receive_until_starved(), Shown(4, kWhole));
  EXPECT_EQ(receive_until_starved(), Shown(8, kWhole));
  EXPECT_EQ(receive_until_starved(), Shown(16, kWhole));
}

TEST_F(ReceiveBuffersTest, WhoWaitedWhileSomeWereStillSmallCountsOnce) {
  if (!attach(1000)) GTEST_SKIP() << kOldKernel;
  buffers_.make_room(now_);
  receive(kSmall);
  buffers_.make_room(now_);
  EXPECT_EQ(shown(), Shown(4, kWhole));
  EXPECT_EQ(receive_until_starved(), Shown(4, kWhole));
  EXPECT_EQ(receive_until_starved(), Shown(8, kWhole));
}

TEST_F(ReceiveBuffersTest, AreAsManyAsTheStreamsCanNeed) {
  if (!attach(100)) GTEST_SKIP() << kOldKernel;
  for (int i = 0; i < 6; ++i) receive_until_starved();
  EXPECT_EQ(shown(), Shown(16, kWhole));
}

TEST_F(ReceiveBuffersTest, GoBackWhenNobodyHasWaitedForAWhile) {
  if (!attach(1000)) GTEST_SKIP() << kOldKernel;
  for (int i = 0; i < 4; ++i) receive_until_starved();
  ASSERT_EQ(shown(), Shown(16, kWhole));
  now_ += ReceiveBuffers::kNeededFor - 1ns;
  receive(12 * kWhole);
  EXPECT_EQ(buffers_.shown(), 16U);
  now_ += 1ns;
  receive(12 * kWhole);
  EXPECT_EQ(buffers_.shown(), 4U);
}

TEST_F(ReceiveBuffersTest, AreSmallAgainWhenLittleCame) {
  if (!attach(1000)) GTEST_SKIP() << kOldKernel;
  receive_until_starved();
  receive(2 * 16 * kWhole);
  buffers_.forget_unneeded(true);
  EXPECT_EQ(buffers_.shown_bytes(), kWhole);
  receive(kWhole);
  buffers_.forget_unneeded(true);
  EXPECT_EQ(buffers_.shown_bytes(), kSmall);
}

TEST_F(ReceiveBuffersTest, NothingIsLostWhenTheirPagesGo) {
  attach(1);
  for (int i = 0; i < 20; ++i) {
    receive(10'000);
    buffers_.forget_unneeded(false);
  }
}

}  // namespace
}  // namespace fanfare::net
