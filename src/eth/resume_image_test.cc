#include "eth/resume_image.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/cursor.h"
#include "eth/resume_record.h"

namespace fanfare::eth {
namespace {

Position block(std::uint64_t number, std::uint8_t branch = 0) {
  Position position{.number = number, .hash = {}, .logs_told = Position::kAll, .ancestors = {}};
  position.hash.bytes[0] = branch;
  return position;
}
std::string cursor(std::uint64_t number, std::uint8_t branch = 0) {
  return to_cursor(block(number, branch));
}
std::string bytes_of(std::initializer_list<int> numbers) {
  std::string bytes;
  for (const int number : numbers) bytes.push_back(static_cast<char>(number));
  return bytes;
}

SharedSession example() {
  return {.instance = 0x0102030405060708,
          .turn = 9,
          .is_closed = true,
          .image = {{{.topic = {.high = 1, .low = 2},
                      .id = {.high = 3, .low = 4},
                      .from = cursor(5),
                      .may_have = {cursor(6), cursor(7)},
                      .is_stale = true},
                     {.topic = {.high = 8, .low = 9}, .from = cursor(5), .may_have = {}}}}};
}

TEST(ResumeImage, HasTheBytesOfItsPicture) {
  const SharedSession session{.instance = 0x0102030405060708,
                              .turn = 0x090a0b0c,
                              .is_closed = true,
                              .image = {{{.topic = {.high = 1, .low = 2},
                                          .id = {.high = 3, .low = 4},
                                          .from = cursor(5),
                                          .may_have = {cursor(5)},
                                          .is_incomplete = true}}}};
  const std::string text = cursor(5);
  const std::string wanted =
      bytes_of({2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 0, 1, 0}) + static_cast<char>(text.size()) +
      text + bytes_of({0, 1}) + bytes_of({0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2}) +
      bytes_of({0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4}) + bytes_of({1, 0, 0, 0, 1, 0, 0});
  EXPECT_EQ(encode_session(session, SIZE_MAX), wanted);
  EXPECT_EQ(decode_session(wanted), session);
}

TEST(ResumeImage, ReadsWhatItWrites) {
  for (const SharedSession& session : {SharedSession{}, example()}) {
    EXPECT_EQ(decode_session(*encode_session(session, SIZE_MAX)), session);
  }
}

TEST(ResumeImage, DamageIsRefused) {
  const std::string good = *encode_session(example(), SIZE_MAX);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_session(good.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_session(good + '\0'));
  // No byte can be changed into something that is read past the end, or that has an invalid position.
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string damaged = good;
      damaged[i] = static_cast<char>(value);
      const auto read = decode_session(damaged);
      if (!read) continue;
      for (const auto& one : read->image.subscriptions) {
        ASSERT_TRUE(parse_cursor(one.from));
        for (const std::string& position : one.may_have) ASSERT_TRUE(parse_cursor(position));
      }
    }
  }
  struct Damage {
    std::size_t at;
    int value;
  };
  const std::size_t flags = good.size() - 5;  // of the last subscription
  for (const auto [at, value] : {Damage{0, 3}, Damage{0, 1}, Damage{0, 0}, Damage{13, 2}, Damage{17, 255},
                                 Damage{flags, 4}, Damage{flags + 2, 3}, Damage{flags + 4, 1}}) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(value);
    EXPECT_FALSE(decode_session(damaged)) << at;
  }
}

TEST(ResumeImage, ThePositionsOfOneSubscriptionAreLimited) {
  SharedSession session{.image = {{{.from = cursor(1), .may_have = {}}}}};
  session.image.subscriptions[0].may_have.assign(kMayHaveMax, cursor(2));
  EXPECT_TRUE(decode_session(*encode_session(session, SIZE_MAX)));
  session.image.subscriptions[0].may_have.push_back(cursor(2));
  EXPECT_FALSE(decode_session(*encode_session(session, SIZE_MAX)));
}

TEST(ResumeImage, WhatIsTooLongLeavesOutPositionsAndSaysSo) {
  const SharedSession session = example();
  const std::size_t whole = encode_session(session, SIZE_MAX)->size();
  EXPECT_EQ(decode_session(*encode_session(session, whole)), session);
  const auto shorter = encode_session(session, whole - 1);
  ASSERT_TRUE(shorter);
  const auto read = decode_session(*shorter);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->image.subscriptions[0].may_have.empty());
  EXPECT_TRUE(read->image.subscriptions[0].is_incomplete);
  EXPECT_FALSE(read->image.subscriptions[1].is_incomplete);
  EXPECT_TRUE(encode_session(session, shorter->size()));
  EXPECT_FALSE(encode_session(session, shorter->size() - 1));
}

