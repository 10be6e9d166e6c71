#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "eth/resume_record_for_tests.h"

namespace fanfare::eth {
namespace {

using record_world::at;
using record_world::id;
using record_world::RecordWorld;
using record_world::text;
using Slot = ResumeRecord::Slot;
using Owner = ResumeRecord::Owner;
using Change = ResumeRecord::Change;

TEST(ResumeRecord, ContinuesAfterWhatWasConfirmed) {
  RecordWorld world;
  const Slot slot = world.subscribe();
  EXPECT_TRUE(world.note(slot, 5));
  EXPECT_TRUE(world.note(slot, 6));
  world.confirm();
  EXPECT_TRUE(world.note(slot, 7));
  const auto claim = world.again();
  ASSERT_TRUE(claim.point.has_value());
  EXPECT_EQ(claim.point->from, at(6));
  EXPECT_EQ(claim.point->may_have, std::vector{at(7)});
}

TEST(ResumeRecord, APongConfirmsOnlyWhatCameBeforeItsPing) {
  RecordWorld world;
  const Slot slot = world.subscribe();
  EXPECT_TRUE(world.note(slot, 5));
  EXPECT_TRUE(world.note(slot, 6));
  EXPECT_TRUE(world.record.ping(world.owner));
  EXPECT_TRUE(world.note(slot, 7));
  world.record.pong(world.owner);
  EXPECT_EQ(world.again().point->from, at(6));
}

TEST(ResumeRecord, WithoutNewsThereIsNothingToConfirm) {
  RecordWorld world;
  EXPECT_FALSE(world.record.ping(world.owner));
  const Slot slot = world.subscribe();
  EXPECT_TRUE(world.note(slot, 5));  // its beginning
  EXPECT_FALSE(world.record.ping(world.owner));
  EXPECT_TRUE(world.note(slot, 6));
  world.confirm();
  EXPECT_FALSE(world.record.ping(world.owner));
}

TEST(ResumeRecord, ASubscriptionThatSentNothingContinuesAtItsBeginning) {
  RecordWorld world;
  EXPECT_TRUE(world.note(world.subscribe(), 5));
  const auto claim = world.again();
  EXPECT_EQ(claim.point->from, at(5));
  EXPECT_TRUE(claim.point->may_have.empty());
}

struct MemoryWorld {
  explicit MemoryWorld(std::size_t bytes_max)
      : share(std::make_shared<ByteShare>(budget, bytes_max)),
        record({}, ByteHold(share)),
        owner(record.take()) {}
  auto subscribe(std::uint64_t number) { return record.claim(owner, hash_of_topic("logs"), id(number)); }

