// The difference of two plans: each setting by its name, and the laws that a reload relies on.

#include "gateway/reload/plan_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "access/plan.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

NetworkPlan network(const std::string& project, std::uint64_t chain, std::vector<std::string> nodes = {"a"}) {
  UpstreamBackend backend;
  for (const std::string& id : nodes) backend.push_back({.id = id, .url = "http://node.example/" + id});
  return {.project = project, .chain_id = chain, .backend = std::move(backend)};
}

ServePlan base() {
  ServePlan plan;
  plan.listeners = {{.at = {.port = 4000}, .mounts = routed_mounts(true)}};
  plan.networks = {network("main", 1), network("main", 10), network("side", 1)};
  return plan;
}

UpstreamPlan& node_of(ServePlan& plan, std::size_t network, std::size_t node = 0) {
  return std::get<UpstreamBackend>(plan.networks[network].backend)[node];
}

std::vector<std::string> lines(const PlanDiff& diff) {
  std::vector<std::string> lines;
  for (const PlanChange& change : diff.changes) lines.push_back(change.line());
  return lines;
}

using Edit = std::function<void(ServePlan&)>;
std::vector<std::string> lines_of(const Edit& edit) {
  ServePlan wanted = base();
  edit(wanted);
  return lines(diff_plans(base(), wanted));
}

TEST(PlanDiff, APlanAndItselfDoNotDiffer) {
  const PlanDiff diff = diff_plans(base(), base());
  EXPECT_THAT(lines(diff), IsEmpty());
  EXPECT_EQ(diff.result, base());
  EXPECT_FALSE(diff.needs_restart());
}

TEST(PlanDiff, NetworksAreAddedAndRemovedByName) {
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.networks.push_back(network("main", 100)); }),
              ElementsAre("+ network main/100"));
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.networks.erase(plan.networks.begin() + 1); }),
              ElementsAre("- network main/10"));
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.networks[2] = network("other", 1); }),
              ElementsAre("- network side/1", "+ network other/1"));
}

TEST(PlanDiff, TheOrderOfNetworksIsNoDifference) {
  ServePlan wanted = base();
  std::ranges::reverse(wanted.networks);
  const PlanDiff diff = diff_plans(base(), wanted);
  EXPECT_THAT(lines(diff), IsEmpty());
  EXPECT_EQ(diff.result, wanted);
}

TEST(PlanDiff, UpstreamsAreComparedById) {
  EXPECT_THAT(lines_of([](ServePlan& plan) { node_of(plan, 0).timeout = 5s; }),
              ElementsAre("~ upstream main/1/a timeout: 10s -> 5s"));
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.networks[0] = network("main", 1, {"b", "a"}); }),
              ElementsAre("+ upstream main/1/b"));
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.networks[0] = network("main", 1, {"b"}); }),
              ElementsAre("- upstream main/1/a", "+ upstream main/1/b"));
  ServePlan two = base();
  two.networks[0] = network("main", 1, {"a", "b"});
  ServePlan swapped = base();
  swapped.networks[0] = network("main", 1, {"b", "a"});
  EXPECT_THAT(lines(diff_plans(two, swapped)), ElementsAre("~ network main/1: the order of its upstreams"));
}

TEST(PlanDiff, LimitsOfAnUpstream) {
  EXPECT_THAT(lines_of([](ServePlan& plan) {
                node_of(plan, 1).limits = {.client_calls_max = 1,
                                           .source_calls_max = 4,
                                           .queued_calls_max = 2,
                                           .queued_calls_per_client_max = 3};
              }),
              ElementsAre("~ upstream main/10/a connectionsMax: 64 -> 1",
                          "~ upstream main/10/a sourceConnectionsMax: 16 -> 4",
                          "~ upstream main/10/a queuedCallsMax: 4096 -> 2",
                          "~ upstream main/10/a queuedCallsPerClientMax: 1024 -> 3"));
}

TEST(PlanDiff, TheHttpClientOfAnUpstream) {
  EXPECT_THAT(
      lines_of([](ServePlan& plan) { node_of(plan, 1).http_client = upstream::HttpClientChoice::libcurl; }),
      ElementsAre("~ upstream main/10/a httpClient: auto -> libcurl"));
  EXPECT_THAT(
      lines_of([](ServePlan& plan) { node_of(plan, 1).head_hints = upstream::HeadHintsChoice::never; }),
      ElementsAre("~ upstream main/10/a headHints: auto -> never"));
}

