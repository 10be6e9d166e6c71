// Streams that other instances have as well, over a real broker, are added, changed and removed while clients read them. Also meant for
// ThreadSanitizer.

#include <atomic>
#include <thread>

#include "gateway/reload/streams_world_for_tests.h"
#include "relay/nats_server_for_tests.h"

namespace fanfare::gateway {
namespace {

class RelayedReloadTest : public StreamsReloadWorld {
 protected:
  void SetUp() override {
    StreamsReloadWorld::SetUp();
    plan_.relay = NatsOptions{.servers = {broker_.url()}, .heartbeat = 200ms, .reconnect_wait = 20ms};
    plan_.streams->streams = {relayed("heads"), stream("other")};
  }
  void start() {
    StreamsReloadWorld::start();
    expect_metric("relay_up", 1);
  }

  static StreamPlan relayed(const std::string& name) {
    StreamPlan plan = stream(name);
    plan.relayed = true;
    return plan;
  }
  // Soon.
  void expect_metric(const std::string& name, int value) const { expect_metric_at(port(), name, value); }
  static void expect_metric_at(std::uint16_t port, const std::string& name, int value) {
    const std::string line = "\nfanfare_" + name + " " + std::to_string(value) + "\n";
    EXPECT_TRUE(relay::eventually([&] {
      return RawClient(port).request("GET", "/metrics").find(line) != std::string::npos;
    })) << line;
  }

