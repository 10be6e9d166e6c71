#include "pubsub/event_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::pubsub {
namespace {

using std::chrono::milliseconds;

constexpr Instant kStart{std::chrono::hours(1)};

SharedBytes bytes(std::size_t size) {
  return SharedBytes::filled(size, [](MutableBytes room) { std::fill(room.begin(), room.end(), 'x'); });
}

class Log {
 public:
  explicit Log(const HistoryLimits& limits) : log({.epoch = 7, .offset = 0}, limits) {}
  void append(std::size_t size = 1, Duration at = {}) {
    log.append({.epoch = 7, .offset = log.last().offset + 1}, bytes(size), kStart + at);
    log.settle();
  }
  std::vector<std::uint64_t> offsets() const {
    std::vector<std::uint64_t> all;
    for (EventRef event = log.find_behind(0); event; event = event.next())
      all.push_back(event->position.offset);
    return all;
  }
  EventLog log;
};

using Offsets = std::vector<std::uint64_t>;

TEST(EventLog, KeepsAsManyAsTheLimitAndOneMoreDropsTheOldest) {
  Log one({.messages_max = 3});
  for (int i = 0; i < 3; ++i) one.append();
  EXPECT_EQ(one.offsets(), (Offsets{1, 2, 3}));
  one.append();
  EXPECT_EQ(one.offsets(), (Offsets{2, 3, 4}));
  EXPECT_EQ(one.log.history_messages(), 3U);
}

TEST(EventLog, KeepsAsManyBytesAsTheLimitAndOneMoreDropsTheOldest) {
  Log one({.messages_max = 100, .bytes_max = 10});
  one.append(4);
  one.append(6);
  EXPECT_EQ(one.offsets(), (Offsets{1, 2}));
  EXPECT_EQ(one.log.history_bytes(), 10U);
  one.append(1);
  EXPECT_EQ(one.offsets(), (Offsets{2, 3}));
  EXPECT_EQ(one.log.history_bytes(), 7U);
}

TEST(EventLog, AnEventLargerThanTheLimitIsNotKept) {
  Log one({.messages_max = 100, .bytes_max = 10});
  one.append(11);
  EXPECT_EQ(one.offsets(), Offsets{});
  EXPECT_EQ(one.log.history_bytes(), 0U);
  EXPECT_EQ(one.log.last().offset, 1U);
}

TEST(EventLog, KeepsUpToTheAgeAndDropsWhatIsOlder) {
  Log one({.messages_max = 100, .age_max = milliseconds(50)});
  one.append(1, milliseconds(0));
  one.append(1, milliseconds(30));
  EXPECT_EQ(one.log.oldest_due(), kStart + milliseconds(50));
  one.log.trim(kStart + milliseconds(50));
  EXPECT_EQ(one.offsets(), (Offsets{1, 2}));
  one.log.trim(kStart + milliseconds(51));
  EXPECT_EQ(one.offsets(), (Offsets{2}));
  one.log.trim(kStart + milliseconds(81));
  EXPECT_EQ(one.offsets(), Offsets{});
  EXPECT_EQ(one.log.oldest_due(), Instant::max());
}

TEST(EventLog, WithoutHistoryNothingStaysButWhatAReaderHolds) {
  EventLog log;
  log.append(bytes(1));
  EventRef reader = log.newest();
  log.settle();
  for (int i = 0; i < 3; ++i) {
    log.append(bytes(1));
    log.settle();
  }
  Offsets read;
  for (; reader; reader = reader.next()) read.push_back(reader->position.offset);
  EXPECT_EQ(read, (Offsets{1, 2, 3, 4}));
  log.settle();
  EXPECT_FALSE(log.newest());
  log.append(bytes(1));
  log.settle();
  EXPECT_FALSE(log.newest());
  EXPECT_EQ(log.last().offset, 5U);
}

// By recursion it would need a stack of hundreds of megabytes.
TEST(EventLog, AReaderThatLetsGoOfAMillionEventsTakesNoStack) {
  EventLog log;
  log.append(bytes(1));
  EventRef reader = log.newest();
  for (int i = 0; i < 1'000'000; ++i) log.append(SharedBytes(reader->frame));
  log.settle();
  reader = EventRef();
  log.settle();
  EXPECT_FALSE(log.newest());
}

TEST(EventLog, AMarkIsInTheChainAndNotInTheHistory) {
  Log one({.messages_max = 10});
  one.append();
  one.log.append({.epoch = 7, .offset = 5}, SharedBytes(), kStart);
  one.append();
  EXPECT_EQ(one.log.history_messages(), 2U);
  EXPECT_EQ(one.offsets(), (Offsets{1, 5, 6}));
  EXPECT_EQ(one.log.last_mark_offset(), 5U);
  EXPECT_EQ(one.log.find_behind(1)->position.offset, 6U);
}

TEST(EventLog, AnotherEpochBeginsWithAnEmptyHistory) {
  Log one({.messages_max = 10});
  one.append();
  one.log.append({.epoch = 8, .offset = 20}, SharedBytes(), kStart);
  EXPECT_EQ(one.log.history_messages(), 0U);
  EXPECT_EQ(one.log.history_bytes(), 0U);
  one.log.append({.epoch = 8, .offset = 21}, bytes(1), kStart);
  EXPECT_EQ(one.log.find_behind(0)->position, (Position{.epoch = 8, .offset = 21}));
}

}  // namespace
}  // namespace fanfare::pubsub
