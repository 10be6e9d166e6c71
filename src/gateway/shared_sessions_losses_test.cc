// Shared sessions and a broker that has lost their copies.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gateway/shared_sessions_for_tests.h"

namespace fanfare::gateway {
namespace {

using std::chrono::seconds;

// The broker is back with a state of before the second instance took it, which has a connection for it; and the first one still has its
// closed session in memory.
TEST(SharedSessionsLosses, ACopyOfBeforeATakeOverDoesNotTakeTheSessionBack) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  const auto before = world.broker.records;
  const std::uint64_t last_before = world.broker.last;
  SharedClient second(world.two.open());
  second.note(9);
  second.confirm();
  world.clock.advance(seconds(2));
  world.two.run();
  for (const bool is_wiped : {false, true}) {
    SCOPED_TRACE(is_wiped);
    world.broker.records = is_wiped ? decltype(before)() : before;
    world.broker.last = is_wiped ? 0 : last_before;
    // The first one is faster.
    for (int i = 0; i < 3; ++i) {
      world.one.shared.on_forgotten();
      world.one.run();
    }
    world.two.shared.on_forgotten();
    for (int i = 0; i < 3; ++i) {
      world.clock.advance(seconds(2));
      world.two.run();
      world.one.run();
    }
    EXPECT_EQ(world.stored().instance, 2U);
    EXPECT_EQ(world.stored().turn, 1U);
    EXPECT_EQ(second.taken, 0);
  }
  EXPECT_EQ(world.two.shared.counters().lost, 0U);
  // A client that connects to the first instance gets the session of the second one.
  const SharedClient third(world.one.open());
  EXPECT_EQ(third.from(), 9U);
  EXPECT_EQ(second.taken, 1);
  EXPECT_EQ(world.stored().turn, 2U);
}

// The client comes back to the instance that has it, before that has noticed what the broker lost.
TEST(SharedSessionsLosses, ACopyOfBeforeATakeOverIsNotContinuedWhereTheLaterSessionIs) {
  SharedWorld world;
  {
    SharedClient first(world.one.open());
    first.note(5);
  }
  world.one.run();
  const auto before = world.broker.records;
  {
    SharedClient second(world.two.open());
    second.note(9);
    second.confirm();
  }
  world.two.run();
  world.broker.records = before;
  const SharedClient third(world.two.open());
  EXPECT_EQ(third.from(), 9U);
  EXPECT_EQ(world.stored().instance, 2U);
}

TEST(SharedSessionsLosses, WhatTheBrokerHasForgottenIsWrittenAgain) {
  SharedWorld world;
  SharedClient first(world.one.open());
  first.note(5);
  first.confirm();
  {
    std::optional<SharedInstance::Result> left;
    world.one.shared.open(world.one.store, {.key = {2}, .counts_for = "ben", .identity = nullptr},
                          [&](SharedInstance::Result got) { left.emplace(std::move(got)); });
    world.one.run();
    SharedClient second(*std::move(left));
    second.note(6);
  }
  world.clock.advance(seconds(2));
  world.one.run();
  ASSERT_EQ(world.broker.records.size(), 2U);
  const auto before = world.broker.records;
  world.broker.records.clear();
  world.broker.last = 0;
  world.one.shared.on_forgotten();
  world.one.run();  // refused: the broker has no copy with the expected revision
  world.one.run();
  ASSERT_EQ(world.broker.records.size(), 2U);
  for (const auto& [key, stored] : world.broker.records) EXPECT_EQ(stored.value, before.at(key).value);
  // Only one that lost everything is new elsewhere.
  world.broker.hanging.insert(1);
  EXPECT_EQ(SharedClient(world.two.open()).from(), 5U);
}

// Two idle sessions of the first instance, whose copies are written.
class IdleSessions {
 public:
  explicit IdleSessions(SharedWorld& world) : world_(world) {
    for (const std::uint8_t number : {std::uint8_t{1}, std::uint8_t{2}}) {
      std::optional<SharedInstance::Result> opened;
      world.one.shared.open(world.one.store, {.key = {number}, .counts_for = "ann", .identity = nullptr},
                            [&](SharedInstance::Result got) { opened.emplace(std::move(got)); });
      world.one.run();
      clients_.push_back(std::make_unique<SharedClient>(*std::move(opened)));
      clients_.back()->note(number);
      pass(seconds(2));
    }
    pass(seconds(10));
    EXPECT_EQ(world.broker.records.size(), 2U);
  }
  void pass(Duration time) {
    world_.clock.advance(time);
    for (int i = 0; i < 3; ++i) world_.one.run();
  }
  SharedClient& client(std::size_t number) { return *clients_.at(number); }

 private:
  SharedWorld& world_;
  std::vector<std::unique_ptr<SharedClient>> clients_;
};

// Its sequence goes on: nothing else shows it.
TEST(SharedSessionsLosses, APurgeIsNoticedAndEverySessionIsWrittenAgain) {
  SharedWorld world;
  IdleSessions sessions(world);
  world.broker.records.clear();
  sessions.pass(seconds(5));
  EXPECT_EQ(world.broker.records.size(), 2U);
  EXPECT_EQ(world.one.shared.counters().losses, 1U);
  sessions.pass(seconds(5));
  EXPECT_EQ(world.one.shared.counters().losses, 1U);
  EXPECT_EQ(sessions.client(0).taken + sessions.client(1).taken, 0);
}

// A session that is used finds it by its own write, before anybody looks.
TEST(SharedSessionsLosses, APurgeIsNoticedByTheNextWrite) {
  SharedWorld world;
  IdleSessions sessions(world);
  sessions.client(1).note(7);
  world.broker.records.clear();
  sessions.pass(seconds(1));
  EXPECT_EQ(world.broker.records.size(), 2U);
  EXPECT_EQ(world.one.shared.counters().losses, 1U);
}

// Others have written since, so that the last revision is higher than any that this instance knows.
TEST(SharedSessionsLosses, ALostEndIsNoticedAlthoughItsPlacesHaveOtherCopies) {
  SharedWorld world;
  IdleSessions sessions(world);
  const auto before = world.broker.records;
  sessions.client(0).note(8);
  sessions.pass(seconds(2));
  const std::string key = before.begin()->first;
  ASSERT_GT(world.broker.records.at(key).revision, before.at(key).revision);
  world.broker.records = before;
  world.broker.last += 10;
  sessions.pass(seconds(5));
  EXPECT_EQ(world.one.shared.counters().losses, 1U);
  EXPECT_EQ(
      eth::parse_cursor(
          eth::decode_session(world.broker.records.at(key).value)->image.subscriptions[0].may_have.back())
          ->number,
      8U);
}

TEST(SharedSessionsLosses, WhatABrokerForgetsByItsAgeOrAnotherInstanceHasTakenIsNoLoss) {
  SharedWorld world;
  IdleSessions sessions(world);
  const SharedClient moved(world.two.open());
  sessions.pass(seconds(5));
  EXPECT_EQ(world.one.shared.counters().losses, 0U);
  SharedWorld old;
  {
    SharedClient closed(old.one.open());
    closed.note(5);
  }
  old.one.run();
  old.clock.advance(std::chrono::minutes(59));
  old.broker.records.clear();
  for (int i = 0; i < 3; ++i) old.one.run();
  EXPECT_EQ(old.one.shared.counters().losses, 0U);
}

}  // namespace
}  // namespace fanfare::gateway
