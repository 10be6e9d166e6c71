// Leases with a real broker.

#include "relay/leases.h"

#include <gtest/gtest.h>

#include <atomic>

#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

using std::chrono::milliseconds;

// An instance that would do one work.
struct Worker {
  Worker(const std::string& url, const std::string& name)
      : options(options_for({url})), instance(options), leases(instance.relay->link(), options, name) {
    leases.add("work", milliseconds(300), [this](bool is_held) {
      works = is_held;
      if (is_held) ++times;
    });
    leases.start();
    leases.want("work", true);
  }

  NatsOptions options;
  Instance instance;
  std::atomic<bool> works = false;
  std::atomic<int> times = 0;
  Leases leases;
};

TEST(Leases, OneWorksAndAnotherTakesOverWhenItStops) {
  NatsServer server;
  Worker a(server.url(), "a");
  ASSERT_TRUE(eventually([&] { return a.works.load(); }));
  Worker b(server.url(), "b");
  ASSERT_TRUE(eventually([&] { return a.leases.is_held("work"); }));
  a.leases.want("work", false);
  ASSERT_TRUE(eventually([&] { return b.works.load(); }));
  EXPECT_FALSE(a.works);
  a.leases.want("work", true);
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