TEST(PlanDiff, ShowsNoSecret) {
  ServePlan running = base();
  node_of(running, 0).url = "https://user:hunter2@node.example/v3/0123456789abcdef0123456789abcdef";
  node_of(running, 0).headers = {{"authorization", "Bearer hunter2"}};
  ServePlan wanted = running;
  node_of(wanted, 0).url = "https://user:hunter3@node.example/v3/fedcba9876543210fedcba9876543210";
  node_of(wanted, 0).headers = {{"authorization", "Bearer hunter3"}};
  std::string all;
  for (const std::string& line : lines(diff_plans(running, wanted))) all += line + "\n";
  EXPECT_EQ(all,
            "~ upstream main/1/a endpoint: a part that is not shown\n"
            "~ upstream main/1/a headers\n");
}

TEST(PlanDiff, WhatNeedsARestartStaysAndIsNamedWithBothValues) {
  ServePlan wanted = base();
  wanted.loops = 8;
  wanted.busy_poll_us = 200;
  wanted.networks[0].poll.interval_max = 3s;
  wanted.networks[0].methods.deny = {"debug_*"};
  const PlanDiff diff = diff_plans(base(), wanted);
  EXPECT_THAT(lines(diff), ElementsAre("! server.threads: 0 -> 8 (needs a restart)",
                                       "! server.busyPollMicroseconds: 0 -> 200 (needs a restart)",
                                       "~ network main/1 methods.deny: [] -> [debug_*]",
                                       "! network main/1 pollIntervalMax: 2s -> 3s (needs a restart)"));
  EXPECT_TRUE(diff.needs_restart());
  EXPECT_EQ(diff.result.loops, 0U);
  EXPECT_EQ(diff.result.busy_poll_us, 0U);
  EXPECT_EQ(diff.result.networks[0].poll, base().networks[0].poll);
  EXPECT_EQ(diff.result.networks[0].methods.deny, std::vector<std::string>{"debug_*"});
}

TEST(PlanDiff, ListenersComeAndGoByTheirAddress) {
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.listeners[0].at.port = 4001; }),
              ElementsAre("- listener 127.0.0.1:4000", "+ listener 127.0.0.1:4001"));
  EXPECT_THAT(
      lines_of([](ServePlan& plan) { plan.listeners[0].mounts = routed_mounts(false); }),
      ElementsAre("~ listener 127.0.0.1:4000: what is served there (metrics, web, streams, canvas, admin)"));
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.listeners.push_back(plan.listeners[0]); }),
              ElementsAre("+ listener 127.0.0.1:4000"));
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.listeners[0].at.proxy_protocol = true; }),
              ElementsAre("! listener 127.0.0.1:4000: proxyProtocol (needs a restart)"));
}

TEST(PlanDiff, ASocketOfTheServiceManagerNeedsARestart) {
  ServePlan running = base();
  running.listeners[0].at.inherited_fd = 3;
  ServePlan wanted = base();
  wanted.listeners[0].at.port = 4001;
  EXPECT_THAT(
      lines(diff_plans(running, wanted)),
      ElementsAre("! listener 127.0.0.1:4000: removed (needs a restart)", "+ listener 127.0.0.1:4001"));
  // One that an earlier process of ours has made is like our own.
  running.listeners[0].at.is_ours = true;
  EXPECT_THAT(lines(diff_plans(running, base())), IsEmpty());
  EXPECT_THAT(lines(diff_plans(running, wanted)),
              ElementsAre("- listener 127.0.0.1:4000", "+ listener 127.0.0.1:4001"));
}

TEST(PlanDiff, AccessControlIsReadAgainButNotTurnedOnOrOff) {
  const auto access = [](std::size_t keys) {
    auto plan = std::make_shared<access::AccessPlan>();
    plan->keys.resize(keys);
    return plan;
  };
  ServePlan running = base();
  running.access = access(1);
  ServePlan wanted = base();
  wanted.access = access(2);
  EXPECT_THAT(lines(diff_plans(running, wanted)),
              ElementsAre("~ access: read again, with 0 roles, 2 keys, 0 users"));
  EXPECT_EQ(diff_plans(running, wanted).result, wanted);
  EXPECT_THAT(lines(diff_plans(base(), wanted)), ElementsAre("! access: added (needs a restart)"));
  EXPECT_EQ(diff_plans(base(), wanted).result, base());
  EXPECT_THAT(lines(diff_plans(running, base())), ElementsAre("! access: removed (needs a restart)"));
  EXPECT_EQ(diff_plans(running, base()).result, running);
  EXPECT_EQ(diff_plans(running, wanted).refusal, "");
  wanted.cookie_file = "/run/cookie";
  EXPECT_EQ(lines(diff_plans(running, wanted)).back(), "~ access.cookieFile: none -> /run/cookie");
}

