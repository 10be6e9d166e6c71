// Copies of a room that apply the same log: instances that write at random, are late, end and begin again from snapshots, whose
// entries come twice. All copies are equal, byte for byte. A failure prints its seed; CANVAS_SEEDS=N runs more of them.
#include "canvas/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "base/random.h"
#include "canvas/wire.h"

namespace fanfare::canvas {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

RoomSpec small_spec() {
  return {.width = 300,
          .height = 300,
          .background = 0xFFFFFF,
          .palette = {0xFFFFFF, 0xFF0000, 0x00FF00, 0x0000FF}};
}

// One instance's copy.
struct Copy {
  explicit Copy(const RoomSpec& spec)
      : room({.spec = spec, .limits = shared_limits({}), .epoch = 9}), replica(room) {}

  // As it comes from the log.
  Replica::Applied apply(const std::vector<std::uint8_t>& entry) {
    const auto decoded = decode_entry(entry, room.spec());
    EXPECT_TRUE(decoded.has_value());
    return replica.apply(std::get<SharedBatch>(*decoded), entry.size());
  }
  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> saved;
    replica.save(saved);
    return saved;
  }

  Room room;
  Replica replica;
};

struct Batches {
  explicit Batches(InstanceId its_instance) : instance(its_instance) {}
  SharedBatch next(std::vector<SharedRequest> requests, std::int64_t time_ms = 1000) {
    return {.epoch = 9,
            .instance = instance,
            .number = ++number,
            .time_ms = time_ms,
            .requests = std::move(requests)};
  }
  InstanceId instance;
  std::uint64_t number = 0;
};

SharedJoin person(std::string identity, UserNumber number = 0) {
  return {
      .identity = std::move(identity), .name = "N", .payer = "1.2.3.4", .colour = 0x123456, .number = number};
}

TEST(Replica, ABatchIsATickAndIsAppliedOnce) {
  Copy copy(small_spec());
  Batches one(7);
  const SharedBatch batch =
      one.next({person("s:anna"), SharedDraw{.user = 1, .pixels = {{.x = 2, .y = 3, .colour = 1}}}});
  const auto first = copy.replica.apply(batch, 100);
  EXPECT_TRUE(first.is_new);
  ASSERT_EQ(first.results.size(), 2U);
  EXPECT_EQ(first.results[0].user, 1U);
  EXPECT_EQ(first.results[1].count, 1U);
  EXPECT_EQ(first.tick.number, 1U);
  ASSERT_EQ(first.tick.chunks.size(), 1U);
  EXPECT_EQ(first.tick.chunks[0].version, 1U);
  const auto again = copy.replica.apply(batch, 100);
  EXPECT_FALSE(again.is_new);
  EXPECT_THAT(again.tick.chunks, IsEmpty());
  EXPECT_EQ(copy.room.last_tick(), 1U);
}

TEST(Replica, AnIdentityIsOneUserOnAllInstancesAndLeavesWithTheLastOne) {
  Copy copy(small_spec());
  Batches one(7), two(8);
  EXPECT_EQ(copy.replica.apply(one.next({person("s:anna")}), 1).results[0].user, 1U);
  EXPECT_EQ(copy.replica.apply(two.next({person("s:anna")}), 1).results[0].user, 1U);
  copy.replica.apply(one.next({SharedLeave{.user = 1}}), 1);
  EXPECT_EQ(copy.room.presence().count(), 1U);
  // Again: it is not there any more.
  copy.replica.apply(one.next({SharedLeave{.user = 1}}), 1);
  EXPECT_EQ(copy.room.presence().count(), 1U);
  copy.replica.apply(two.next({SharedLeave{.user = 1}}), 1);
  EXPECT_EQ(copy.room.presence().count(), 0U);
}

TEST(Replica, UsersOfAnInstanceThatIsGoneLeaveUnlessItHasWrittenSince) {
  Copy copy(small_spec());
  Batches one(7), two(8);
  copy.replica.apply(one.next({person("s:anna"), person(""), person("s:ben")}), 1);
  copy.replica.apply(two.next({person("s:anna")}), 1);
  copy.replica.apply(one.next({SharedLeave{.user = 3}}), 1);
  // Of before its last batch.
  copy.replica.apply(two.next({SharedGone{.instance = 7, .last_batch = 1}}), 1);
  EXPECT_EQ(copy.room.presence().count(), 2U);
  copy.replica.apply(two.next({SharedGone{.instance = 7, .last_batch = 2}}), 1);
  EXPECT_THAT(copy.replica.users_of(7), IsEmpty());
  EXPECT_THAT(copy.replica.users_of(8), ElementsAre(1U));
  EXPECT_EQ(copy.room.presence().count(), 1U);
  // It was there after all: its users keep their numbers.
  const auto back = copy.replica.apply(one.next({person("s:anna", 1), person("", 2)}), 1);
  EXPECT_EQ(back.results[0].user, 1U);
  EXPECT_EQ(back.results[1].user, 2U);
  EXPECT_EQ(copy.room.presence().count(), 2U);
}