  relay::NatsServer broker_;
};

TEST_P(RelayedReloadTest, ItsTopicAndItsLeaseBeginAndEndWithIt) {
  start();
  const auto heads = read("heads");
  expect_events(*heads, 2);
  plan_.streams->streams.push_back(relayed("late"));
  EXPECT_THAT(reload(), ElementsAre("+ stream late"));
  std::string answer;
  auto late = read("late", &answer);
  const std::string epoch = member(answer, "epoch");
  const std::string before = expect_events(*late, 3);
  expect_metric("relay_topics", 2);
  expect_metric("relay_leases_held", 2);
  plan_.streams->streams.pop_back();
  EXPECT_THAT(reload(), ElementsAre("- stream late"));
  EXPECT_THAT(receive_until(*late, "unsubscribed"), HasSubstr("the server has ended the stream"));
  expect_metric("relay_topics", 1);
  expect_metric("relay_leases_held", 1);
  // The broker keeps its events, and its clients their positions.
  plan_.streams->streams.push_back(relayed("late"));
  EXPECT_THAT(reload(), ElementsAre("+ stream late"));
  late = read("late", &answer, since(epoch, before));
  EXPECT_THAT(answer, HasSubstr("\"recovered\":true"));
  EXPECT_EQ(member(answer, "epoch"), epoch);
  EXPECT_EQ(std::stoull(member(expect_events(*late, 1), "offset")),
            std::stoull(member(before, "offset")) + 1);
  expect_events(*late, 8);
  expect_events(*heads, 5);
}

TEST_P(RelayedReloadTest, OneThatIsPolledOtherwiseGoesOn) {
  start();
  const auto client = read("heads");
  const std::string before = expect_events(*client, 2);
  plan_of("heads").spec.interval = 20ms;
  plan_of("heads").index = 1;
  EXPECT_THAT(reload(), ElementsAre("~ stream heads interval: 10ms -> 20ms",
                                    "~ stream heads source: network main/1337 -> network side/1337"));
  EXPECT_EQ(std::stoull(member(expect_events(*client, 10), "offset")),
            std::stoull(member(before, "offset")) + 10);
  expect_metric("relay_leases_held", 1);
}

TEST_P(RelayedReloadTest, OneWithAnotherHistoryGoesOnAtTheBroker) {
  start();
  std::string answer;
  auto client = read("heads", &answer);
  const std::string epoch = member(answer, "epoch");
  const std::string before = expect_events(*client, 2);
  plan_of("heads").spec.history_messages = 7;
  plan_of("heads").index = 1;  // polled by another thread
  EXPECT_EQ(reload().size(), 2U);
  receive_until(*client, "unsubscribed");
  client = read("heads", &answer, since(epoch, before));
  EXPECT_THAT(answer, HasSubstr("\"recovered\":true"));
  EXPECT_EQ(member(answer, "epoch"), epoch);
  expect_events(*client, 8);
  expect_metric("relay_leases_held", 1);
}

TEST_P(RelayedReloadTest, OneMayBeginAndEndToBeRelayed) {
  start();
  std::string answer;
  auto client = read("other", &answer);
  const std::string epoch = member(answer, "epoch");
  expect_events(*client, 2);
  for (const bool is_relayed : {true, false, true}) {
    plan_of("other").relayed = is_relayed;
    EXPECT_EQ(reload().size(), 1U);
    receive_until(*client, "unsubscribed");
    client = read("other", &answer);
    EXPECT_NE(member(answer, "epoch"), epoch);
    expect_events(*client, 3);
    expect_metric("relay_topics", is_relayed ? 1 : 0);
  }
}

TEST_P(RelayedReloadTest, TheBrokerIsThatOfTheStart) {
  start();
  const auto client = read("heads");
  plan_.relay->heartbeat = 300ms;
  EXPECT_THAT(reload(), ElementsAre("! relay: changed (needs a restart)"));
  expect_events(*client, 3);
  // All of them come and go.
  const auto streams = plan_.streams;
  plan_.streams.reset();
  plan_.relay.reset();
  EXPECT_THAT(reload(),
              ElementsAre("! relay: removed (needs a restart)", "- stream heads", "- stream other"));
  receive_until(*client, "close");
  plan_.streams = streams;
  EXPECT_EQ(reload().size(), 3U);
  const auto again = read("heads");
  expect_events(*again, 3);
  expect_metric("relay_topics", 1);
}

TEST_P(RelayedReloadTest, WithoutABrokerAtTheStartTheyAreLocalUntilTheNext) {
  const auto relay = std::exchange(plan_.relay, std::nullopt);
  plan_.streams->streams = {stream("heads")};
  StreamsReloadWorld::start();
  const auto client = read("heads");
  plan_.relay = relay;
  plan_.streams->streams = {relayed("heads"), relayed("late")};
  EXPECT_THAT(reload(), ElementsAre("! relay: added (needs a restart)", "+ stream late"));
  expect_events(*client, 3);
  expect_events(*read("late"), 3);
}

TEST_P(RelayedReloadTest, AnotherInstanceTakesOverFromOneThatHasItNoMore) {
  start();
  std::string answer;
  auto here = read("heads", &answer);
  const std::string epoch = member(answer, "epoch");
  std::string last = expect_events(*here, 2);
  expect_metric("relay_leases_held", 1);
  Gateway other(plan_);
  ASSERT_TRUE(other.start());
  const std::uint16_t its_port = other.addresses().front().port();
  expect_metric_at(its_port, "relay_up", 1);
  const auto there = read_at(its_port, "heads", &answer, since(epoch, last));
  EXPECT_EQ(member(answer, "epoch"), epoch);
  last = expect_events(*there, 3);
  plan_.streams->streams = {stream("other")};
  EXPECT_THAT(reload(), ElementsAre("- stream heads"));
  expect_metric("relay_leases_held", 0);
  last = expect_events(*there, 8);
  plan_.streams->streams = {relayed("heads"), stream("other")};
  reload();
  here = read("heads", &answer, since(epoch, last));
  EXPECT_THAT(answer, HasSubstr("\"recovered\":true"));
  expect_events(*here, 8);
  expect_events(*there, 8);
}

TEST_P(RelayedReloadTest, AStormOfReloadsLosesNothing) {
  start();
  const auto client = read("heads");
  std::atomic<bool> over = false;
  std::thread others = visit_until(over);
  for (int i = 0; i < 12; ++i) {
    plan_.streams->streams = {relayed("heads")};
    plan_of("heads").spec.interval = 10ms + 1ms * (i % 3);
    plan_of("heads").index = static_cast<std::size_t>(i / 4 % 2);
    if (i % 2 == 0) plan_.streams->streams.insert(plan_.streams->streams.begin(), relayed("other"));
    gateway_->reload(plan_);
    expect_events(*client, 1);
  }
  plan_.streams->streams = {relayed("heads"), relayed("other")};
  gateway_->reload(plan_);
  over = true;
  others.join();
  expect_events(*client, 5);
  expect_events(*read("other"), 5);
}

// The loops take no part in what differs from streams without a broker.
INSTANTIATE_TEST_SUITE_P(Loops, RelayedReloadTest, ::testing::Values(net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
