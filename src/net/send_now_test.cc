// Data that is passed to the system from where it is.

#include "net/loop_for_tests.h"

namespace fanfare::net {
namespace {

class SendNowTest : public LoopTest {
 protected:
  // What the peer gets until it has `size` bytes.
  std::string read_all(int fd, std::size_t size) {
    EXPECT_EQ(::fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    std::string text;
    run_until([&] {
      text += read_some(fd);
      return text.size() >= size;
    });
    return text;
  }
};

TEST_P(SendNowTest, TakesBothParts) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  EXPECT_EQ(stream->send_now(as_bytes("one "), as_bytes("two")), 7U);
  EXPECT_EQ(stream->queued_bytes(), 0U);
  EXPECT_EQ(read_some(peer.get()), "one two");
}

TEST_P(SendNowTest, TheRestFollowsWhenThePeerReads) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  std::string large(4'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); i += 7) large[i] = static_cast<char>('a' + i % 23);
  const std::size_t sent = stream->send_now(as_bytes("head"), as_bytes(large));
  ASSERT_GT(sent, 4U);
  ASSERT_LT(sent, large.size());
  stream->push(SharedBytes(as_bytes(large).subspan(sent - 4)));
  EXPECT_EQ(stream->send_now(as_bytes("too"), as_bytes("early")), 0U);
  stream->append(as_bytes("tail"));
  EXPECT_EQ(read_all(peer.get(), large.size() + 8), "head" + large + "tail");
  run_until([&] { return std::ranges::find(diary.events, "flushed") != diary.events.end(); });
  EXPECT_EQ(stream->send_now(as_bytes("and "), as_bytes("on")), 6U);
  EXPECT_EQ(read_all(peer.get(), 6), "and on");
}

// A sender that waits for on_flushed must get it, although nothing was queued.
TEST_P(SendNowTest, ItsEndIsReported) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  loop_->run_once(Duration::zero());
  stream->notify_when_flushed();
  EXPECT_EQ(stream->send_now({}, as_bytes("all")), 3U);
  run_until([&] { return diary.events.back() == "flushed"; });
}

TEST_P(SendNowTest, NothingBehindWhatIsQueuedOrAfterTheEnd) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  stream->append(as_bytes("first"));
  EXPECT_EQ(stream->send_now({}, as_bytes("second")), 0U);
  EXPECT_EQ(read_all(peer.get(), 5), "first");
  run_until([&] { return stream->queued_bytes() == 0; });
  stream->finish_writing();
  EXPECT_EQ(stream->send_now({}, as_bytes("late")), 0U);
  stream->close();
  EXPECT_EQ(stream->send_now({}, as_bytes("later")), 0U);
}

TEST_P(SendNowTest, ALostConnectionIsReportedForWhatIsQueuedThen) {
  Diary& diary = new_diary();
  auto [stream, peer] = connect_pair(diary);
  stream->pause_reading();
  peer = Descriptor();
  EXPECT_EQ(stream->send_now({}, as_bytes("a lost peer")), 0U);
  stream->append(as_bytes("a lost peer"));
  run_until([&] { return diary.stream == nullptr; });
  EXPECT_NE(std::ranges::find(diary.events, "lost"), diary.events.end());
}

INSTANTIATE_TEST_SUITE_P(Kinds, SendNowTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare::net
