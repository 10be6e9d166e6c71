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
  EXPECT_FALSE(first.grow(1));  // 500 would be free, but it would hold 501
  ByteHold second(std::make_shared<ByteShare>(budget, 1000));
  EXPECT_TRUE(second.grow(250));
  EXPECT_FALSE(second.grow(1));
  // A new client still finds memory.
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

TEST(ByteBudget, APartHoldsAtMostWhatIsFreeOfTheWhole) {
  ByteBudget whole(1000);
  ByteBudget first(1000, &whole);
  ByteBudget second(1000, &whole);
  // Two clients of the first part, each with a large enough share.
  ByteHold a(std::make_shared<ByteShare>(first, 1000));
  ByteHold b(std::make_shared<ByteShare>(first, 1000));
  EXPECT_TRUE(a.grow(300));
  EXPECT_TRUE(b.grow(200));
  EXPECT_FALSE(b.grow(1));  // the first part would hold 501 with 500 free
  EXPECT_EQ(whole.used(), 500U);
  EXPECT_EQ(first.used(), 500U);
  EXPECT_EQ(first.refusals(), 1U);
  EXPECT_EQ(whole.refusals(), 1U);
  // The other part is not affected.
  ByteHold c(std::make_shared<ByteShare>(second, 1000));
  EXPECT_TRUE(c.grow(250));
  EXPECT_EQ(second.refusals(), 0U);
  EXPECT_EQ(whole.used(), 750U);
  a.release();
  b.release();
  c.release();
  EXPECT_EQ(whole.used(), 0U);
  EXPECT_EQ(first.used(), 0U);
}

TEST(ByteBudget, APartHasALimitOfItsOwn) {
  ByteBudget whole(1000);
  ByteBudget part(100, &whole);
  const auto share = std::make_shared<ByteShare>(part, 1000);
  EXPECT_TRUE(share->take(100));
  EXPECT_FALSE(share->take(1));
  EXPECT_FALSE(share->take(101));
  share->give_back(100);
  EXPECT_EQ(whole.used(), 0U);
  EXPECT_EQ(share->held(), 0U);
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

TEST(ByteBudget, ALowerLimitTakesNothingAwayAndRefusesUntilEnoughWasGivenBack) {
  ByteBudget budget(1000);
  ByteHold hold(std::make_shared<ByteShare>(budget, 1000));
  EXPECT_TRUE(hold.grow(400));
  budget.set_bytes_max(300);
  ByteHold other(std::make_shared<ByteShare>(budget, 1000));
  EXPECT_FALSE(other.grow(1));
  EXPECT_EQ(hold.bytes(), 400U);
  hold.shrink_to(100);
  EXPECT_FALSE(other.grow(201));
  EXPECT_TRUE(other.grow(200));
  budget.set_bytes_max(1000);
  EXPECT_TRUE(hold.grow(100));
  EXPECT_EQ(budget.used(), 400U);
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
