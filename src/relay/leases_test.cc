// Leases with a real broker.

#include "relay/leases.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "relay/operator_for_tests.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

using std::chrono::milliseconds;

// An instance that would do one work.
struct Worker {
  Worker(const std::string& url, const std::string& name, Duration length = milliseconds(300))
      : options(options_for({url})),
        instance(options),
        leases(instance.relay->link(), options, name, [this](const std::string& reason) {
          const std::scoped_lock lock(mutex);
          refused = reason;
          instance.relay->set_refusal(reason);
        }) {
    work = leases.add("work", length, [this](bool is_held) {
      works = is_held;
      if (is_held) ++times;
    });
    leases.start();
    leases.want(work, true);
  }

  std::string refusal() {
    const std::scoped_lock lock(mutex);
    return refused;
  }

  NatsOptions options;
  Instance instance;
  std::mutex mutex;  // guards refused
  std::string refused;
  std::atomic<bool> works = false;
  std::atomic<int> times = 0;
  Leases leases;
  LeaseId work = 0;
};

TEST(Leases, OneWorksAndAnotherTakesOverWhenItStops) {
  NatsServer server;
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  Worker b(server.url(), "b");
  ASSERT_TRUE(eventually([&] { return a.leases.is_held(a.work); }));
  a.leases.want(a.work, false);
  ASSERT_TRUE(eventually([&] { return b.works.load(); }));
  EXPECT_FALSE(a.works);
  a.leases.want(a.work, true);
  b.leases.stop();
  EXPECT_FALSE(b.works);
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
}

TEST(Leases, OneThatIsGoneIsTakenOver) {
  NatsServer server;
  NatsOptions options = options_for({server.url()});
  Instance instance(options);
  Bucket bucket(instance.relay->link(), "fanfare_leases", options);
  ASSERT_TRUE(eventually([&] { return bucket.open().has_value(); }));
  // What one that was killed has left.
  ASSERT_TRUE(bucket.put("work", "killed", 0));
  EXPECT_FALSE(bucket.put("work", "late", 0));
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  EXPECT_EQ((*bucket.get("work"))->value, "a");
}

// A stream that a reload removes and adds again may be polled on another thread.
TEST(Leases, AWorkThatWasAddedBeforeItWasRemovedKeepsItsLease) {
  NatsServer server;
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  // They are not renewed meanwhile.
  const auto add = [&](std::string_view name) {
    const LeaseId id = a.leases.add(name, std::chrono::hours(1), [](bool) {});
    a.leases.want(id, true);
    EXPECT_TRUE(eventually([&] { return a.leases.is_held(id); }));
    return id;
  };
  const LeaseId second = add("work");
  a.leases.remove(a.work);
  ASSERT_TRUE(eventually([&] { return !a.works; }));
  add("later");  // behind what the first one leaves
  EXPECT_TRUE(a.leases.is_held(second));
  Bucket bucket(a.instance.relay->link(), "fanfare_leases", a.options);
  ASSERT_TRUE(eventually([&] { return bucket.open().has_value(); }));
  const auto entry = bucket.get("work");
  ASSERT_TRUE(entry.has_value() && entry->has_value());
  EXPECT_EQ((*entry)->value, "a");
}

// The work may have stopped because is_held() was false for a while.
TEST(Leases, OneThatLapsedWhileTheBrokerHungIsToldAgain) {
  NatsServer server;
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  server.pause();
  EXPECT_TRUE(eventually([&] { return !a.leases.is_held(a.work); }));
  server.go_on();
  EXPECT_TRUE(eventually([&] { return a.leases.is_held(a.work) && a.times > 1; }));
}

TEST(Leases, WhatTheLastHolderLeftIsKnownToTheNextOne) {
  NatsServer server;
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  a.leases.leave(a.work, "12");
  a.leases.stop();
  Worker b(server.url(), "b");
  ASSERT_TRUE(eventually([&] { return b.works.load(); }));
  EXPECT_EQ(b.leases.note(b.work), "12");
}

// Its process must be able to end in time.
TEST(Leases, TheEndDoesNotWaitForABrokerThatHangs) {
  NatsServer server;
  const NatsOptions options = options_for({server.url()});
  Instance instance(options);
  Leases leases(instance.relay->link(), options, "a");
  constexpr std::size_t kWorks = 20;
  for (std::size_t i = 0; i < kWorks; ++i)
    leases.want(leases.add("work" + std::to_string(i), std::chrono::hours(1), [](bool) {}), true);
  leases.start();
  ASSERT_TRUE(eventually([&] { return leases.counters().held == kWorks; }));
  server.pause();
  leases.stop();
  // Or the link would have noticed.
  EXPECT_EQ(instance.sink.times_down(), 0);
  server.go_on();
}

TEST(Leases, ABrokerThatStoresNoLeaseIsToldUntilItDoes) {
  NatsServer server({}, "max_file: 4MB, max_mem: 1MB");
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  const Operator person(server);
  person.fill("filler", 4 << 20);
  ASSERT_TRUE(eventually([&] { return !a.refusal().empty() && !a.works; }));
  ASSERT_TRUE(eventually([&] { return !a.instance.sink.is_up(); }));
  person.delete_stream("filler");
  ASSERT_TRUE(eventually([&] { return a.refusal().empty() && a.works && a.instance.sink.is_up(); }));
}

TEST(Leases, ABucketThatWasDeletedIsMadeAgain) {
  NatsServer server;
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  Operator(server).delete_stream("KV_fanfare_leases");
  EXPECT_TRUE(eventually([&] { return a.times > 1 && a.leases.is_held(a.work); }));
}

// Its data is gone, as with inMemory; and whoever worked gives its lease up before it can renew it. Both know the bucket.
TEST(Leases, ABrokerThatComesBackWithoutTheBucketGetsAnotherOne) {
  NatsServer server;
  Worker a(server.url(), "a", std::chrono::seconds(4));
  Worker b(server.url(), "b", std::chrono::seconds(4));
  const auto hand_over = [](Worker& from, Worker& to) {
    to.leases.want(to.work, true);
    from.leases.want(from.work, false);
    return eventually([&] { return to.works && !from.works; });
  };
  ASSERT_TRUE(hand_over(a, b));
  ASSERT_TRUE(hand_over(b, a));
  b.leases.want(b.work, true);
  server.kill();
  std::filesystem::remove_all(server.data());
  a.leases.want(a.work, false);
  server.start();
  EXPECT_TRUE(eventually([&] { return b.works && !a.works; }));
  EXPECT_TRUE(hand_over(b, a));
}

TEST(Leases, WithoutTheBrokerNobodyWorksAndAfterwardsOneDoes) {
  NatsServer server;
  Worker a(server.url(), "a");
  Worker b(server.url(), "b");
  ASSERT_TRUE(eventually([&] { return a.works || b.works; }));
  server.kill();
  ASSERT_TRUE(eventually([&] { return !a.works && !b.works; }));
  server.start();
  ASSERT_TRUE(eventually([&] { return a.works || b.works; }));
}

}  // namespace
}  // namespace fanfare::relay