// Otherwise a network that the wanted plan guards would be open to everyone.
TEST(PlanDiff, NothingIsAppliedTogetherWithAccessControlThatIsNew) {
  ServePlan wanted = base();
  wanted.access = std::make_shared<access::AccessPlan>();
  wanted.networks.push_back(network("secret", 1));
  const PlanDiff diff = diff_plans(base(), wanted);
  EXPECT_THAT(lines(diff), ElementsAre("! access: added (needs a restart)", "+ network secret/1"));
  EXPECT_THAT(diff.refusal, testing::HasSubstr("cannot be turned on or off without a restart"));
  EXPECT_EQ(diff.result, base());
  EXPECT_THAT(diff_plans(wanted, base()).refusal, testing::HasSubstr("cannot be turned on or off"));
  EXPECT_EQ(diff_plans(wanted, base()).result, wanted);
}

// The stream's index moves with its network.
TEST(PlanDiff, ANetworkIsPolledByItsName) {
  ServePlan running = base();
  running.streams.emplace();
  running.streams->streams.push_back({.index = 2});
  ServePlan moved = running;
  std::swap(moved.networks[0], moved.networks[2]);
  moved.streams->streams[0].index = 0;
  EXPECT_THAT(lines(diff_plans(running, moved)), IsEmpty());
  EXPECT_EQ(diff_plans(running, moved).result, moved);

  // The network and all streams go together.
  ServePlan wanted = base();
  wanted.networks.pop_back();
  EXPECT_THAT(lines(diff_plans(running, wanted)), ElementsAre("- stream ", "- network side/1"));
  EXPECT_EQ(diff_plans(running, wanted).result, wanted);
  EXPECT_THAT(lines(diff_plans(wanted, running)), ElementsAre("+ stream ", "+ network side/1"));
}

ServePlan with_streams(std::vector<std::string> names) {
  ServePlan plan = base();
  plan.streams.emplace();
  for (std::string& name : names) plan.streams->streams.push_back({.spec = {.name = std::move(name)}});
  return plan;
}

TEST(PlanDiff, StreamsAreComparedByName) {
  const ServePlan running = with_streams({"a", "b"});
  EXPECT_THAT(lines(diff_plans(running, with_streams({"c", "a"}))), ElementsAre("- stream b", "+ stream c"));
  EXPECT_THAT(lines(diff_plans(running, with_streams({"b", "a"}))), IsEmpty());
  ServePlan wanted = with_streams({"a", "b"});
  streams::StreamSpec& spec = wanted.streams->streams[0].spec;
  spec.interval = 2s;
  spec.calls = {{.name = "x", .method = "eth_x"}};
  spec.fields = {{.name = "x"}};
  spec.on_change = true;
  spec.new_only = {.list = "x", .key = "y"};
  wanted.streams->streams[1].index = 2;
  EXPECT_THAT(lines(diff_plans(running, wanted)),
              ElementsAre("~ stream a interval: 1s -> 2s", "~ stream a calls", "~ stream a fields",
                          "~ stream a onChange: false -> true", "~ stream a newOnly",
                          "~ stream b source: network main/1 -> network side/1"));
  EXPECT_EQ(diff_plans(running, wanted).result, wanted);
}

TEST(PlanDiff, AStreamWithAnotherHistoryBeginsAnew) {
  const ServePlan running = with_streams({"a", "b"});
  ServePlan wanted = running;
  wanted.streams->streams[0].spec.history_messages = 2;
  wanted.streams->streams[0].spec.history_bytes = 1 << 16;
  wanted.streams->streams[0].spec.slow_readers.when_full = WhenFull::close;
  wanted.streams->limits.connections_max = 7;
  wanted.streams->upstreams = {{.id = "own", .url = "http://own.example"}};
  const std::string anew = " (its subscriptions end, and it begins anew)";
  EXPECT_THAT(
      lines(diff_plans(running, wanted)),
      ElementsAre("~ streams.limits.connectionsMax: 10000 -> 7", "+ streams.upstreams own",
                  "~ stream a history: 300 -> 2" + anew, "~ stream a historyBytes: 4194304 -> 65536" + anew,
                  "~ stream a slowReaders: keepLatest -> close" + anew));
  EXPECT_EQ(diff_plans(running, wanted).result, wanted);
}

