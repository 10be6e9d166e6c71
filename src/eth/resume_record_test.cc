#include "eth/resume_record.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace fanfare::eth {
namespace {

using Slot = ResumeRecord::Slot;
using Owner = ResumeRecord::Owner;
using Change = ResumeRecord::Change;

Position at(std::uint64_t number, std::uint8_t branch = 0) {
  Position position{.number = number, .hash = {}, .logs_told = Position::kAll, .ancestors = {}};
  position.hash.bytes[0] = branch;
  return position;
}
Mark text(std::uint64_t number, std::uint8_t branch = 0) {
  return mark_of(to_cursor(at(number, branch)));
}
SubscriptionId id(std::uint64_t number) {
  return {.high = 0, .low = number};
}

struct RecordWorld {
  explicit RecordWorld(const ResumeRecordLimits& limits = {}) : record(limits) { owner = record.take(); }
  Slot subscribe(std::string_view topic = "newHeads", std::uint64_t number = 1) {
    return record.claim(owner, hash_of_topic(topic), id(number))->slot;
  }
  ResumeRecord::Claim again(std::string_view topic = "newHeads") {
    owner = record.take();
    return *record.claim(owner, hash_of_topic(topic), id(1));
  }
  bool note(Slot slot, std::uint64_t number, std::uint8_t branch = 0, bool retracts = false) {
    return record.note(owner, slot, text(number, branch), retracts ? Change::retracts : Change::adds);
  }
  void confirm() {
    EXPECT_TRUE(record.ping(owner));
    record.pong(owner);
  }

