#include "base/byte_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace fanfare {
namespace {

TEST(ByteBudget, AShareHoldsAtMostItsOwnLimit) {
  ByteBudget budget(1000);
  ByteHold hold(std::make_shared<ByteShare>(budget, 100));
  EXPECT_TRUE(hold.grow(100));
  EXPECT_FALSE(hold.grow(1));
  EXPECT_EQ(hold.bytes(), 100U);
  EXPECT_EQ(budget.used(), 100U);
  EXPECT_EQ(budget.refusals(), 1U);
}

TEST(ByteBudget, AShareHoldsAtMostWhatIsFree) {
  ByteBudget budget(1000);
  ByteHold first(std::make_shared<ByteShare>(budget, 1000));
  EXPECT_TRUE(first.grow(500));
  EXPECT_FALSE(first.grow(1));  // 500 would be free, and it would hold 501
  ByteHold second(std::make_shared<ByteShare>(budget, 1000));
  EXPECT_TRUE(second.grow(250));
  EXPECT_FALSE(second.grow(1));
  // Somebody new still finds room.
  ByteHold third(std::make_shared<ByteShare>(budget, 1000));
  EXPECT_TRUE(third.grow(125));
  EXPECT_EQ(budget.used(), 875U);
}

TEST(ByteBudget, ManyWhoTakeAllTheyCanLeaveSomethingFree) {
  ByteBudget budget(1 << 20);
  std::vector<ByteHold> holds;
  for (int i = 0; i < 100; ++i) {
    holds.emplace_back(std::make_shared<ByteShare>(budget, 1 << 20));
    while (holds.back().grow(64)) {
    }
  }
  EXPECT_LE(budget.used(), budget.bytes_max());
}

TEST(ByteBudget, WhatIsGivenBackIsFree) {
  ByteBudget budget(1000);
  const auto share = std::make_shared<ByteShare>(budget, 1000);
  {
    ByteHold hold(share);
    EXPECT_TRUE(hold.grow(400));
    hold.shrink_to(100);
    EXPECT_EQ(share->held(), 100U);
    ByteHold moved(std::move(hold));
    EXPECT_EQ(moved.bytes(), 100U);
    EXPECT_EQ(budget.used(), 100U);
  }
  EXPECT_EQ(share->held(), 0U);
  EXPECT_EQ(budget.used(), 0U);
}

TEST(ByteBudget, MoreThanThereIsIsRefusedWithoutOverflow) {
  ByteBudget budget(1000);
  ByteHold hold(std::make_shared<ByteShare>(budget, SIZE_MAX));
  EXPECT_FALSE(hold.grow(SIZE_MAX));
  EXPECT_FALSE(hold.grow(1001));
  EXPECT_EQ(budget.used(), 0U);
}

TEST(ByteBudget, AHoldWithoutAShareRefusesNothing) {
  ByteHold hold;
  EXPECT_TRUE(hold.grow(SIZE_MAX));
  EXPECT_EQ(hold.bytes(), 0U);
}

TEST(ByteBudget, ThreadsNeverTakeMoreThanThereIs) {
  ByteBudget budget(10'000);
  std::atomic<bool> too_much = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        ByteHold hold(std::make_shared<ByteShare>(budget, 10'000));
        if (hold.grow(4'000) && hold.bytes() > budget.bytes_max()) too_much = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(too_much);
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace fanfare
