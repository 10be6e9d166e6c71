// The loop's contract for streams whose reading is paused.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "net/loop_for_tests.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

class LoopPauseTest : public LoopTest {};

TEST_P(LoopPauseTest, PausedStreamReceivesNothingUntilResumed) {
  Diary& diary = new_diary();
  Diary& other = new_diary();
  auto [stream, peer] = connect_pair(diary);
  auto [second, second_peer] = connect_pair(other);
  stream->pause_reading();
  loop_->run_once(0ms);
  write_all(peer.get(), "waiting");
  write_all(second_peer.get(), "marker");
  run_until([&] { return other.received == "marker"; });
  EXPECT_EQ(diary.received, "");
  stream->resume_reading();
  run_until([&] { return diary.received == "waiting"; });
}

// A fast sender's megabytes must not hold the loop, nor, with io_uring, the buffers of all streams.
TEST_P(LoopPauseTest, ASenderThatIsFasterThanItsHandlerGetsABoundedShareOfEachTurn) {
  constexpr std::size_t kShare = 4096;
  loop_ = std::move(Loop::create({.kind = GetParam(), .receive_buffer_bytes = kShare}).value());
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  diary.when_receiving = [](Stream& receiver, MutableBytes) { receiver.pause_reading(); };
  const std::string first(10 * kShare, 'a');
  write_all(peer.get(), first);
  // With io_uring all of it may come in this turn: the kernel had begun before the first pause.
  while (diary.received.size() < first.size()) {
    stream->resume_reading();
    loop_->run_once(1ms);
  }
  const std::string second(10 * kShare, 'b');
  write_all(peer.get(), second);
  unsigned turns = 0;
  while (diary.received.size() < first.size() + second.size()) {
    const std::size_t before = diary.received.size();
    stream->resume_reading();
    loop_->run_once(1ms);
    ASSERT_LE(diary.received.size() - before, kShare);
    ++turns;
  }
  EXPECT_GE(turns, 10U);
  EXPECT_EQ(diary.received, first + second);
}

TEST_P(LoopPauseTest, FinIsNoticedOncePerPauseAndReadLater) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  stream->pause_reading();
  loop_->run_once(0ms);
  write_all(peer.get(), "last");
  ::shutdown(peer.get(), SHUT_WR);
  run_until([&] { return stream->is_end_unread(); });
  for (int turn = 0; turn < 5; ++turn) loop_->run_once(0ms);
  EXPECT_EQ(diary.events, (std::vector<std::string>{"attached", "end unread"}));
  // Resumed and immediately paused: the bytes may arrive, and the report must be repeated.
  stream->resume_reading();
  stream->pause_reading();
  EXPECT_FALSE(stream->is_end_unread());
  run_until([&] { return stream->is_end_unread() || diary.events.back() == "end"; });
  stream->resume_reading();
  run_until([&] { return diary.events.back() == "end"; });
  EXPECT_FALSE(stream->is_end_unread());
  EXPECT_EQ(diary.received, "last");
}

// A condition that persists must not make the loop spin.
TEST_P(LoopPauseTest, FinThatNobodyReadsLetsTheLoopSleep) {
  Diary& diary = new_diary();
  {
    auto [stream, peer] = connect_pair(diary);
    stream->pause_reading();
    loop_->run_once(0ms);
    write_all(peer.get(), "last");
  }
  run_until([&] { return diary.stream->is_end_unread(); });
  const auto before = std::chrono::steady_clock::now();
  for (int turn = 0; turn < 10; ++turn) loop_->run_once(10ms);
  EXPECT_GT(std::chrono::steady_clock::now() - before, 50ms);
  diary.stream->resume_reading();
  run_until([&] { return diary.events.back() == "end"; });
  EXPECT_EQ(diary.received, "last");
}

TEST_P(LoopPauseTest, PauseAndResumeInOneTurnKeepTheWatchForAHangup) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  for (int round = 0; round < 3; ++round) {
    stream->pause_reading();
    loop_->run_once(0ms);
    stream->resume_reading();
    stream->pause_reading();
    loop_->run_once(0ms);
  }
  ::shutdown(peer.get(), SHUT_WR);
  run_until([&] { return stream->is_end_unread(); });
}

TEST_P(LoopPauseTest, ResetIsNoticedWhileReadingIsPaused) {
  Diary& diary = new_diary();
  auto listening = listen_on(Address::parse("127.0.0.1", 0).value()).value();
  const Address address = local_address(listening.get()).value();
  loop_->listen(std::move(listening), [&](Descriptor descriptor) {
    loop_->adopt(std::make_unique<DiaryHandler>(diary), std::move(descriptor));
    diary.stream->pause_reading();
  });
  {
    const Descriptor peer(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(peer.get(), address.data(), address.size()), 0);
    run_until([&] { return diary.stream != nullptr; });
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  run_until([&] { return loop_->stream_count() == 0; });
}

INSTANTIATE_TEST_SUITE_P(Kinds, LoopPauseTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare::net
