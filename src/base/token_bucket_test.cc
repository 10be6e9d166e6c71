#include "base/token_bucket.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace fanfare {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart{std::chrono::hours(1)};
constexpr Duration kNow = Duration::zero();

TEST(TokenBucket, TheBurstAndThenTheRate) {
  const TokenRate rate{.per_second = 10, .burst = 3};
  TokenBucket bucket;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(rate, 1, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart), milliseconds(100));
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(99)), milliseconds(1));
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(100)), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(100)), milliseconds(100));
}

TEST(TokenBucket, ARefusedCallCostsNothing) {
  const TokenRate rate{.per_second = 10, .burst = 1};
  TokenBucket bucket;
  EXPECT_EQ(bucket.take(rate, 1, kStart), kNow);
  for (int i = 0; i < 1000; ++i) EXPECT_GT(bucket.take(rate, 1, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart + milliseconds(100)), kNow);
}

TEST(TokenBucket, AQuietTimeFillsItToTheBurstOnly) {
  const TokenRate rate{.per_second = 10, .burst = 2};
  TokenBucket bucket;
  bucket.take(rate, 2, kStart);
  const Instant later = kStart + std::chrono::hours(10);
  EXPECT_EQ(bucket.take(rate, 2, later), kNow);
  EXPECT_GT(bucket.take(rate, 1, later), kNow);
}

TEST(TokenBucket, WithoutABurstASecondIsOne) {
  const TokenRate rate{.per_second = 5};
  TokenBucket bucket;
  EXPECT_EQ(bucket.take(rate, 5, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart), milliseconds(200));
}

TEST(TokenBucket, WhatCostsMoreThanTheBurstWaitsForAFullOneAndLeavesADebt) {
  const TokenRate rate{.per_second = 10, .burst = 2};
  TokenBucket bucket;
  EXPECT_EQ(bucket.take(rate, 10, kStart), kNow);
  EXPECT_EQ(bucket.take(rate, 1, kStart), milliseconds(900));
  // Full again after one second: 10 tokens came, 8 of them for the debt.
  EXPECT_EQ(bucket.take(rate, 10, kStart + milliseconds(999)), milliseconds(1));
  EXPECT_EQ(bucket.take(rate, 10, kStart + seconds(1)), kNow);
}

TEST(TokenBucket, ADebtHasALimit) {
  const TokenRate rate{.per_second = 1, .burst = 1};
  TokenBucket bucket;
  bucket.charge(rate, kTokensMax, kStart);
  EXPECT_EQ(bucket.wait_for(rate, 1, kStart), kDebtTimeMax + seconds(1));
  EXPECT_FALSE(bucket.is_idle(kStart + kDebtTimeMax));
  EXPECT_TRUE(bucket.is_idle(kStart + kDebtTimeMax + kBurstTimeMax));
}

TEST(TokenBucket, GivesBack) {
  const TokenRate rate{.per_second = 10, .burst = 1};
  TokenBucket bucket;
  bucket.take(rate, 1, kStart);
  bucket.give_back(rate, 1);
  EXPECT_EQ(bucket.take(rate, 1, kStart), kNow);
}

TEST(TokenBucket, WithoutARateThereIsNoLimit) {
  TokenBucket bucket;
  EXPECT_EQ(bucket.take({}, kTokensMax, kStart), kNow);
  bucket.charge({}, kTokensMax, kStart);
  EXPECT_EQ(bucket.wait_for({}, 1, kStart), kNow);
  EXPECT_TRUE(bucket.is_idle(kStart));
}

TEST(TokenBucket, ThreadsTogetherTakeTheBurstAndNoMore) {
  const TokenRate rate{.per_second = 1, .burst = 50};
  TokenBucket bucket;
  std::atomic<int> taken = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) taken += bucket.take(rate, 1, kStart) == kNow ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(taken, 50);
}

}  // namespace
}  // namespace fanfare
