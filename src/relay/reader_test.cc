#include "relay/reader.h"

#include <gtest/gtest.h>

namespace fanfare::relay {
namespace {

using Take = Reader::Take;

// Unless a test says otherwise, the broker stored each message at a time of its own.
Delivery at(std::uint64_t stream, std::uint64_t consumer, std::uint64_t time = 0) {
  return {.stream = "S",
          .consumer = "C",
          .stream_sequence = stream,
          .consumer_sequence = consumer,
          .time = time == 0 ? 1000 + stream : time};
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
  // A new consumer begins with the last message again.
  EXPECT_FALSE(reader.begin({.epoch = 5, .first = 1, .last = 2}));
  EXPECT_EQ(reader.next(), 3U);
  EXPECT_EQ(reader.from(), 2U);
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

TEST(RelayReader, AnEpochThatHasEndedBeforeIsRolledBack) {
  Reader reader;
  for (const std::uint64_t epoch : {5, 6, 7}) {
    EXPECT_FALSE(reader.is_rolled_back({.epoch = epoch, .first = 1, .last = 9})) << epoch;
    reader.begin({.epoch = epoch, .first = 1, .last = 9});
  }
  EXPECT_TRUE(reader.is_rolled_back({.epoch = 5, .first = 1, .last = 9}));
  EXPECT_TRUE(reader.is_rolled_back({.epoch = 6, .first = 1, .last = 20}));
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 7, .first = 1, .last = 9}));
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 8, .first = 1, .last = 9}));
  reader.reset();
  EXPECT_EQ(reader.epoch(), 0U);
  EXPECT_TRUE(reader.is_rolled_back({.epoch = 5, .first = 1, .last = 9}));
}

TEST(RelayReader, SoManyEndedEpochsAreKnown) {
  Reader reader;
  for (std::uint64_t epoch = 1; epoch <= Reader::kEndedMax + 1; ++epoch)
    reader.begin({.epoch = epoch, .first = 1, .last = 0});
  EXPECT_TRUE(reader.is_rolled_back({.epoch = 1, .first = 1, .last = 0}));
  reader.begin({.epoch = 1000, .first = 1, .last = 0});
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 1, .first = 1, .last = 0}));
  EXPECT_TRUE(reader.is_rolled_back({.epoch = 2, .first = 1, .last = 0}));
}

TEST(RelayReader, WhatHasNoEpochHasAPlaceAndIsNoEvent) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 0});
  EXPECT_EQ(reader.take(at(1, 1), kNoEpoch), Take::skip_foreign);
  EXPECT_EQ(reader.take(at(2, 2), 5), Take::deliver);
  EXPECT_EQ(reader.take(at(3, 3), kNoEpoch), Take::skip_foreign);
  EXPECT_EQ(reader.next(), 4U);
  // The next consumer begins with it.
  reader.begin({.epoch = 5, .first = 1, .last = 3});
  EXPECT_EQ(reader.from(), 3U);
  EXPECT_EQ(reader.take(at(3, 1), kNoEpoch), Take::skip);
  EXPECT_EQ(reader.take(at(4, 2), 5), Take::deliver);
}

TEST(RelayReader, WhatHasNoEpochIsPassedOverBeforeTheEpochBegins) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 3});
  EXPECT_EQ(reader.take(at(1, 1), kNoEpoch), Take::skip_foreign);
  EXPECT_EQ(reader.take(at(2, 2), 4), Take::skip_epoch);
  EXPECT_EQ(reader.take(at(3, 3), 5), Take::deliver);
}