  ResumeRecord record;
  Owner owner = 0;
};

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

TEST(ResumeRecord, KeepsWhereEveryReorgBegan) {
  RecordWorld world;
  const Slot slot = world.subscribe("logs");
  EXPECT_TRUE(world.note(slot, 5));
  world.note(slot, 6, 1);
  world.note(slot, 7, 1);
  world.note(slot, 6, 1, true);
  world.note(slot, 5, 1, true);
  world.note(slot, 6, 2);
  world.note(slot, 5, 2, true);
  world.note(slot, 6, 3);
  const auto claim = world.again("logs");
  EXPECT_EQ(claim.point->from, at(5));
  EXPECT_EQ(claim.point->may_have, (std::vector{at(6, 3), at(6, 2), at(7, 1)}));
  EXPECT_FALSE(claim.point->is_incomplete);
  // What is retracted counts only once something after it was confirmed.
  world.record.ping(world.owner);
  world.record.pong(world.owner);
  EXPECT_EQ(world.again("logs").point->may_have.size(), 3U);
  auto last = world.again("logs");
  world.note(last.slot, 9, 4);
  world.confirm();
  EXPECT_EQ(world.again("logs").point->may_have.size(), 3U);
  last = world.again("logs");
  world.note(last.slot, 10, 4);
  EXPECT_TRUE(world.record.ping(world.owner));
  world.record.settle(world.owner, last.slot, {}, false);  // by what follows this ping
  world.record.pong(world.owner);
  EXPECT_EQ(world.again("logs").point->may_have.size(), 3U);
  last = world.again("logs");
  world.record.settle(world.owner, last.slot, {}, false);
  world.confirm();
  EXPECT_TRUE(world.again("logs").point->may_have.empty());
}

// The client may not have learnt that a part of what it had confirmed was removed.
TEST(ResumeRecord, GoesBackWithAReorg) {
  RecordWorld world;
  const Slot slot = world.subscribe("logs");
  world.note(slot, 5);
  world.note(slot, 8);
  world.confirm();
  world.note(slot, 7, 0, true);
  world.note(slot, 6, 0, true);
  world.note(slot, 7, 2);
  const auto claim = world.again("logs");
  EXPECT_EQ(claim.point->from, at(6));
  EXPECT_EQ(claim.point->may_have, (std::vector{at(7, 2), at(8)}));
}

// Nothing was retracted, because no log of the removed blocks matched.
TEST(ResumeRecord, GoesBackWithABranchThatReplacesBlocksWithoutLogs) {
  RecordWorld world;
  const Slot slot = world.subscribe("logs");
  world.note(slot, 10);
  Position first = at(5, 2);
  first.logs_told = 3;
  world.record.note(world.owner, slot, mark_of(to_cursor(first)), Change::adds);
  const auto claim = world.again("logs");
  EXPECT_EQ(claim.point->from.number, 5U);
  EXPECT_EQ(claim.point->from.logs_told, 2U);
  EXPECT_EQ(claim.point->may_have, (std::vector{first, at(10)}));
}

TEST(ResumeRecord, NothingIsRetractedThatWasConfirmed) {
  RecordWorld world;
  const Slot slot = world.subscribe("logs");
  world.note(slot, 5);
  world.note(slot, 6, 1);
  world.confirm();
  world.note(slot, 5, 1, true);
  world.confirm();
  const auto claim = world.again("logs");
  EXPECT_EQ(claim.point->from, at(5, 1));
  EXPECT_TRUE(claim.point->may_have.empty());
}

TEST(ResumeRecord, SaysWhenThereWereTooManyReorgs) {
  RecordWorld world({.turns_max = 2});
  const Slot slot = world.subscribe("logs");
  world.note(slot, 5);
  for (std::uint8_t branch = 1; branch <= 2; ++branch) {
    world.note(slot, 6, branch);
    world.note(slot, 5, branch, true);
  }
  EXPECT_TRUE(world.record.is_owner(world.owner));
  RecordWorld more({.turns_max = 2});
  const Slot other = more.subscribe("logs");
  more.note(other, 5);
  for (std::uint8_t branch = 1; branch <= 3; ++branch) {
    more.note(other, 6, branch);
    more.note(other, 5, branch, true);
  }
  EXPECT_TRUE(more.again("logs").point->is_incomplete);
  // At the limit: the last position is one of them.
  world.confirm();
  EXPECT_FALSE(world.again("logs").point->is_incomplete);
}

// A client whose connections end again and again before it confirms anything.
TEST(ResumeRecord, TurnsAreLimitedOverConnectionsToo) {
  RecordWorld world({.turns_max = 4});
  world.note(world.subscribe("logs"), 100);
  for (std::uint8_t turn = 1; turn <= 20; ++turn) {
    const auto claim = world.again("logs");
    EXPECT_LE(claim.point->may_have.size(), 4U);
    EXPECT_EQ(claim.point->is_incomplete, turn > 3) << int{turn};
    world.note(claim.slot, 100 - turn, turn, true);
    world.note(claim.slot, 101 - turn, turn);
  }
}

TEST(ResumeRecord, WhatIsSentAgainIsRememberedOnce) {
  RecordWorld world({.turns_max = 2});
  world.note(world.subscribe("logs"), 5);
  for (int connection = 0; connection < 10; ++connection) {
    const auto claim = world.again("logs");
    EXPECT_FALSE(claim.point->is_incomplete);
    EXPECT_EQ(claim.point->may_have, connection == 0 ? std::vector<Position>() : std::vector{at(7)});
    world.note(claim.slot, 6);
    world.note(claim.slot, 7);
  }
}

// It was under way when a ping was sent, and is sent again after that.
TEST(ResumeRecord, WhatIsSentAgainAfterAPingIsNotConfirmedByIt) {
  RecordWorld world;
  const Slot slot = world.subscribe("logs");
  world.note(slot, 5);
  world.note(slot, 6, 1);
  world.note(slot, 5, 0, true);
  EXPECT_TRUE(world.record.ping(world.owner));
  world.note(slot, 6, 1);
  world.note(slot, 5, 0, true);
  world.record.pong(world.owner);
  EXPECT_EQ(world.again("logs").point->may_have, (std::vector{at(5), at(6, 1)}));
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

// The client is notified that it may hold removed logs, as with too many reorgs.
TEST(ResumeRecord, TurnsTakeMemoryUntilTheyAreConfirmed) {
  for (const std::size_t turns : {std::size_t{1}, std::size_t{2}}) {
    MemoryWorld world(kResumeSubscriptionBytes + turns * kResumeTurnBytes);
    Slot slot = world.subscribe(1)->slot;
    const auto note = [&](std::uint64_t number, std::uint8_t branch, bool retracts) {
      world.record.note(world.owner, slot, text(number, branch), retracts ? Change::retracts : Change::adds);
    };
    note(5, 0, false);
    for (std::uint8_t branch = 1; branch <= 2; ++branch) {
      note(6, branch, false);
      note(5, 0, true);
    }
    EXPECT_EQ(world.share->held(), kResumeSubscriptionBytes + turns * kResumeTurnBytes);
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