  ByteBudget budget{std::size_t{1} << 30};
  std::shared_ptr<ByteShare> share;
  ResumeRecord record;
  Owner owner;
};

TEST(ResumeRecord, SubscriptionsTakeMemoryUpToItsLimit) {
  MemoryWorld world(2 * kResumeSubscriptionBytes);
  const auto first = world.subscribe(1);
  EXPECT_TRUE(first.has_value());
  EXPECT_TRUE(world.subscribe(2).has_value());
  EXPECT_EQ(world.subscribe(3).error(), ResumeRecord::Refusal::no_room);
  EXPECT_EQ(world.share->held(), 2 * kResumeSubscriptionBytes);
  world.record.forget(world.owner, first->slot);
  EXPECT_TRUE(world.subscribe(3).has_value());
  // Nor is one forgotten for another that the next connection has yet to make again.
  world.record.note(world.owner, 1, text(5), Change::adds);
  world.owner = world.record.take();
  EXPECT_FALSE(world.record.claim(world.owner, hash_of_topic("newHeads"), id(4)).has_value());
  EXPECT_TRUE(world.subscribe(2)->point.has_value());
  EXPECT_EQ(world.record.size(), 2U);
}

TEST(ResumeRecord, EndedSubscriptionsGiveTheirMemoryBack) {
  MemoryWorld world(5 * kResumeSubscriptionBytes);
  const auto held = [&] { return world.share->held() / kResumeSubscriptionBytes; };
  std::vector<Slot> slots;
  for (std::uint64_t number = 1; number <= 5; ++number) slots.push_back(world.subscribe(number)->slot);
  const auto end = [&](std::size_t which) { world.record.forget(world.owner, slots[which]); };
  const auto note = [&](std::size_t which) {
    return world.record.note(world.owner, slots[which], text(5), Change::adds);
  };
  for (const std::size_t which : {0U, 3U}) EXPECT_TRUE(note(which));
  end(1);
  end(4);
  end(2);
  EXPECT_EQ(held(), 4U) << "the last one has gone";
  EXPECT_FALSE(note(4)) << "it is over";
  EXPECT_EQ(world.subscribe(6)->slot, slots[1]);
  end(1);
  end(3);
  EXPECT_EQ(held(), 1U);
  for (const std::size_t which : {1U, 2U, 3U, 4U}) EXPECT_FALSE(note(which));
  EXPECT_TRUE(note(0));

  // Those before others go with the next connection.
  slots.push_back(world.subscribe(7)->slot);
  EXPECT_TRUE(note(5));
  end(0);
  EXPECT_EQ(held(), 2U);
  world.owner = world.record.take();
  EXPECT_EQ(held(), 1U);
  const auto again = world.subscribe(7);
  EXPECT_TRUE(again->point.has_value());
  world.record.forget(world.owner, again->slot);
  EXPECT_EQ(held(), 0U);
}

// The client is notified that it may hold removed logs, as with too many reorgs.
TEST(ResumeRecord, TurnsTakeMemoryUntilTheyAreConfirmed) {
  for (const std::size_t turns : {std::size_t{1}, std::size_t{2}}) {
    MemoryWorld world(kResumeSubscriptionBytes + (turns - 1) * kResumeTurnBytes);
    Slot slot = world.subscribe(1)->slot;
    const auto note = [&](std::uint64_t number, std::uint8_t branch, bool retracts) {
      world.record.note(world.owner, slot, text(number, branch), retracts ? Change::retracts : Change::adds);
    };
    note(5, 0, false);
    for (std::uint8_t branch = 1; branch <= 2; ++branch) {
      note(6, branch, false);
      note(5, 0, true);
    }
    EXPECT_EQ(world.share->held(), kResumeSubscriptionBytes + (turns - 1) * kResumeTurnBytes);
    world.record.ping(world.owner);
    world.record.pong(world.owner);
    EXPECT_EQ(world.share->held(), kResumeSubscriptionBytes);
    for (std::uint8_t branch = 3; branch <= 4; ++branch) {
      note(6, branch, false);
      note(5, 0, true);
    }
    world.owner = world.record.take();
    const auto again = world.subscribe(1);
    ASSERT_TRUE(again.has_value() && again->point.has_value());
    EXPECT_TRUE(again->point->is_incomplete);
    EXPECT_EQ(again->point->may_have.size(), turns);
  }
}

// Without a reorg: what was sent last is not confirmed yet when the client comes back.
TEST(ResumeRecord, WithoutMemoryForMoreASessionContinues) {
  MemoryWorld world(kResumeSubscriptionBytes);
  const Slot slot = world.subscribe(1)->slot;
  world.record.note(world.owner, slot, text(5), Change::adds);
  for (std::uint64_t number = 6; number <= 8; ++number) {
    world.record.note(world.owner, slot, text(number), Change::adds);
    world.owner = world.record.take();
    const auto again = world.subscribe(number);
    ASSERT_TRUE(again.has_value() && again->point.has_value());
    EXPECT_FALSE(again->point->is_incomplete);
    ASSERT_EQ(again->point->may_have.size(), 1U);
    EXPECT_EQ(again->point->may_have.front().number, number);
    world.record.settle(world.owner, slot, {}, false);
    world.record.ping(world.owner);
    world.record.pong(world.owner);
  }
  EXPECT_EQ(world.share->held(), kResumeSubscriptionBytes);
}

TEST(ResumeRecord, WhatCouldNotBeSentIsTakenBack) {
  RecordWorld world;
  const Slot slot = world.subscribe("logs");
  world.note(slot, 5);
  world.note(slot, 6);
  world.note(slot, 5, 0, true);
  world.record.take_back(world.owner, slot);
  const auto claim = world.again("logs");
  EXPECT_EQ(claim.point->may_have, std::vector{at(6)});
  // Even its beginning.
  RecordWorld other;
  const Slot first = other.subscribe();
  other.note(first, 5);
  other.record.take_back(other.owner, first);
  EXPECT_FALSE(other.again().point.has_value());
}

TEST(ResumeRecord, TheClosingHandshakeConfirmsEverything) {
  RecordWorld world;
  const Slot slot = world.subscribe();
  world.note(slot, 5);
  world.note(slot, 6);
  world.record.confirm_all(world.owner);
  const auto claim = world.again();
  EXPECT_EQ(claim.point->from, at(6));
  EXPECT_TRUE(claim.point->may_have.empty());
}

TEST(ResumeRecord, AGapIsPassedOnlyOnceTheClientKnowsIt) {
  RecordWorld world;
  Slot slot = world.subscribe();
  world.note(slot, 5);
  slot = world.again().slot;
  world.record.note_gap(world.owner, slot, text(300));
  auto claim = world.again();  // the connection was cut before its end was read
  EXPECT_EQ(claim.point->from, at(5));
  world.record.note_gap(world.owner, claim.slot, text(301));
  world.record.confirm_all(world.owner);
  EXPECT_EQ(world.again().point->from, at(301));
}

TEST(ResumeRecord, EqualSubscriptionsAreContinuedInTheOrderInWhichTheyWereMade) {
  RecordWorld world;
  const Slot first = world.subscribe("newHeads", 1);
  const Slot second = world.subscribe("newHeads", 2);
  const Slot other = world.subscribe("logs", 3);
  EXPECT_NE(first, second);
  world.note(first, 5);
  world.note(second, 8);
  world.note(other, 9);
  EXPECT_EQ(world.again().point->from, at(5));
  const auto next = world.record.claim(world.owner, hash_of_topic("newHeads"), id(2));
  EXPECT_EQ(next->point->from, at(8));
  EXPECT_FALSE(world.record.claim(world.owner, hash_of_topic("newHeads"), id(3))->point.has_value());
}

TEST(ResumeRecord, RemembersWhatIsNotMadeAgainUntilItIsForgotten) {
  RecordWorld world;
  const Slot slot = world.subscribe();
  world.note(slot, 5);
  EXPECT_FALSE(world.record.remembers(world.owner, id(1)));  // it is of this connection
  world.owner = world.record.take();
  EXPECT_TRUE(world.record.remembers(world.owner, id(1)));
  EXPECT_FALSE(world.record.remembers(world.owner, id(2)));
  const auto claim = world.again();
  EXPECT_EQ(claim.point->from, at(5));
  world.record.forget(world.owner, claim.slot);
  EXPECT_EQ(world.record.size(), 0U);
  EXPECT_FALSE(world.again().point.has_value());
}

TEST(ResumeRecord, OneThatCouldNotBeMadeStaysRemembered) {
  RecordWorld world;
  Slot slot = world.subscribe();
  world.record.give_back(world.owner, slot);
  EXPECT_EQ(world.record.size(), 0U);  // it had no beginning
  slot = world.subscribe();
  world.note(slot, 5);
  world.record.give_back(world.owner, slot);
  EXPECT_EQ(world.record.claim(world.owner, hash_of_topic("newHeads"), id(1))->point->from, at(5));
}

TEST(ResumeRecord, AFormerOwnerCanDoNothing) {
  RecordWorld world;
  const Slot slot = world.subscribe();
  world.note(slot, 5);
  const Owner former = world.owner;
  world.owner = world.record.take();
  EXPECT_FALSE(world.record.note(former, slot, text(6), Change::adds));
  EXPECT_FALSE(world.record.ping(former));
  EXPECT_FALSE(world.record.claim(former, hash_of_topic("newHeads"), id(1)).has_value());
  world.record.forget(former, slot);
  world.record.confirm_all(former);
  EXPECT_EQ(world.record.claim(world.owner, hash_of_topic("newHeads"), id(1))->point->from, at(5));
}

TEST(ResumeRecord, ForgetsWhatWasNotMadeAgainForTheLongest) {
  RecordWorld world({.subscriptions_max = 2});
  world.note(world.subscribe("a"), 5);
  world.owner = world.record.take();
  world.note(world.subscribe("b"), 5);
  world.owner = world.record.take();
  world.note(world.subscribe("c"), 5);
  EXPECT_EQ(world.record.size(), 2U);
  EXPECT_TRUE(world.again("b").point.has_value());
  EXPECT_FALSE(world.again("a").point.has_value());
  // All of this connection: there is no room.
  world.subscribe("d");
  EXPECT_FALSE(world.record.claim(world.owner, hash_of_topic("e"), id(9)).has_value());
}

}  // namespace
}  // namespace fanfare::eth