// --- of a record -----------------------------------------------------------------------------------

struct ImageWorld {
  ResumeRecord record{{}};
  ResumeRecord::Owner owner = record.take();
  ResumeRecord::Slot slot = record.claim(owner, hash_of_topic("logs"), {.high = 0, .low = 7})->slot;
  void note(std::uint64_t number, std::uint8_t branch = 0, bool retracts = false) {
    record.note(owner, slot, mark_of(cursor(number, branch)),
                retracts ? ResumeRecord::Change::retracts : ResumeRecord::Change::adds);
  }
};

ResumeRecord::Claim next_of(ResumeRecord& record) {
  return *record.claim(record.take(), hash_of_topic("logs"), {.high = 0, .low = 1});
}

TEST(ResumeImage, ARestoredRecordContinuesAsTheOneItIsAnImageOf) {
  ImageWorld world;
  world.note(5);
  world.note(6, 1);
  world.record.ping(world.owner);
  world.record.pong(world.owner);
  world.note(7, 1);
  world.note(6, 1, true);
  world.note(5, 1, true);  // behind what was confirmed
  world.note(6, 2);
  const ResumeImage image = world.record.image();
  ResumeRecord other({});
  ASSERT_TRUE(other.restore(image, false));
  EXPECT_EQ(other.image(), image);
  const auto wanted = next_of(world.record);
  const auto found = next_of(other);
  ASSERT_TRUE(found.point);
  EXPECT_EQ(found.point->from, wanted.point->from);
  EXPECT_EQ(found.point->may_have, wanted.point->may_have);
  EXPECT_EQ(found.point->from, block(5, 1));
  EXPECT_FALSE(found.point->is_stale);
}

TEST(ResumeImage, ASubscriptionWithoutABeginningIsInNone) {
  ImageWorld world;
  EXPECT_TRUE(world.record.image().subscriptions.empty());
}

TEST(ResumeImage, AStaleOneStaysStaleUntilWhatCoversItIsConfirmed) {
  ImageWorld world;
  world.note(5);
  ResumeRecord other({});
  ASSERT_TRUE(other.restore(world.record.image(), true));
  ResumeRecord::Owner owner = other.take();
  auto claim = *other.claim(owner, hash_of_topic("logs"), {});
  EXPECT_TRUE(claim.point->is_stale);
  // A pong for what was sent before the replay does not confirm the replay.
  other.note(owner, claim.slot, mark_of(cursor(6)), ResumeRecord::Change::adds);
  other.ping(owner);
  other.settle(owner, claim.slot, {}, true);
  other.pong(owner);
  EXPECT_TRUE(other.image().subscriptions[0].is_stale);
  EXPECT_TRUE(other.ping(owner));
  other.pong(owner);
  EXPECT_FALSE(other.image().subscriptions[0].is_stale);
}

TEST(ResumeImage, ChangesAreNotifiedOnceUntilTheNextImage) {
  ResumeRecord record({});
  int changes = 0;
  int begun = 0;
  record.watch([&](bool is_urgent) { ++(is_urgent ? begun : changes); });
  const auto owner = record.take();
  const auto slot = record.claim(owner, hash_of_topic("logs"), {})->slot;
  record.note(owner, slot, mark_of(cursor(5)), ResumeRecord::Change::adds);
  const auto other = record.claim(owner, hash_of_topic("newHeads"), {})->slot;
  record.note(owner, other, mark_of(cursor(5)), ResumeRecord::Change::adds);
  record.note(owner, slot, mark_of(cursor(6)), ResumeRecord::Change::adds);
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(changes, 0);
  record.image();
  record.note(owner, slot, mark_of(cursor(7)), ResumeRecord::Change::adds);
  record.note(owner, slot, mark_of(cursor(8)), ResumeRecord::Change::adds);
  EXPECT_EQ(changes, 1);
  record.image();
  record.ping(owner);
  EXPECT_EQ(changes, 1);
  record.pong(owner);
  EXPECT_EQ(changes, 2);
  record.image();
  record.forget(owner, slot);
  EXPECT_EQ(changes, 3);
  EXPECT_EQ(begun, 2);
}

TEST(ResumeImage, WhatHasNoRoomIsNotRestored) {
  ImageWorld world;
  world.note(5);
  ResumeRecord none({.subscriptions_max = 0});
  EXPECT_FALSE(none.restore(world.record.image(), false));
}

}  // namespace
}  // namespace fanfare::eth