TEST(PlanDiff, TheBrokerIsThatOfTheStartAndAStreamMayBeginOrEndToBeRelayed) {
  ServePlan relayed = with_streams({"a", "b"});
  relayed.relay = NatsOptions{.servers = {"nats://fan:secret@broker"}};
  relayed.streams->streams[0].relayed = true;
  const PlanDiff added = diff_plans(with_streams({"a", "b"}), relayed);
  EXPECT_THAT(lines(added), ElementsAre("! relay: added (needs a restart)"));
  EXPECT_EQ(added.result, with_streams({"a", "b"}));
  ServePlan changed = relayed;
  changed.relay->password = "other";
  changed.streams->streams[1].relayed = true;
  const PlanDiff both = diff_plans(relayed, changed);
  EXPECT_THAT(lines(both),
              ElementsAre("! relay: changed (needs a restart)",
                          "~ stream b relay: false -> true (its subscriptions end, and it begins anew)"));
  EXPECT_EQ(both.result.relay, relayed.relay);
  EXPECT_TRUE(both.result.streams->streams[1].relayed);
  const PlanDiff removed = diff_plans(relayed, with_streams({"a", "b"}));
  EXPECT_THAT(lines(removed),
              ElementsAre("! relay: removed (needs a restart)",
                          "~ stream a relay: true -> false (its subscriptions end, and it begins anew)"));
  EXPECT_FALSE(removed.result.streams->streams[0].relayed);
}

// A setting that diff_plans() does not know, as one that is added to the plan later.
TEST(PlanDiff, NothingIsIgnoredInSilence) {
  EXPECT_THAT(lines_of([](ServePlan& plan) { plan.browsers.names.hosts = "other"; }),
              ElementsAre("! another setting (needs a restart)"));
}

// Edits of every kind. The name of a setting that they change is not checked here.
std::vector<Edit> edits() {
  std::vector<Edit> all;
  const auto add = [&](Edit edit) { all.push_back(std::move(edit)); };
  add([](ServePlan& plan) { plan.log_level = log::Level::debug; });
  add([](ServePlan& plan) { plan.shutdown_spread = 3s; });
  add([](ServePlan& plan) { plan.shutdown_closes_per_second = 7; });
  add([](ServePlan& plan) { plan.shutdown_retry_after = 7s; });
  add([](ServePlan& plan) { plan.upgrade_timeout = 7s; });
  add([](ServePlan& plan) { plan.browsers.origins = {"https://a.example"}; });
  add([](ServePlan& plan) { plan.websocket.ping_interval = 7s; });
  add([](ServePlan& plan) { plan.websocket.slow_timeout = 7s; });
  add([](ServePlan& plan) { plan.websocket.compression.enabled = true; });
  add([](ServePlan& plan) { plan.websocket.sessions.sessions_max = 7; });
  add([](ServePlan& plan) { plan.websocket.sessions.bytes_max = 7; });
  add([](ServePlan& plan) { plan.http.body_bytes_max = 4096; });
  add([](ServePlan& plan) { plan.accept.connections_max = 7; });
  add([](ServePlan& plan) { plan.answers.batch_items_max = 7; });
  add([](ServePlan& plan) { plan.access_files = {"/etc/keys"}; });
  add([](ServePlan& plan) { plan.admin.emplace().listeners = {{.unix_path = "/run/a", .unix_mode = 0600}}; });
  add([](ServePlan& plan) { plan.admin.emplace().listeners = {{.port = 9}, {.unix_path = "/run/a"}}; });
  add([](ServePlan& plan) { plan.observe.access_log.path = "/var/log/a"; });
  add([](ServePlan& plan) { plan.observe.tracing.sample = 0.5; });
  add([](ServePlan& plan) { plan.listeners.push_back({.at = {.port = 5000}}); });
  add([](ServePlan& plan) { plan.canvas.emplace(); });
  add([](ServePlan& plan) { plan.canvas = CanvasPlan{.rooms = {{.spec = {.name = "a"}}}}; });
  add([](ServePlan& plan) {
    plan.canvas = CanvasPlan{.rooms = {{.spec = {.name = "b"}}, {.spec = {.name = "a"}}}};
  });
  add([](ServePlan& plan) {
    if (plan.canvas && !plan.canvas->rooms.empty()) plan.canvas->rooms[0].limits.users_max = 7;
    plan.loops = 4;
  });
  add([](ServePlan& plan) {
    if (plan.canvas && !plan.canvas->rooms.empty()) plan.canvas->rooms[0].spec.width = 7;
    plan.loops = 5;
  });
  add([](ServePlan& plan) { plan.streams = with_streams({"a", "b"}).streams; });
  add([](ServePlan& plan) {
    if (!plan.streams || plan.streams->streams.empty()) plan.streams = with_streams({"a", "b"}).streams;
    plan.relay = NatsOptions{.servers = {"nats://broker"}};
    plan.streams->streams.front().relayed = true;
  });
  add([](ServePlan& plan) {
    plan.loops = 3;
    if (plan.streams && !plan.streams->streams.empty()) plan.streams->streams.pop_back();
  });
  add([](ServePlan& plan) { plan.networks.push_back(network("late", 1)); });
  add([](ServePlan& plan) { plan.networks.insert(plan.networks.begin(), network("first", 1)); });
  add([](ServePlan& plan) { plan.networks.erase(plan.networks.begin()); });
  add([](ServePlan& plan) { plan.networks.back().methods.allow = {"eth_*"}; });
  add([](ServePlan& plan) { plan.networks.back().reads.hedge_after = 5s; });
  add([](ServePlan& plan) { plan.networks.back().reads.cache_bytes_max = 1; });
  add([](ServePlan& plan) { plan.networks.back().reads.filters.filters_max = 1; });
  add([](ServePlan& plan) { plan.networks.back().chain_check_every = 5s; });
  add([](ServePlan& plan) { node_of(plan, 0).url = "http://other.example"; });
  add([](ServePlan& plan) { plan.networks.back() = network("side", 1, {"x", "y"}); });
  add([](ServePlan& plan) { plan.networks.back().backend = DevBackend{}; });
  return all;
}