// It begins before anything of the epoch that the reader knows was stored.
TEST(RelayReader, WhatIsStoredAfterTheConsumerBeganIsOfALaterEpoch) {
  Reader reader;
  EXPECT_EQ(reader.begin({.epoch = 5, .first = 1, .last = 2}), (Position{5, 0}));
  EXPECT_EQ(reader.take(at(2, 1), 4), Take::skip_epoch);
  EXPECT_EQ(reader.take(at(3, 2), 6), Take::restart);
  EXPECT_EQ(reader.begin({.epoch = 6, .first = 1, .last = 3}), (Position{6, 0}));
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

// Read up to 2 of epoch 5; then another consumer.
Reader reader_behind_two(const StreamState& state) {
  Reader reader;
  reader.begin({.epoch = 5, .first = 1, .last = 0});
  reader.take(at(1, 1), 5);
  reader.take(at(2, 2), 5);
  EXPECT_FALSE(reader.is_rolled_back(state));
  reader.begin(state);
  return reader;
}

// Another instance has ended the epoch a little earlier, and has published by now.
TEST(RelayReader, TheFirstEventsOfAnEpochAreDeliveredToWhoeverEndsTheOneBeforeALittleLater) {
  Reader reader;
  reader.start_behind({.position = {.epoch = 5, .offset = 4}});
  const StreamState ended{.epoch = 5, .first = 1, .last = 2};
  ASSERT_TRUE(reader.is_rolled_back(ended));
  const StreamState state{.epoch = 6, .first = 1, .last = 3};
  EXPECT_EQ(messages_since(ended, state), 1U);
  EXPECT_EQ(reader.begin(state, messages_since(ended, state)), (Position{.epoch = 6, .offset = 2}));
  EXPECT_EQ(reader.take({.stream_sequence = 3, .consumer_sequence = 1}, 6), Reader::Take::deliver);
  EXPECT_EQ(messages_since(ended, ended), 0U);
  EXPECT_EQ(messages_since(ended, {.epoch = 7, .first = 1, .last = 1}), 0U);  // deleted and created again
}

TEST(RelayReader, AnotherMessageInThePlaceOfTheLastOneShowsThatTheBrokerLostIt) {
  Reader reader = reader_behind_two({.epoch = 5, .first = 1, .last = 9});
  EXPECT_TRUE(reader.is_checking());
  EXPECT_EQ(reader.take(at(2, 1, 77), 5), Take::restart);
  const StreamState after{.epoch = 5, .first = 1, .last = 9};
  EXPECT_TRUE(reader.is_rolled_back(after));
  // Until somebody has ended the epoch.
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 6, .first = 1, .last = 9}));
  EXPECT_EQ(reader.begin({.epoch = 6, .first = 1, .last = 9}, 0), (Position{6, 9}));
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 6, .first = 1, .last = 9}));
}

TEST(RelayReader, TheSameMessageShowsThatTheBrokerHasEverything) {
  Reader reader = reader_behind_two({.epoch = 5, .first = 2, .last = 3});
  EXPECT_TRUE(reader.is_checking());
  EXPECT_EQ(reader.take(at(2, 1), 5), Take::skip);
  EXPECT_FALSE(reader.is_checking());
  EXPECT_FALSE(reader.is_rolled_back({.epoch = 5, .first = 2, .last = 3}));
  EXPECT_EQ(reader.take(at(3, 2), 5), Take::deliver);
  EXPECT_EQ(reader.mark(), (Mark{.position = {5, 3}, .time = 1003}));
}

TEST(RelayReader, AMessageThatTheBrokerHasDroppedCannotBeCompared) {
  Reader reader = reader_behind_two({.epoch = 5, .first = 3, .last = 9});
  EXPECT_FALSE(reader.is_checking());
  EXPECT_EQ(reader.from(), 3U);
  // It was dropped after the broker had said that it was there.
  reader = reader_behind_two({.epoch = 5, .first = 2, .last = 9});
  EXPECT_EQ(reader.take(at(4, 1), 5), Take::deliver_after_gap);
  EXPECT_FALSE(reader.is_checking());
}

// Of a position that the hub, or a client, brought: the next consumer compares.
TEST(RelayReader, AMessageThatIsNotKnownIsRemembered) {
  Reader reader;
  reader.start_behind({.position = {5, 2}});
  reader.begin({.epoch = 5, .first = 1, .last = 2});
  EXPECT_EQ(reader.take(at(2, 1, 77), 4), Take::skip);  // of an earlier epoch, which has ended there
  EXPECT_EQ(reader.mark(), (Mark{.position = {5, 2}, .time = 77}));
  reader.begin({.epoch = 5, .first = 1, .last = 2});
  EXPECT_EQ(reader.take(at(2, 1, 78), 5), Take::restart);
  EXPECT_TRUE(reader.is_rolled_back({.epoch = 5, .first = 1, .last = 2}));
}

// By hand: the stream still ends there.
TEST(RelayReader, AMessageThatWasDeletedIsNotWaitedFor) {
  const StreamState state{.epoch = 5, .first = 1, .last = 4};
  Reader reader = reader_behind_two(state);
  EXPECT_TRUE(reader.is_checking());
  reader.pass(2);
  EXPECT_FALSE(reader.is_checking());
  EXPECT_EQ(reader.next(), 3U);
  EXPECT_EQ(reader.begin(state), std::nullopt);
  EXPECT_FALSE(reader.is_checking());
  EXPECT_EQ(reader.from(), 3U);
  EXPECT_EQ(reader.take(at(3, 1), 5), Take::deliver);
  reader.pass(4);
  EXPECT_EQ(reader.next(), 5U);
  EXPECT_FALSE(reader.is_rolled_back(state));
  EXPECT_EQ(reader.take(at(5, 2), 5), Take::deliver);
  // What comes now can be compared again.
  reader.begin({.epoch = 5, .first = 1, .last = 5});
  EXPECT_TRUE(reader.is_checking());
}

}  // namespace
}  // namespace fanfare::relay