TEST(Replica, ASnapshotIsDueAfterSoManyEntriesOrBytes) {
  Copy copy(small_spec());
  Batches one(7);
  for (std::uint64_t i = 1; i < kSnapshotEntries; ++i)
    ASSERT_FALSE(copy.replica.apply(one.next({}), 1).is_snapshot_due);
  EXPECT_TRUE(copy.replica.apply(one.next({}), 1).is_snapshot_due);
  EXPECT_FALSE(copy.replica.apply(one.next({}), kSnapshotBytes - 1).is_snapshot_due);
  EXPECT_TRUE(copy.replica.apply(one.next({}), 1).is_snapshot_due);
}

TEST(Replica, WhatIsNotACopyOfThisRoomIsNotLoaded) {
  Copy copy(small_spec());
  Batches one(7);
  copy.replica.apply(
      one.next({person("s:anna"), SharedDraw{.user = 1, .pixels = {{.x = 2, .y = 3, .colour = 1}}}}), 1);
  const std::vector<std::uint8_t> saved = copy.bytes();
  Copy same(small_spec());
  EXPECT_TRUE(same.replica.load(saved));
  EXPECT_EQ(same.bytes(), saved);
  RoomSpec wider = small_spec();
  wider.width = 301;
  Copy other(wider);
  EXPECT_FALSE(other.replica.load(saved));
  for (std::size_t size = 0; size < saved.size(); size += 1 + saved.size() / 97) {
    Copy shorter(small_spec());
    EXPECT_FALSE(shorter.replica.load(Bytes(saved).first(size))) << size;
  }
}

TEST(SharedBatch, EveryRequestSurvivesAndNothingElseIsTaken) {
  Batches one(7);
  SharedRestore restore;
  restore.event = {.kind = ModerationEvent::Kind::undo_user, .moderator = 4, .user = 5, .at_ms = 77};
  restore.found = {.from = 3, .pixels = {{.x = 1, .y = 2, .author = 3, .colour = 2, .tick = 9}}};
  restore.is_more = true;
  const SharedBatch batch = one.next({person("s:anna", 3), SharedLeave{.user = 4},
                                      SharedDraw{.user = 5, .pixels = {{.x = 9, .y = 8, .colour = 3}}},
                                      SharedUndo{.user = 6, .count = 7}, restore,
                                      SharedBan{.moderator = 1, .user = 2, .seconds = 60},
                                      SharedGone{.instance = 8, .last_batch = 12}});
  const std::vector<std::uint8_t> entry = encode(batch, small_spec());
  const auto decoded = decode_entry(entry, small_spec());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(encode(std::get<SharedBatch>(*decoded), small_spec()), entry);
  const auto& again = std::get<SharedBatch>(*decoded).requests;
  EXPECT_EQ(std::get<SharedRestore>(again[4]).found, restore.found);
  EXPECT_EQ(std::get<SharedRestore>(again[4]).event, restore.event);
  EXPECT_EQ(std::get<SharedGone>(again[6]).last_batch, 12U);
  for (std::size_t size = 0; size < entry.size(); ++size)
    EXPECT_EQ(decode_entry(Bytes(entry).first(size), small_spec()).error(), SharedProblem::malformed) << size;
  std::vector<std::uint8_t> newer = entry;
  newer[0] = 2;
  EXPECT_EQ(decode_entry(newer, small_spec()).error(), SharedProblem::unknown_format);
}

// Instances, each with a copy that has applied a part of the log.
class CopiesSimulation {
 public:
  explicit CopiesSimulation(std::uint64_t seed) : random_(seed) {
    for (std::size_t i = 0; i < 3; ++i) begin_instance(i);
  }

  void run() {
    for (int i = 0; i < 400; ++i) step();
    for (auto& one : instances_) catch_up(*one, log_.size());
    const std::vector<std::uint8_t> expected = instances_[0]->copy->bytes();
    for (auto& one : instances_) EXPECT_EQ(one->copy->bytes(), expected);
    // One that has read all from the beginning.
    Copy fresh(spec_);
    for (const auto& entry : log_) fresh.apply(entry);
    EXPECT_EQ(fresh.bytes(), expected);
  }

