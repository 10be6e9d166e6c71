// What a session's record keeps of reorgs.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/resume_record_for_tests.h"

namespace fanfare::eth {
namespace {

using record_world::at;
using record_world::RecordWorld;
using record_world::text;
using Slot = ResumeRecord::Slot;
using Change = ResumeRecord::Change;

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

// What was retracted of a dead branch on this connection, a part of it before a ping.
TEST(ResumeRecord, ATurnGoesDownWithWhatIsRetracted) {
  RecordWorld world;
  const Slot first = world.subscribe("logs");
  world.note(first, 5);
  world.note(first, 9, 1);
  world.note(first, 5, 0, true);
  world.note(first, 6, 2);
  const auto lower = [&](Slot slot, std::uint64_t from, std::uint64_t to) {
    world.record.lower(world.owner, slot, {{.from = at(from, 1), .to = at(to, 1)}});
  };
  Slot slot = world.again("logs").slot;
  lower(slot, 9, 8);
  lower(slot, 8, 7);
  // Lost with the connection: it may not have arrived.
  auto claim = world.again("logs");
  EXPECT_EQ(claim.point->may_have, (std::vector{at(6, 2), at(9, 1)}));
  slot = claim.slot;
  lower(slot, 9, 8);
  EXPECT_TRUE(world.record.ping(world.owner));
  lower(slot, 8, 7);
  world.record.pong(world.owner);
  claim = world.again("logs");
  EXPECT_EQ(claim.point->may_have, (std::vector{at(6, 2), at(8, 1)}));
  EXPECT_EQ(world.record.image().subscriptions.front().may_have.front(), to_cursor(at(8, 1)));
  // The closing handshake confirms that, too.
  lower(claim.slot, 8, 7);
  world.record.confirm_all(world.owner);
  EXPECT_EQ(world.again("logs").point->may_have, (std::vector{at(6, 2), at(7, 1)}));
}

TEST(ResumeRecord, TurnsThatWentDownToOnePositionAreOne) {
  RecordWorld world;
  const Slot first = world.subscribe("logs");
  world.note(first, 5);
  for (std::uint8_t branch = 1; branch <= 3; ++branch) {
    world.note(first, 9, branch);
    world.note(first, 5, 0, true);
  }
  Slot slot = world.again("logs").slot;
  for (std::uint8_t branch = 1; branch <= 3; ++branch) {
    world.record.lower(world.owner, slot, {{.from = at(9, branch), .to = at(6)}});
  }
  world.confirm();
  slot = world.again("logs").slot;
  world.record.settle(world.owner, slot, {at(6)}, false);
  world.note(slot, 6, 4);
  world.confirm();
  EXPECT_EQ(world.again("logs").point->may_have, std::vector{at(6)});
}

// It was sent again up to there after that: it may have it, whatever was retracted before.
TEST(ResumeRecord, ATurnThatIsReachedAgainIsAsHighAsBefore) {
  RecordWorld world;
  const Slot first = world.subscribe("logs");
  world.note(first, 5);
  world.note(first, 9, 1);
  world.note(first, 5, 0, true);
  const Slot slot = world.again("logs").slot;
  world.record.lower(world.owner, slot, {{.from = at(9, 1), .to = at(8, 1)}});
  world.note(slot, 9, 1);
  world.note(slot, 5, 0, true);
  world.confirm();
  const auto may_have = world.again("logs").point->may_have;
  EXPECT_NE(std::ranges::find(may_have, at(9, 1)), may_have.end());
}

// Heads are not retracted: those of another branch replace them.
TEST(ResumeRecord, KeepsWhereHeadsWentBack) {
  RecordWorld world;
  const Slot slot = world.subscribe();
  const auto replace = [&](std::uint64_t number, std::uint8_t branch) {
    world.record.note(world.owner, slot, text(number, branch), Change::replaces);
  };
  replace(5, 0);
  replace(6, 0);
  world.confirm();
  replace(4, 1);
  replace(5, 1);
  replace(5, 2);
  replace(4, 0);
  const auto claim = world.again();
  EXPECT_EQ(claim.point->from, at(6));
  EXPECT_EQ(claim.point->may_have, (std::vector{at(4), at(5, 2), at(5, 1)}));
}

TEST(ResumeRecord, ARetractionThatCouldNotBeSentIsNotConfirmedNorFeared) {
  RecordWorld world;
  const Slot slot = world.subscribe("logs");
  world.note(slot, 5);
  world.note(slot, 8);
  world.confirm();
  world.note(slot, 7, 0, true);
  world.record.take_back(world.owner, slot);
  EXPECT_EQ(world.again("logs").point->from, at(8));
}

}  // namespace
}  // namespace fanfare::eth
