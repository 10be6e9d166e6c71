#include "eth/resume_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace fanfare::eth {
namespace {

using namespace std::chrono_literals;

ResumeKey key_of(std::uint8_t number) {
  return {number};
}

struct StoreWorld {
  explicit StoreWorld(const ResumeLimits& limits = {})
      : store(std::make_shared<MemoryResumeStore>(limits, clock,
                                                  [this](std::size_t now, const ResumeCounters& since) {
                                                    live = now;
                                                    counted.created += since.created;
                                                    counted.resumed += since.resumed;
                                                    counted.taken_over += since.taken_over;
                                                    counted.refused += since.refused;
                                                    counted.expired += since.expired;
                                                    counted.revoked += since.revoked;
                                                  })) {}
  auto open(std::uint8_t number, const std::string& owner = "") {
    return store->open(key_of(number), owner, std::make_shared<const std::string>(owner), clock.now());
  }
  // A session of which something is remembered.
  ResumeLease subscribed(std::uint8_t number, const std::string& owner = "") {
    auto lease = open(number, owner);
    EXPECT_TRUE(lease->record().claim(lease->owner(), hash_of_topic("newHeads"), {}).has_value());
    return *std::move(lease);
  }

  ManualClock clock;
  std::size_t live = 0;
  ResumeCounters counted;
  std::shared_ptr<MemoryResumeStore> store;
};

TEST(ResumeStore, KnowsASessionThatHasSubscriptions) {
  StoreWorld world;
  EXPECT_FALSE(world.subscribed(1).is_known());
  EXPECT_EQ(world.live, 1U);
  EXPECT_TRUE(world.open(1)->is_known());
  EXPECT_FALSE(world.open(2)->is_known());
  EXPECT_EQ(world.counted.created, 2U);
  EXPECT_EQ(world.counted.resumed, 1U);
  EXPECT_EQ(world.counted.taken_over, 0U);
}

TEST(ResumeStore, ForgetsASessionWithoutSubscriptions) {
  StoreWorld world;
  EXPECT_TRUE(world.open(1).has_value());
  EXPECT_EQ(world.live, 0U);
  EXPECT_FALSE(world.open(1)->is_known());
}

TEST(ResumeStore, TheNewestConnectionHasTheSession) {
  StoreWorld world;
  ResumeLease first = world.subscribed(1);
  int taken = 0;
  EXPECT_TRUE(first.watch([&] { ++taken; }));
  ResumeLease second = *world.open(1);
  EXPECT_EQ(taken, 1);
  EXPECT_EQ(world.counted.taken_over, 1U);
  EXPECT_FALSE(first.record().is_owner(first.owner()));
  EXPECT_TRUE(second.record().is_owner(second.owner()));
  // One that learns of it late, too.
  EXPECT_FALSE(first.watch([] {}));
  // Its end changes nothing for the second.
  {
    const ResumeLease gone = std::move(first);
  }
  EXPECT_TRUE(second.record().is_owner(second.owner()));
  EXPECT_EQ(world.live, 1U);
}

TEST(ResumeStore, SessionsWithoutAConnectionExpire) {
  StoreWorld world({.idle_max = 10s});
  {
    const ResumeLease one = world.subscribed(1);
  }
  world.clock.advance(10s - 1ns);
  {
    EXPECT_TRUE(world.open(1)->is_known());
  }
  world.clock.advance(10s);
  EXPECT_FALSE(world.open(1)->is_known());
  EXPECT_EQ(world.counted.expired, 1U);
}

TEST(ResumeStore, ASessionWithAConnectionDoesNotExpire) {
  StoreWorld world({.idle_max = 10s});
  const ResumeLease one = world.subscribed(1);
  world.clock.advance(1h);
  EXPECT_TRUE(world.open(1)->is_known());
}

TEST(ResumeStore, HasALimitOfItsOwnAndOnePerOwner) {
  StoreWorld world({.sessions_max = 3, .sessions_per_owner_max = 2});
  std::vector<ResumeLease> leases;
  leases.push_back(world.subscribed(1, "a"));
  leases.push_back(world.subscribed(2, "a"));
  EXPECT_EQ(world.open(3, "a").error(), ResumeRefusal::per_owner);
  leases.push_back(world.subscribed(4, "b"));
  EXPECT_EQ(world.open(5, "b").error(), ResumeRefusal::total);
  EXPECT_EQ(world.counted.refused, 2U);
  // Continuing a known session does not count as another one.
  EXPECT_TRUE(world.open(1, "a")->is_known());
  // One that is forgotten makes room.
  leases.front().record().forget(leases.front().owner(), 0);
  leases.clear();
  world.store->drop_if([](const void*) { return true; });
  EXPECT_EQ(world.live, 0U);
  EXPECT_TRUE(world.open(3, "a").has_value());
}

constexpr std::size_t kOneSubscription = kResumeSessionBytes + kResumeSubscriptionBytes;

TEST(ResumeStore, HasALimitOfMemoryPerOwner) {
  StoreWorld world({.bytes_per_owner_max = 2 * kOneSubscription});
  std::vector<ResumeLease> leases;
  leases.push_back(world.subscribed(1, "a"));
  leases.push_back(world.subscribed(2, "a"));
  EXPECT_EQ(world.open(3, "a").error(), ResumeRefusal::per_owner);
  EXPECT_EQ(leases[0].record().claim(leases[0].owner(), hash_of_topic("logs"), {}).error(),
            ResumeRecord::Refusal::no_room);
  // Others notice nothing, nor does a known session.
  leases.push_back(world.subscribed(4, "b"));
  leases.push_back(*world.open(2, "a"));
  EXPECT_TRUE(leases.back().is_known());
  // The connection's end keeps the memory; the session's end gives it back.
  leases.clear();
  EXPECT_EQ(world.open(3, "a").error(), ResumeRefusal::per_owner);
  world.store->drop_if([](const void*) { return true; });
  leases.push_back(world.subscribed(3, "a"));
  leases.push_back(world.subscribed(5, "a"));
}

TEST(ResumeStore, HasALimitOfMemoryOfWhichEachOwnerHasAShare) {
  StoreWorld world({.bytes_max = 4 * kOneSubscription});
  std::vector<ResumeLease> leases;
  leases.push_back(world.subscribed(1, ""));
  leases.push_back(world.subscribed(2, ""));
  EXPECT_EQ(world.open(3, "").error(), ResumeRefusal::total);  // it has as much as is free
  leases.push_back(world.subscribed(4, "b"));
  EXPECT_EQ(world.open(5, "b").error(), ResumeRefusal::total);
  EXPECT_EQ(world.counted.refused, 2U);
}

TEST(ResumeStore, ProgramsOfThisMachineHaveNoLimitOfTheirOwn) {
  StoreWorld world({.sessions_max = 3, .sessions_per_owner_max = 1});
  const ResumeLease one = world.subscribed(1);
  EXPECT_TRUE(world.open(2).has_value());
}

TEST(ResumeStore, OtherLimitsApplyToSessionsThatFollow) {
  StoreWorld world({.sessions_max = 4, .sessions_per_owner_max = 2});
  std::vector<ResumeLease> leases;
  leases.push_back(world.subscribed(1, "a"));
  leases.push_back(world.subscribed(2, "a"));
  EXPECT_EQ(world.open(3, "a").error(), ResumeRefusal::per_owner);
  world.store->set_limits({.sessions_max = 3, .sessions_per_owner_max = 3});
  leases.push_back(world.subscribed(3, "a"));
  EXPECT_EQ(world.open(4, "b").error(), ResumeRefusal::total);
  // Those that are there stay, also beyond a lower limit.
  world.store->set_limits({.sessions_max = 1, .bytes_max = kResumeSessionBytes, .idle_max = 5s});
  EXPECT_TRUE(world.open(1, "a")->is_known());
  EXPECT_EQ(world.open(4, "b").error(), ResumeRefusal::total);
  leases.clear();
  world.clock.advance(5s);
  EXPECT_FALSE(world.open(1, "a")->is_known()) << "forgotten after the new time";
}

TEST(ResumeStore, CanBeTurnedOff) {
  StoreWorld world({.sessions_max = 0});
  EXPECT_EQ(world.open(1).error(), ResumeRefusal::off);
}

TEST(ResumeStore, DropsTheSessionsOfRevokedIdentities) {
  StoreWorld world;
  const ResumeLease open = world.subscribed(1, "a");
  {
    const ResumeLease left = world.subscribed(2, "a");
  }
  const ResumeLease other = world.subscribed(3, "b");
  world.store->drop_if(
      [](const void* identity) { return *static_cast<const std::string*>(identity) == "a"; });
  EXPECT_EQ(world.live, 1U);
  EXPECT_EQ(world.counted.revoked, 2U);
  EXPECT_FALSE(open.record().is_owner(open.owner()));
  EXPECT_FALSE(world.open(1, "a")->is_known());
  EXPECT_TRUE(world.open(3, "b")->is_known());
}

// Connections of several loops that take the session from one another: one of them has it at the end, and every other one
// was notified, or is at its watch().
TEST(ResumeStore, ConnectionsOfSeveralThreadsTakeItInTurn) {
  StoreWorld world;
  const ResumeLease kept = world.subscribed(1);
  std::atomic<int> told = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 200; ++turn) {
        ResumeLease lease = *world.open(1);
        if (!lease.watch([&told] { ++told; })) ++told;
        lease.record().note(lease.owner(), 0, Mark{}, ResumeRecord::Change::adds);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(told, 800);
  EXPECT_EQ(world.live, 1U);
  EXPECT_EQ(world.counted.resumed, 800U);
}

// --- for a fleet -----------------------------------------------------------------------------------

std::string cursor_at(std::uint64_t number) {
  return to_cursor({.number = number, .hash = {}, .logs_told = Position::kAll, .ancestors = {}});
}
ResumeImage image_at(std::uint64_t number) {
  return {{{.topic = hash_of_topic("newHeads"), .from = cursor_at(number), .may_have = {}}}};
}

TEST(ResumeStore, ASessionFromElsewhereReplacesTheOneThatIsHere) {
  StoreWorld world;
  ResumeLease first = world.subscribed(1);
  int taken = 0;
  first.watch([&] { ++taken; });
  const auto second = world.store->adopt(key_of(1), "", nullptr, image_at(5), false, world.clock.now());
  ASSERT_TRUE(second);
  EXPECT_EQ(taken, 1);
  EXPECT_TRUE(second->is_known());
  EXPECT_EQ(world.store->copy(key_of(1))->image, image_at(5));
  EXPECT_EQ(world.live, 1U);
  EXPECT_FALSE(world.store->adopt(key_of(2), "", nullptr, {}, false, world.clock.now())->is_known());
}

TEST(ResumeStore, OneThatGoesElsewhereIsGoneHereAndSendsNothingMore) {
  StoreWorld world;
  const ResumeLease lease = *world.store->adopt(key_of(1), "", nullptr, image_at(5), false, {});
  EXPECT_EQ(world.store->release(key_of(1)), image_at(5));
  EXPECT_FALSE(lease.record().is_owner(lease.owner()));
  EXPECT_EQ(world.live, 0U);
  EXPECT_FALSE(world.store->release(key_of(1)));
  EXPECT_FALSE(world.store->copy(key_of(1)));
}

TEST(ResumeStore, ALeaseOfBeforeDoesNotEndTheSessionThatCameBack) {
  StoreWorld world;
  auto before = std::make_unique<ResumeLease>(
      *world.store->adopt(key_of(1), "", nullptr, image_at(5), false, world.clock.now()));
  world.store->release(key_of(1));
  const auto now = world.store->adopt(key_of(1), "", nullptr, image_at(6), false, world.clock.now());
  ASSERT_EQ(now->owner(), before->owner());
  EXPECT_FALSE(before->watch([] {}));
  before.reset();
  EXPECT_TRUE(world.store->is_open(key_of(1)));
}

TEST(ResumeStore, WhatMovesHereCountsAndMayBeRefused) {
  StoreWorld world({.sessions_per_owner_max = 1});
  const auto first = world.store->adopt(key_of(1), "ann", nullptr, image_at(5), false, {});
  EXPECT_TRUE(first);
  EXPECT_EQ(world.store->adopt(key_of(2), "ann", nullptr, image_at(5), false, {}).error(),
            ResumeRefusal::per_owner);
  StoreWorld small({.bytes_per_owner_max = kResumeSessionBytes + 1});
  EXPECT_EQ(small.store->adopt(key_of(1), "ann", nullptr, image_at(5), false, {}).error(),
            ResumeRefusal::per_owner);
  EXPECT_EQ(small.live, 0U);
}

// Several positions that its client may have, which it can do without.
ResumeImage image_with_positions(std::size_t subscriptions, std::size_t positions) {
  ResumeImage image;
  for (std::size_t i = 0; i < subscriptions; ++i) {
    image.subscriptions.push_back(image_at(5).subscriptions.front());
    for (std::size_t n = 0; n < positions; ++n)
      image.subscriptions.back().may_have.push_back(cursor_at(100 + n));
  }
  return image;
}

TEST(ResumeStore, WhatNoSubscriptionNeedsLeavesRoomForAllOfASessionFromElsewhere) {
  StoreWorld world({.bytes_per_owner_max = kOneSubscription + kResumeSubscriptionBytes + kResumeTurnBytes});
  const auto lease =
      world.store->adopt(key_of(1), "a", nullptr, image_with_positions(2, 4), false, world.clock.now());
  ASSERT_TRUE(lease);
  const ResumeImage there = world.store->copy(key_of(1))->image;
  ASSERT_EQ(there.subscriptions.size(), 2U);
  EXPECT_EQ(there.subscriptions[0].may_have.size(), 2U);
  EXPECT_EQ(there.subscriptions[1].may_have.size(), 1U);
  EXPECT_EQ(there.subscriptions[1].may_have.back(), cursor_at(103));
  EXPECT_TRUE(there.subscriptions[0].is_incomplete);
  EXPECT_TRUE(there.subscriptions[1].is_incomplete);
}

TEST(ResumeStore, WhatNoSubscriptionNeedsGivesWayToOthersOfItsOwner) {
  StoreWorld world({.bytes_per_owner_max = 2 * kOneSubscription + kResumeSubscriptionBytes - 256});
  const auto adopt = [&](std::uint8_t number, const std::string& owner) {
    return world.store->adopt(key_of(number), owner, nullptr, image_with_positions(1, 16), false,
                              world.clock.now());
  };
  const auto positions = [&](std::uint8_t number) {
    return world.store->copy(key_of(number))->image.subscriptions.front().may_have.size();
  };
  const auto greedy = adopt(1, "a");
  const auto other = adopt(9, "b");
  ASSERT_TRUE(greedy && other);
  EXPECT_GT(positions(1), 4U);
  // A session, and then a subscription of it.
  auto next = world.open(2, "a");
  ASSERT_TRUE(next);
  EXPECT_EQ(positions(1), 1U);
  const auto again = adopt(1, "a");
  ASSERT_TRUE(again);
  EXPECT_GT(positions(1), 1U);
  const auto claim = [&](std::uint64_t topic) {
    return next->record().claim(next->owner(), hash_of_topic(std::to_string(topic)), {});
  };
  while (claim(1)) {
  }
  EXPECT_TRUE(next->make_room());
  EXPECT_EQ(positions(1), 1U);
  EXPECT_TRUE(claim(1));
  EXPECT_FALSE(claim(1));
  // There is nothing more, and it is not looked for all the time.
  EXPECT_FALSE(next->make_room());
  EXPECT_GT(positions(9), 4U);
}

// Otherwise others of an owner would pay for attempts that memory does not help.
TEST(ResumeStore, ASessionBeyondTheNumberOfItsOwnerTakesNothingFromTheOthers) {
  StoreWorld world({.sessions_per_owner_max = 1});
  const auto one =
      world.store->adopt(key_of(1), "a", nullptr, image_with_positions(1, 16), false, world.clock.now());
  ASSERT_TRUE(one);
  const std::size_t before = world.store->copy(key_of(1))->image.subscriptions.front().may_have.size();
  EXPECT_GT(before, 4U);
  EXPECT_EQ(world.open(2, "a").error(), ResumeRefusal::per_owner);
  EXPECT_EQ(world.store->copy(key_of(1))->image.subscriptions.front().may_have.size(), before);
}

TEST(ResumeStore, TellsOfEachChange) {
  StoreWorld world;
  std::vector<bool> changes;
  world.store->watch([&](const ResumeKey& key, bool is_urgent) {
    EXPECT_EQ(key, key_of(1));
    changes.push_back(is_urgent);
  });
  {
    const ResumeLease lease = world.subscribed(1);
    EXPECT_TRUE(world.store->is_open(key_of(1)));
    EXPECT_TRUE(world.store->copy(key_of(1))->is_open);
    EXPECT_TRUE(changes.empty());
    lease.record().note(lease.owner(), 0, mark_of(image_at(5).subscriptions[0].from),
                        ResumeRecord::Change::adds);
    EXPECT_EQ(changes, std::vector<bool>{true});
  }
  EXPECT_FALSE(world.store->is_open(key_of(1)));
  EXPECT_FALSE(world.store->copy(key_of(1))->is_open);
  EXPECT_EQ(changes.size(), 2U);
  world.clock.advance(1h);
  EXPECT_TRUE(world.open(1));  // it has expired
  EXPECT_GE(changes.size(), 3U);
}

}  // namespace
}  // namespace fanfare::eth