 private:
  struct Instance {
    std::unique_ptr<Copy> copy;
    std::size_t at = 0;  // entries applied
    Batches batches{0};
    std::vector<UserNumber> users;
  };

  void begin_instance(std::size_t i) {
    if (instances_.size() <= i) instances_.push_back(std::make_unique<Instance>());
    Instance& one = *instances_[i];
    one = Instance{.copy = std::make_unique<Copy>(spec_),
                   .at = 0,
                   .batches = Batches(random_.next_u64() | 1U),
                   .users = {}};
    if (snapshot_.empty() || random_.below(3) == 0) return;
    ASSERT_TRUE(one.copy->replica.load(snapshot_));
    one.at = snapshot_at_;
  }
  void catch_up(Instance& one, std::size_t to) {
    for (; one.at < to; ++one.at) one.copy->apply(log_[one.at]);
  }
  void step() {
    Instance& one = *instances_[random_.below(instances_.size())];
    switch (random_.below(12)) {
      case 0:
        snapshot_ = one.copy->bytes();
        snapshot_at_ = one.at;
        return;
      case 1:
        if (random_.below(5) == 0) begin_instance(random_.below(instances_.size()));
        return;
      case 2:
      case 3:
        return catch_up(one, one.at + random_.below(log_.size() - one.at + 1));
      default:
        return write(one);
    }
  }
  void write(Instance& one) {
    time_ms_ += static_cast<std::int64_t>(random_.below(50)) - 5;
    std::vector<SharedRequest> requests;
    for (std::uint64_t i = random_.below(5); i > 0; --i) requests.push_back(request(one));
    log_.push_back(encode(one.batches.next(std::move(requests), time_ms_), spec_));
    if (random_.below(8) == 0) log_.push_back(log_.back());
    // Its users' numbers are known when it has applied it.
    catch_up(one, log_.size());
    const auto& users = one.copy->replica.users_of(one.batches.instance);
    one.users.assign(users.begin(), users.end());
  }
  UserNumber user_of(Instance& one) {
    return one.users.empty() ? 1 : one.users[random_.below(one.users.size())];
  }
  SharedRequest request(Instance& one) {
    const UserNumber user = user_of(one);
    switch (random_.below(14)) {
      case 0:
      case 1:
        return person(random_.below(3) == 0 ? "" : "s:" + std::to_string(random_.below(6)));
      case 2:
        return SharedLeave{.user = user};
      case 3:
      case 4:
      case 5:
        return SharedUndo{.user = user, .count = 1 + static_cast<std::uint32_t>(random_.below(4))};
      case 6:
        return SharedBan{
            .moderator = 1, .user = user, .seconds = static_cast<std::uint32_t>(random_.below(100))};
      case 7:
        return restoration(user);
      case 8: {
        const Instance& other = *instances_[random_.below(instances_.size())];
        const InstanceId id = other.batches.instance;
        return SharedGone{.instance = id, .last_batch = one.copy->replica.last_batch(id)};
      }
      default: {
        SharedDraw draw{.user = user, .pixels = {}};
        for (std::uint64_t i = 1 + random_.below(6); i > 0; --i) draw.pixels.push_back(pixel());
        return draw;
      }
    }
  }
  // Few places, so that strokes lie on each other; some outside of the canvas.
  Pixel pixel() {
    return {.x = static_cast<std::uint16_t>(252 + random_.below(8)),
            .y = static_cast<std::uint16_t>(random_.below(20) == 0 ? 300 : random_.below(3)),
            .colour = static_cast<Colour>(random_.below(4))};
  }
  SharedRestore restoration(UserNumber user) {
    SharedRestore restore;
    restore.event = {
        .kind = random_.below(2) == 0 ? ModerationEvent::Kind::undo_user : ModerationEvent::Kind::rollback,
        .moderator = 1,
        .user = user};
    restore.found.from = random_.below(50);
    const Pixel at = pixel();
    restore.found.pixels.push_back(
        {.x = at.x, .y = at.y, .author = 1, .colour = at.colour, .tick = random_.below(50)});
    return restore;
  }

  SeededRandom random_;
  const RoomSpec spec_ = small_spec();
  std::vector<std::vector<std::uint8_t>> log_;
  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<std::uint8_t> snapshot_;
  std::size_t snapshot_at_ = 0;
  std::int64_t time_ms_ = 1'000'000;
};

struct StateUser {
  std::uint32_t connections = 1;
  std::string identity = "a";
  std::uint64_t last_draw = 0;
};
struct StateStroke {
  std::uint8_t flags = 2;
  std::uint16_t x = 1;
  std::uint32_t colour = 1;
  std::uint64_t previous = 0;
  std::uint64_t below = 0;
};

