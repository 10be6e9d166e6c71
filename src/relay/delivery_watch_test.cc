#include "relay/delivery_watch.h"

#include <gtest/gtest.h>

#include "relay/known_streams.h"

namespace fanfare::relay {
namespace {

using WatchStep = DeliveryWatch::Step;

class DeliveryWatches : public testing::Test {
 protected:
  // As long as a consumer that has nothing to deliver needs to be suspected.
  void stay_idle(int signs = DeliveryWatch::kSignsMin) {
    for (int i = 0; i < signs; ++i) watch_.idle();
    now_ += DeliveryWatch::kWait;
  }
  WatchStep next() { return watch_.next(now_); }

  DeliveryWatch watch_;
  Instant now_{std::chrono::hours(1)};
};

TEST_F(DeliveryWatches, WhatDoesNotComeIsWantedOfAnotherConsumerAndThenCompared) {
  watch_.expect(5, now_);
  watch_.came(4, now_);
  stay_idle();
  EXPECT_EQ(next(), WatchStep::renew);
  EXPECT_EQ(next(), WatchStep::wait);
  // The new consumer begins with a message that came before.
  watch_.came(4, now_);
  stay_idle();
  EXPECT_EQ(next(), WatchStep::compare);
  EXPECT_TRUE(watch_.stands_still());
  EXPECT_FALSE(watch_.stands_still());
  EXPECT_TRUE(watch_.is_still());
  stay_idle();
  EXPECT_EQ(next(), WatchStep::compare);
}

TEST_F(DeliveryWatches, WhateverComesEndsTheSuspicion) {
  watch_.expect(5, now_);
  stay_idle();
  EXPECT_EQ(next(), WatchStep::renew);
  stay_idle();
  EXPECT_EQ(next(), WatchStep::compare);
  watch_.stands_still();
  watch_.came(3, now_);
  EXPECT_FALSE(watch_.is_still());
  EXPECT_EQ(watch_.expected(), 5U);
  EXPECT_EQ(next(), WatchStep::wait);
  watch_.came(5, now_);
  EXPECT_EQ(watch_.expected(), 0U);
  stay_idle();
  EXPECT_EQ(next(), WatchStep::wait);
}

// A slow reader, a consumer that was ended, a broker that is away: no signs. A process that stood still: no time for them.
TEST_F(DeliveryWatches, NeitherTimeNorSignsAloneAreEnough) {
  watch_.expect(5, now_);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(next(), WatchStep::wait);
  stay_idle(DeliveryWatch::kSignsMin - 1);
  EXPECT_EQ(next(), WatchStep::wait);
  watch_.came(4, now_);
  for (int i = 0; i < 100; ++i) watch_.idle();
  EXPECT_EQ(next(), WatchStep::wait);
}

TEST_F(DeliveryWatches, NothingIsExpectedOfAnIdleStream) {
  for (int i = 0; i < 10; ++i) stay_idle();
  EXPECT_EQ(next(), WatchStep::wait);
  // What was counted before does not count.
  watch_.expect(5, now_);
  EXPECT_EQ(next(), WatchStep::wait);
}

TEST(KnownStreams, OneThatIsGoneIsCreatedAgainAfterAPause) {
  KnownStreams known;
  Instant now{std::chrono::hours(1)};
  EXPECT_TRUE(known.may_create("new", now));
  known.seen("a");
  EXPECT_FALSE(known.may_create("a", now));
  now += KnownStreams::kWait / 2;
  EXPECT_FALSE(known.may_create("a", now));
  EXPECT_TRUE(known.may_create("b", now));
  // It was there in between.
  known.seen("a");
  now += KnownStreams::kWait / 2;
  EXPECT_FALSE(known.may_create("a", now));
  now += KnownStreams::kWait;
  EXPECT_TRUE(known.may_create("a", now));
}

}  // namespace
}  // namespace fanfare::relay
