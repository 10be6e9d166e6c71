#include "gateway/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "canvasserver/rooms.h"
#include "canvasserver/shared_log.h"
#include "canvasstore/disk_room.h"
#include "gateway/access_gate.h"
#include "gateway/defend/cells.h"
#include "gateway/observe/cells.h"
#include "gateway/shared_sessions.h"
#include "relay/counters.h"
#include "streams/catalog.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr Instant kStarted{std::chrono::hours(1)};

TEST(Counter, SumsWhatManyThreadsAdd) {
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) counter.add(3);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 36'000U);
}

TEST(LatencyHistogram, BoundsAreInclusive) {
  LatencyHistogram histogram;
  histogram.observe(Duration::zero());
  histogram.observe(milliseconds(1));
  histogram.observe(milliseconds(1) + Duration(1));
  histogram.observe(seconds(31));
  EXPECT_EQ(histogram.bucket(0), 2U);
  EXPECT_EQ(histogram.bucket(1), 1U);
  EXPECT_EQ(histogram.bucket(LatencyHistogram::kBuckets - 1), 1U);
  EXPECT_NEAR(histogram.sum_seconds(), 31.002, 1e-6);
  EXPECT_TRUE(std::ranges::is_sorted(LatencyHistogram::kBounds));
}

TEST(Metrics, RendersWhatWasCounted) {
  Metrics metrics;
  NetworkMetrics& network = metrics.add_network("main", "1");
  network.opened();
  network.opened();
  network.opened();
  network.closed(CloseReason::client);
  network.closed(CloseReason::slow_consumer);
  network.connections_refused[RefuseReason::connection_limit].add();
  network.subscriptions[SubscriptionKind::new_heads].add(5);
  network.notifications[SubscriptionKind::new_heads].add(1000);
  network.messages_received.add(7);
  network.bytes_sent.add(123'456'789'012);
  network.requests[Transport::websocket].add(4);
  network.ready.set(1);
  network.head(19'000'000, 1'700'000'000, kStarted);
  network.heads.add();
  network.reorgs.add();
  network.reorged_blocks.add(2);
  network.slow_drops[SlowPolicy::latest].add(9);
  network.resumes[ResumeOutcome::complete].add(12);
  network.match.observe(milliseconds(3));
  UpstreamMetrics& upstream = metrics.add_upstream("main", "1", "alchemy");
  upstream.answered("eth_call", milliseconds(3));
  upstream.failed("made_up", seconds(40), upstream::FailureKind::timeout);
  upstream.available.set(1);
  metrics.http_answered(426);
  metrics.http_answered(799);

  const std::string text = metrics.render(kStarted + milliseconds(2500));
  const std::string labels = R"({project="main",chain_id="1"})";
  for (
      const std::string& line : {
          "fanfare_websocket_connections" + labels + " 1\n",
          "fanfare_websocket_connections_opened_total" + labels + " 3\n",
          std::string(R"(_closed_total{project="main",chain_id="1",reason="slow_consumer"} 1)"),
          std::string(R"(_closed_total{project="main",chain_id="1",reason="lost"} 0)"),
          std::string(R"(_refused_total{project="main",chain_id="1",reason="connection_limit"} 1)"),
          "fanfare_slow_consumer_closes_total" + labels + " 1\n",
          std::string(R"(fanfare_subscriptions{project="main",chain_id="1",type="newHeads"} 5)"),
          std::string(R"(fanfare_notifications_total{project="main",chain_id="1",type="newHeads"} 1000)"),
          "fanfare_websocket_messages_received_total" + labels + " 7\n",
          "fanfare_websocket_sent_bytes_total" + labels + " 123456789012\n",
          std::string(R"(fanfare_rpc_requests_total{project="main",chain_id="1",transport="websocket"} 4)"),
          "fanfare_network_ready" + labels + " 1\n",
          "fanfare_head_number" + labels + " 19000000\n",
          "fanfare_head_timestamp_seconds" + labels + " 1700000000\n",
          "fanfare_head_age_seconds" + labels + " 2.5\n",
          "fanfare_heads_total" + labels + " 1\n",
          "fanfare_reorgs_total" + labels + " 1\n",
          "fanfare_reorged_blocks_total" + labels + " 2\n",
          "fanfare_log_match_seconds_count" + labels + " 1\n",
          std::string(
              R"(fanfare_upstream_latency_seconds_bucket{project="main",chain_id="1",upstream="alchemy",le="+Inf"} 2)"),
          std::string(
              R"(fanfare_upstream_latency_seconds_count{project="main",chain_id="1",upstream="alchemy"} 2)"),
          std::string(
              R"(fanfare_upstream_errors_total{project="main",chain_id="1",upstream="alchemy",kind="timeout"} 1)"),
          std::string(R"(fanfare_http_responses_total{status="426"} 1)"),
          std::string(R"(fanfare_http_responses_total{status="other"} 1)"),
          std::string("# TYPE fanfare_upstream_latency_seconds histogram\n"),
          std::string("# TYPE fanfare_websocket_connections gauge\n"),
      }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, WithoutAHeadThereIsNoAge) {
  Metrics metrics;
  metrics.add_network("main", "1");
  const std::string text = metrics.render(kStarted);
  EXPECT_THAT(text, Not(HasSubstr("fanfare_head_age_seconds")));
  EXPECT_THAT(text, HasSubstr("fanfare_network_ready{project=\"main\",chain_id=\"1\"} 0\n"));
}

TEST(Metrics, TheSameNetworkIsTheSameCells) {
  Metrics metrics;
  NetworkMetrics& one = metrics.add_network("main", "1");
  EXPECT_EQ(&one, &metrics.add_network("main", "1"));
  EXPECT_NE(&one, &metrics.add_network("main", "137"));
  EXPECT_NE(&one, &metrics.add_network("other", "1"));
  UpstreamMetrics& upstream = metrics.add_upstream("main", "1", "a");
  EXPECT_EQ(&upstream, &metrics.add_upstream("main", "1", "a"));
  EXPECT_NE(&upstream, &metrics.add_upstream("main", "137", "a"));
}

TEST(Metrics, MayBeRenderedWhileLoopsCount) {
  Metrics metrics;
  NetworkMetrics& network = metrics.add_network("main", "1");
  UpstreamMetrics& upstream = metrics.add_upstream("main", "1", "a");
  std::atomic<bool> stop{false};
  std::vector<std::thread> loops;
  for (int i = 0; i < 3; ++i) {
    loops.emplace_back([&, i] {
      std::uint64_t number = 0;
      do {
        network.opened();
        network.messages_sent.add();
        network.closed(CloseReason::lost);
        ++number;
        if (i == 0) network.head(number, number, kStarted + Duration(number));
        upstream.answered("eth_call", milliseconds(number % 50));
        metrics.http_answered(200);
      } while (!stop.load());
    });
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(metrics.render(kStarted), HasSubstr("fanfare_websocket_connections"));
    metrics.add_network("p" + std::to_string(i), "1");
  }
  stop = true;
  for (std::thread& loop : loops) loop.join();
  EXPECT_EQ(network.connections.value(), 0);
  EXPECT_EQ(network.connections_opened.value(), network.connections_closed[CloseReason::lost].value());
}

TEST(MetricNames, FollowTheConventions) {
  std::set<std::string_view> names;
  for (const MetricInfo& info : metric_infos()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(info.name.starts_with("fanfare_") || info.name.starts_with("process_")) << info.name;
    EXPECT_EQ(info.name.ends_with("_total"), info.type == "counter") << info.name;
    EXPECT_TRUE(info.help.ends_with('.')) << info.name;
  }
}

TEST(Metrics, WhoeverWasTurnedAwayIsThereByReason) {
  session::AcceptGate gate({.connections_max = 1, .per_address = {}});
  ASSERT_TRUE(gate.enter());
  gate.count(gate.enter().error());
  gate.count(session::Refusal::handshake_timeout);
  gate.count(session::Refusal::handshake_timeout);
  Metrics metrics;
  metrics.watch(gate);
  const std::string text = metrics.render(kStarted);
  EXPECT_THAT(text, HasSubstr("fanfare_connections 1\n"));
  EXPECT_THAT(text, HasSubstr("fanfare_connections_refused_total{reason=\"server_connections\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("fanfare_connections_refused_total{reason=\"handshake_timeout\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("fanfare_connections_refused_total{reason=\"tls_failed\"} 0\n"));
}

TEST(Metrics, ClosesHaveTheNameOfTheirReason) {
  Metrics metrics;
  NetworkMetrics& network = metrics.add_network("main", "1");
  for (std::size_t i = 0; i < PerEach<CloseReason>::kSize; ++i) {
    for (std::size_t times = 0; times <= i; ++times) network.closed(static_cast<CloseReason>(i));
  }
  const std::string text = metrics.render(kStarted);
  const auto expect = [&](CloseReason reason, std::string_view name) {
    EXPECT_THAT(text, HasSubstr("reason=\"" + std::string(name) + "\"} " +
                                std::to_string(static_cast<std::size_t>(reason) + 1) + "\n"));
  };
  expect(CloseReason::too_big, "too_big");
  expect(CloseReason::too_many_fragments, "too_many_fragments");
  expect(CloseReason::policy, "policy");
  expect(CloseReason::ping_timeout, "ping_timeout");
  expect(CloseReason::idle_timeout, "idle_timeout");
  expect(CloseReason::internal, "internal");
}

// A broker from which nothing comes.
class SilentLog final : public canvasserver::SharedLog {
 public:
  void start(canvasserver::SharedLogReader& /*reader*/) override {}
  void stop() override {}
  void read(Position /*after*/) override {}
  void read_snapshots() override {}
  bool append(SharedBytes /*entry*/, Done /*done*/) override { return false; }
  bool append_snapshot_part(SharedBytes /*part*/, Done /*done*/) override { return false; }
  void tell(SharedBytes /*message*/) override {}
};

// The rendered metrics and the list are equal, with types and labels.
TEST(MetricNames, TheListIsWhatIsRendered) {
  const session::AcceptGate gate;
  Metrics metrics;
  metrics.watch(gate);
  const ByteBudget budget(1000);
  metrics.watch(budget, budget);
  const AccessGate access({.plan = std::make_shared<const access::AccessPlan>()});
  metrics.watch(access);
  const DefenceCells defence;
  metrics.watch(defence);
  const ObserveCells observe{};
  metrics.watch(observe);
  SeededRandom random(1);
  pubsub::Hub hub({}, random);
  streams::Catalog catalog(hub, {});
  canvasserver::Rooms rooms;
  ASSERT_TRUE(rooms.add({}, &canvasstore::DiskRoom::open));
  auto shared = canvasserver::Rooms::open({.spec = {.name = "shared"}, .relayed = true}, {}, nullptr,
                                          [](const std::string&) { return std::make_unique<SilentLog>(); });
  ASSERT_TRUE(shared) << shared.error();
  rooms.insert(*std::move(shared));
  metrics.watch(rooms);
  ASSERT_TRUE(catalog.add({.name = "s"}));
  metrics.watch(catalog);
  const relay::RelayCounters relay;
  const relay::LeaseCounters leases;
  metrics.watch(relay, leases);
  const SharedSessionCounters sessions;
  metrics.watch(sessions);
  metrics.add_network("main", "1").head(1, 1, kStarted);
  metrics.add_upstream("main", "1", "a").answered("eth_call", milliseconds(1));
  std::istringstream lines(metrics.render(kStarted));
  std::string types;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) types += line.substr(7) + "\n";
  }
  std::string expected;
  for (const MetricInfo& info : metric_infos()) {
    expected += std::string(info.name) + " " + std::string(info.type) + "\n";
  }
  EXPECT_EQ(types, expected);
}

// docs/metrics.md has one row for each: | `name` | type | labels | help |
TEST(MetricNames, TheDocumentListsThemAll) {
  std::ifstream document(FANFARE_SOURCE_DIR "/docs/metrics.md");
  std::string rows;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("| `fanfare_") || line.starts_with("| `process_")) rows += line + "\n";
  }
  std::string expected;
  for (const MetricInfo& info : metric_infos()) {
    expected += "| `" + std::string(info.name) + "` | " + std::string(info.type) + " | " +
                std::string(info.labels) + " | " + std::string(info.help) + " |\n";
  }
  EXPECT_EQ(rows, expected) << "docs/metrics.md and metrics.cc differ";
}

}  // namespace
}  // namespace fanfare::gateway