// A copy of a small room without chunks, in which user n is the nth one, and instance 7 has some of them.
bool loads_state(const std::vector<StateUser>& users, const std::vector<UserNumber>& at_instance,
                 const std::vector<StateStroke>& strokes = {}, std::uint64_t first_stroke = 1,
                 std::uint32_t next_user = 9) {
  std::vector<std::uint8_t> bytes;
  WireWriter out(bytes);
  out.u8(1);
  out.u64(hash_of(small_spec()));
  out.u64(0);
  for (const unsigned number : {1U, 0U, 0U, 1U}) out.varint(number);  // entries, since, bytes, instances
  out.u64(7);
  out.varint(1);
  out.varint(1);
  out.varint(at_instance.size());
  for (const UserNumber user : at_instance) out.varint(user);
  out.varint(0);
  out.varint(0);
  out.varint(next_user);
  out.varint(users.size());
  for (std::size_t i = 0; i < users.size(); ++i) {
    for (const std::uint64_t number : {i + 1, std::uint64_t{users[i].connections}, users[i].last_draw})
      out.varint(number);
    out.text(users[i].identity);
    out.text("N");
    out.varint(0);
  }
  for (const StateUser& user : users) {
    if (user.connections > 0) out.rgb(0);
  }
  out.varint(first_stroke);
  out.varint(strokes.size());
  for (const StateStroke& stroke : strokes) {
    out.u8(stroke.flags);
    out.u16(stroke.x);
    out.u16(0);
    for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{0}, std::uint64_t{stroke.colour},
                                       std::uint64_t{0}, std::uint64_t{1}, stroke.previous, stroke.below})
      out.varint(number);
  }
  out.varint(0);
  out.varint(0);
  Copy copy(small_spec());
  return copy.replica.load(bytes);
}

TEST(Replica, ACopyWhoseUsersAreNotThoseOfItsInstancesIsRefused) {
  EXPECT_TRUE(loads_state({}, {}));
  EXPECT_TRUE(loads_state({{}, {.connections = 0, .identity = "b"}}, {1}));
  EXPECT_FALSE(loads_state({}, {1})) << "whose leaving would end the process";
  EXPECT_FALSE(loads_state({{.connections = 0}}, {1}));
  EXPECT_FALSE(loads_state({{}}, {})) << "who would never leave";
  EXPECT_FALSE(loads_state({{.connections = 2}}, {1}));
  EXPECT_FALSE(loads_state({{}, {}}, {1, 2})) << "of one identity";
  EXPECT_FALSE(loads_state({}, {}, {}, 1, 0)) << "the next user would be nobody";
}

TEST(Replica, ACopyWhoseStrokesDoNotGoBackIsRefused) {
  const auto loads = [](const std::vector<StateStroke>& strokes, std::uint64_t first = 1) {
    return loads_state({{}}, {1}, strokes, first);
  };
  EXPECT_TRUE(loads({{.flags = 0}, {.previous = 1, .below = 1}, {.x = 299, .previous = 2}}));
  EXPECT_TRUE(loads({{.flags = 0, .previous = 3, .below = 4}}, 5)) << "forgotten ones";
  EXPECT_FALSE(loads({{.previous = 1}})) << "itself";
  EXPECT_FALSE(loads({{.below = 1}}));
  EXPECT_FALSE(loads({{.flags = 0, .previous = 2}, {.previous = 1, .below = 1}}));
  EXPECT_FALSE(loads({{.x = 2}, {.below = 1}})) << "of another place";
  EXPECT_FALSE(loads({{}, {.below = 1}})) << "two are the newest of a place";
  EXPECT_FALSE(loads({{.flags = 4}}));
  EXPECT_FALSE(loads({{.x = 300}})) << "outside the room";
  EXPECT_FALSE(loads({{.colour = 4}})) << "not in the palette";
  EXPECT_FALSE(loads({{}}, UINT64_MAX));
  EXPECT_TRUE(loads_state({{.last_draw = 1}}, {1}, {{}}));
  EXPECT_FALSE(loads_state({{.last_draw = 2}}, {1}, {{}})) << "the next one, which would follow itself";
}

TEST(Replica, AllCopiesAreEqual) {
  const char* const wanted = std::getenv("CANVAS_SEEDS");
  const int seeds = wanted == nullptr ? 20 : std::atoi(wanted);
  for (int seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CopiesSimulation(static_cast<std::uint64_t>(seed)).run();
  }
}

}  // namespace
}  // namespace fanfare::canvas
