#include "relay/reader.h"

#include <gtest/gtest.h>

namespace fanfare::relay {
namespace {

using Take = Reader::Take;

Delivery at(std::uint64_t stream, std::uint64_t consumer) {
  return {.stream = "S", .consumer = "C", .stream_sequence = stream, .consumer_sequence = consumer};
}

TEST(RelayReader, TheFirstBeginSaysWhereTheTopicBegins) {
  Reader reader;
  EXPECT_EQ(reader.begin({.epoch = 5, .first = 3, .last = 9}), (Position{5, 2}));
  EXPECT_EQ(reader.next(), 3U);
  Reader empty;
  EXPECT_EQ(empty.begin({.epoch = 5, .first = 1, .last = 0}), (Position{5, 0}));
}

TEST(RelayReader, MessagesInOrderAreDeliveredOnce) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 0});
  EXPECT_EQ(reader.take(at(1, 1), 5), Take::deliver);
  EXPECT_EQ(reader.take(at(2, 2), 5), Take::deliver);
  EXPECT_TRUE(reader.matches(2));
  // A new consumer begins where the last one ended, or delivers something again.
  EXPECT_FALSE(reader.begin({.epoch = 5, .first = 1, .last = 2}));
  EXPECT_EQ(reader.next(), 3U);
  EXPECT_EQ(reader.take(at(2, 1), 5), Take::skip);
  EXPECT_EQ(reader.take(at(3, 2), 5), Take::deliver);
}

TEST(RelayReader, WhatTheBrokerNoLongerHasIsLost) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 0});
  reader.take(at(1, 1), 5);
  EXPECT_EQ(reader.begin({.epoch = 5, .first = 4, .last = 6}), (Position{5, 3}));
  EXPECT_EQ(reader.take(at(4, 1), 5), Take::deliver);
  EXPECT_EQ(reader.take(at(6, 2), 5), Take::deliver_after_gap);
}

TEST(RelayReader, WhatWasLostOnTheWayNeedsANewConsumer) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 0});
  reader.take(at(1, 1), 5);
  EXPECT_EQ(reader.take(at(3, 3), 5), Take::restart);
  EXPECT_FALSE(reader.matches(2));
  EXPECT_EQ(reader.next(), 2U);
}

TEST(RelayReader, AnotherEpochBeginsAnew) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 0});
  reader.take(at(1, 1), 5);
  EXPECT_EQ(reader.take(at(2, 2), 6), Take::restart);
  EXPECT_EQ(reader.begin({.epoch = 6, .first = 1, .last = 2}), (Position{6, 0}));
  EXPECT_EQ(reader.take(at(1, 1), 5), Take::skip_epoch);  // from before the change
  EXPECT_EQ(reader.next(), 2U);
  EXPECT_EQ(reader.take(at(2, 2), 6), Take::deliver);
}

TEST(RelayReader, AStreamThatIsShorterThanWhatWasDeliveredWasRolledBack) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 0});
  reader.take(at(1, 1), 5);
  reader.take(at(2, 2), 5);
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 5, .first = 1, .last = 2}));
  EXPECT_TRUE(reader.is_rolled_back({.epoch = 5, .first = 1, .last = 1}));
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 6, .first = 1, .last = 1}));
}

}  // namespace
}  // namespace fanfare::relay
