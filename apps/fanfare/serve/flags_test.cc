#include "serve/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "check/command.h"
#include "gateway/mount_plans.h"

namespace fanfare::app {
namespace {

using gateway::DevBackend;
using gateway::ServePlan;
using gateway::UpstreamBackend;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kGolden = FANFARE_SOURCE_DIR "/tests/golden/config/";

gateway::EnvironmentLookup with(std::map<std::string, std::string, std::less<>> variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

ServePlan plan_for(const ServeArguments& arguments,
                   const gateway::EnvironmentLookup& environment = with({})) {
  auto plan = plan_of(arguments, environment);
  EXPECT_TRUE(plan) << plan.error();
  return plan.value_or(ServePlan{});
}

std::string error_for(const ServeArguments& arguments,
                      const gateway::EnvironmentLookup& environment = with({})) {
  const auto plan = plan_of(arguments, environment);
  return plan ? "no error" : plan.error();
}

TEST(ServeFlags, TheUpstreamTimeoutIsOfEveryNodeAndNeedsOne) {
  const ServePlan plan =
      plan_for({.upstreams = {"http://a.example", "ws://b.example"}, .upstream_timeout = "60s"});
  for (const auto& upstream : std::get<UpstreamBackend>(plan.networks.at(0).backend)) {
    EXPECT_EQ(upstream.timeout, seconds(60));
  }
  EXPECT_EQ(std::get<UpstreamBackend>(plan_for({.upstreams = {"http://a.example"}}).networks.at(0).backend)
                .at(0)
                .timeout,
            seconds(10));
  EXPECT_THAT(error_for({.upstreams = {"http://a.example"}, .upstream_timeout = "0s"}),
              HasSubstr("--upstream-timeout is out of range"));
  EXPECT_THAT(error_for({.upstream_timeout = "60s"}), HasSubstr("expected --upstream"));
  EXPECT_THAT(error_for({.upstream_timeout = "60s", .dev = true}), HasSubstr("expected --upstream"));
}

TEST(ServeFlags, WithNothingTheDevelopmentChainOnLoopback) {
  const ServePlan plan = plan_for({});
  EXPECT_EQ(plan.log_level, log::Level::info);
  ASSERT_EQ(plan.listeners.size(), 2U);
  EXPECT_EQ(plan.listeners[0].at.host, "127.0.0.1");
  EXPECT_EQ(plan.listeners[0].at.port, 8545);
  std::vector<gateway::MountPlan> mounts = gateway::stream_mounts();
  for (const gateway::MountPlan& mount : gateway::canvas_mounts()) mounts.push_back(mount);
  for (const gateway::MountPlan& mount : gateway::http_port_mounts(true)) mounts.push_back(mount);
  EXPECT_EQ(plan.listeners[0].mounts, mounts);
  EXPECT_TRUE(plan.streams && plan.streams->streams.size() == 4);
  EXPECT_TRUE(plan.canvas && plan.canvas->rooms.size() == 1);
  EXPECT_EQ(plan.listeners[1].at.host, "127.0.0.1");
  EXPECT_EQ(plan.listeners[1].at.port, 8546);
  EXPECT_EQ(plan.listeners[1].mounts, gateway::websocket_port_mounts());
  ASSERT_EQ(plan.networks.size(), 1U);
  EXPECT_EQ(plan.networks[0].chain_id, 1337U);
  const auto& dev = std::get<DevBackend>(plan.networks[0].backend);
  EXPECT_EQ(dev.block_time, seconds(1));
  EXPECT_EQ(dev.seed, 1U);
  EXPECT_EQ(dev.reorg_every_blocks, 0U);
  EXPECT_EQ(plan.websocket.ping_interval, seconds(30));
  EXPECT_EQ(plan.websocket.pong_timeout, seconds(10));
  EXPECT_EQ(plan.websocket.connections_per_network_max, 10'000U);
  EXPECT_EQ(plan.websocket.subscriptions_per_connection_max, 100U);
}

TEST(ServeFlags, TheDevelopmentChainAsAsked) {
  const ServePlan plan = plan_for({.chain_id = 5,
                                   .dev_block_time = "200ms",
                                   .dev_seed = 7,
                                   .dev_transactions = 0,
                                   .dev_reorg_every = 10,
                                   .dev_reorg_depth = 4,
                                   .dev_sync_blocks = 50});
  EXPECT_EQ(plan.networks.at(0).chain_id, 5U);
  const auto& dev = std::get<DevBackend>(plan.networks.at(0).backend);
  EXPECT_EQ(dev.block_time, milliseconds(200));
  EXPECT_EQ(dev.seed, 7U);
  EXPECT_EQ(dev.transactions_per_block, 0U);
  EXPECT_EQ(dev.reorg_every_blocks, 10U);
  EXPECT_EQ(dev.reorg_depth_blocks, 4U);
  EXPECT_EQ(dev.sync_blocks, 50U);
}

TEST(ServeFlags, NodesBehindTwoPorts) {
  const ServePlan plan = plan_for({.upstreams = {"http://10.0.0.7:8545", "https://b.example/key"},
                                   .host = "0.0.0.0",
                                   .allow_insecure_public = true,
                                   .http_port = 0,
                                   .ws_port = 0,
                                   .threads = 2,
                                   .loop = "epoll",
                                   .max_connections = 3,
                                   .max_subscriptions = 4,
                                   .ping_interval = "0s",
                                   .pong_timeout = "5s",
                                   .shutdown_timeout = "6s"});
  EXPECT_EQ(plan.listeners.at(0).at.host, "0.0.0.0");
  EXPECT_EQ(plan.listeners.at(0).at.port, 0);
  EXPECT_EQ(plan.listeners.at(1).at.port, 0);
  ASSERT_EQ(plan.networks.size(), 1U);
  EXPECT_FALSE(plan.networks[0].chain_id);
  const auto& nodes = std::get<UpstreamBackend>(plan.networks[0].backend);
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes[0].id, "upstream-1");
  EXPECT_EQ(nodes[0].url, "http://10.0.0.7:8545");
  EXPECT_EQ(nodes[1].id, "upstream-2");
  EXPECT_EQ(plan.loops, 2U);
  EXPECT_EQ(plan.loop_kind, net::LoopKind::epoll);
  EXPECT_EQ(plan.websocket.connections_per_network_max, 3U);
  EXPECT_EQ(plan.websocket.subscriptions_per_connection_max, 4U);
  EXPECT_EQ(plan.websocket.ping_interval, seconds(0));
  EXPECT_EQ(plan.websocket.pong_timeout, seconds(5));
  EXPECT_EQ(plan.shutdown_timeout, seconds(6));
}

const std::string kPage = FANFARE_SOURCE_DIR "/web/app";  // has an index.html

bool has_page(const ServePlan& plan, std::size_t listener) {
  return gateway::serves_web(plan.listeners.at(listener));
}

TEST(ServeFlags, ThePageOfTheProgramIsServedIfItIsFound) {
  EXPECT_FALSE(has_page(plan_for({}), 0));
  const auto plan = plan_of({}, with({}), kPage);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(has_page(*plan, 0));
  EXPECT_FALSE(has_page(*plan, 1)) << "the port for WebSockets alone";
  EXPECT_EQ(std::get<gateway::WebFeature>(plan->listeners[0].mounts.back().feature).directory, kPage);
  EXPECT_FALSE(has_page(*plan_of({.no_web = true}, with({}), kPage), 0));
  EXPECT_TRUE(has_page(plan_for({.web_dir = kPage}), 0));
  EXPECT_EQ(
      error_for({.web_dir = "/nowhere"}),
      "fanfare serve: --web-dir has no index.html (\"/nowhere\"), expected the directory of the built page");
}

// A gateway on the internet shows its page only if its file says so.
TEST(ServeFlags, WithAFileThePageIsServedOnRequestOnly) {
  const std::string file = kGolden + "valid_row_a.yaml";
  EXPECT_FALSE(has_page(*plan_of({.config = file}, with({}), kPage), 0));
  EXPECT_TRUE(has_page(plan_for({.config = file, .web_dir = kPage}), 0));

  const std::string asks = kGolden + "valid_web.yaml";
  EXPECT_TRUE(has_page(*plan_of({.config = asks}, with({}), kPage), 0));
  EXPECT_FALSE(has_page(*plan_of({.config = asks, .no_web = true}, with({}), kPage), 0));
  EXPECT_THAT(error_for({.config = asks}), HasSubstr("the dashboard's files are not beside the program"));

  const std::string names = kGolden + "valid_web_directory.yaml";
  EXPECT_EQ(error_for({.config = names}),
            "fanfare serve: web.directory has no index.html (\"/srv/none\"), expected the directory of the "
            "built page");
  EXPECT_TRUE(has_page(plan_for({.config = names, .web_dir = kPage}), 0));
}

TEST(ServeFlags, AFileByFlagOrEnvironment) {
  const std::string file = kGolden + "valid_row_a.yaml";
  for (const ServePlan& plan : {plan_for({.config = file}), plan_for({}, with({{"FANFARE_CONFIG", file}}))}) {
    ASSERT_EQ(plan.listeners.size(), 1U);
    EXPECT_EQ(plan.listeners[0].at.port, 4000);
    EXPECT_EQ(plan.listeners[0].mounts, gateway::routed_mounts(true));
    EXPECT_EQ(plan.log_level, log::Level::debug);
  }
  // Flags override the environment.
  const auto environment = with({{"FANFARE_CONFIG", file}});
  EXPECT_EQ(plan_for({.dev = true}, environment).listeners.size(), 2U);
  EXPECT_EQ(plan_for({.dev_seed = 3}, environment).listeners.size(), 2U);
  EXPECT_EQ(plan_for({.upstreams = {"http://a"}}, environment).listeners.size(), 2U);
}

TEST(ServeFlags, TheLogLevelOfTheFlagThenTheEnvironmentThenTheFile) {
  const std::string file = kGolden + "valid_row_a.yaml";
  const auto environment = with({{"FANFARE_LOG_LEVEL", "warn"}});
  EXPECT_EQ(plan_for({.config = file, .log_level = "error"}, environment).log_level, log::Level::error);
  EXPECT_EQ(plan_for({.config = file}, environment).log_level, log::Level::warn);
  EXPECT_EQ(plan_for({}, environment).log_level, log::Level::warn);
}

TEST(ServeFlags, WhatIsWrongIsSaid) {
  const std::string file = kGolden + "valid_row_a.yaml";
  EXPECT_EQ(error_for({.config = file, .dev = true}),
            "fanfare serve: --config cannot be combined with --dev, expected one of --config, --upstream and "
            "--dev");
  EXPECT_THAT(error_for({.config = file, .upstreams = {"http://a"}}),
              HasSubstr("--config cannot be combined"));
  EXPECT_THAT(error_for({.upstreams = {"http://a"}, .dev = true}),
              HasSubstr("--upstream cannot be combined"));
  EXPECT_THAT(error_for({.config = file, .http_port = 1}), HasSubstr("--http-port has no effect"));
  EXPECT_THAT(error_for({.config = file, .dev_seed = 1}),
              HasSubstr("--dev-seed is for the development chain"));
  EXPECT_THAT(error_for({.upstreams = {"http://a"}, .dev_block_time = "1s"}),
              HasSubstr("--dev-block-time is for"));
  EXPECT_EQ(error_for({.upstreams = {"localhost:8545"}}),
            "fanfare serve: --upstream has no supported scheme, expected http://, "
            "https://, ws:// or wss:// followed by a host");
  EXPECT_THAT(error_for({.upstreams = {"http://127.0.0.1:8545"}}),
              HasSubstr("a port that is to be served here"));
  EXPECT_THAT(error_for({.upstreams = {"http://localhost:8546/x"}}),
              HasSubstr("a port that is to be served here"));
  EXPECT_EQ(error_for({.upstreams = {"http://127.0.0.1:85450"}}).find("to be served"), std::string::npos);
  EXPECT_THAT(error_for({.host = "[::1]"}), HasSubstr("--host is not an address"));
  for (const char* host : {"0.0.0.0", "::", "192.0.2.7"}) {
    EXPECT_THAT(error_for({.host = host}), HasSubstr("--host is open to other machines")) << host;
  }
  EXPECT_THAT(error_for({.http_port = 9000, .ws_port = 9000}), HasSubstr("--ws-port is the same"));
  EXPECT_EQ(error_for({.ping_interval = "30"}),
            "fanfare serve: --ping-interval is a number without a unit (\"30\"), expected a duration such as "
            "500ms, "
            "30s, 1m30s or 1h");
  EXPECT_THAT(error_for({.pong_timeout = "25h"}), HasSubstr("--pong-timeout is out of range"));
  EXPECT_THAT(error_for({.dev_block_time = "0s"}), HasSubstr("--dev-block-time is out of range"));
  EXPECT_THAT(error_for({.log_level = "loud"}), HasSubstr("--log-level is unknown (\"loud\")"));
  EXPECT_THAT(error_for({}, with({{"FANFARE_LOG_LEVEL", "loud"}})),
              HasSubstr("FANFARE_LOG_LEVEL is unknown"));
  EXPECT_THAT(error_for({.config = kGolden + "empty.yaml"}), HasSubstr("empty.yaml:1:1: the file is empty"));
  EXPECT_THAT(error_for({.config = "/nonexistent"}), StartsWith("/nonexistent: cannot be read"));
}

TEST(ServeFlags, AnUpstreamOnAPortOfOursIsFineOnceOursIsElsewhere) {
  const ServePlan plan =
      plan_for({.upstreams = {"http://127.0.0.1:8545"}, .http_port = 9545, .ws_port = 9546});
  EXPECT_EQ(std::get<UpstreamBackend>(plan.networks.at(0).backend).at(0).url, "http://127.0.0.1:8545");
}

TEST(Check, PrintsASummaryOrTheOneError) {
  std::ostringstream out;
  std::ostringstream complaints;
  EXPECT_EQ(run_check(kGolden + "valid_row_a.yaml", with({}), out, complaints), 0);
  EXPECT_THAT(out.str(), StartsWith(kGolden + "valid_row_a.yaml is good\nlisten    127.0.0.1:4000"));
  EXPECT_EQ(complaints.str(), "");

  out.str("");
  EXPECT_EQ(run_check(kGolden + "duration_bare.yaml", with({}), out, complaints), 2);
  EXPECT_EQ(out.str(), "");
  EXPECT_THAT(complaints.str(),
              StartsWith(kGolden + "duration_bare.yaml:3:19: server.websocket.pingInterval"));
}

}  // namespace
}  // namespace fanfare::app