TEST(PlanDiff, EveryEditIsToldInOneLineAtLeast) {
  const std::vector<Edit> all = edits();
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_FALSE(lines_of(all[i]).empty()) << "edit " << i;
    EXPECT_NE(lines_of(all[i]).front(), "! another setting (needs a restart)") << "edit " << i;
  }
}

TEST(PlanDiff, TheLawsHoldForRandomPlans) {
  const std::vector<Edit> all = edits();
  std::mt19937 random(7);
  const auto random_plan = [&] {
    ServePlan plan = base();
    for (std::size_t i = random() % 6; i > 0; --i) {
      const std::size_t edit = random() % all.size();
      // The networks that an edit needs may be gone, or be a chain in the process.
      const bool has_nodes =
          plan.networks.size() > 1 && std::holds_alternative<UpstreamBackend>(plan.networks[0].backend);
      if (has_nodes) all[edit](plan);
    }
    // A name is unique.
    std::vector<NetworkPlan> unique;
    for (NetworkPlan& one : plan.networks) {
      const auto same = [&](const NetworkPlan& other) { return is_same_network(one, other); };
      if (std::ranges::none_of(unique, same)) unique.push_back(std::move(one));
    }
    plan.networks = std::move(unique);
    return plan;
  };
  for (int i = 0; i < 150; ++i) {
    const ServePlan a = random_plan();
    const ServePlan b = random_plan();
    const PlanDiff diff = diff_plans(a, b);
    EXPECT_THAT(lines(diff_plans(a, a)), IsEmpty());
    if (!diff.needs_restart()) {
      EXPECT_EQ(diff.result, b);
    }
    // Everything that can be changed was changed; the rest is reported again.
    std::vector<std::string> restarts;
    for (const PlanChange& change : diff.changes) {
      if (change.kind == PlanChange::Kind::needs_restart) restarts.push_back(change.line());
    }
    EXPECT_THAT(lines(diff_plans(diff.result, b)), testing::UnorderedElementsAreArray(restarts));
    EXPECT_FALSE(diff_plans(a, diff.result).needs_restart());
    EXPECT_EQ(diff_plans(a, diff.result).result, diff.result);
  }
}

}  // namespace
}  // namespace fanfare::gateway
