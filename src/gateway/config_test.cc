#include "gateway/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "gateway/config_endpoint.h"
#include "gateway/config_fields.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::optional<std::string> no_environment(std::string_view /*name*/) {
  return std::nullopt;
}

std::expected<Config, ConfigError> parse(std::string_view text) {
  return parse_config(text, "test.yaml", no_environment);
}

std::string error_of(std::string_view text) {
  const auto config = parse(text);
  return config ? "no error" : config.error().message();
}

constexpr std::string_view kMinimal = R"(projects:
  - id: main
    networks:
      - architecture: evm
        evm: { chainId: 1 }
    upstreams:
      - id: node
        endpoint: http://127.0.0.1:8545
)";

TEST(Config, DefaultsAreTheDocumentedOnes) {
  const auto config = parse(kMinimal);
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->log_level, log::Level::debug);
  EXPECT_EQ(config->server.host, "127.0.0.1");
  EXPECT_EQ(config->server.http_port, 4000);
  EXPECT_EQ(config->server.threads, 0U);
  EXPECT_EQ(config->server.shutdown_timeout, seconds(10));
  EXPECT_EQ(config->server.shutdown_spread, std::nullopt);
  EXPECT_EQ(config->server.shutdown_closes_per_second, 500U);
  EXPECT_EQ(config->server.shutdown_retry_after, std::nullopt);
  EXPECT_EQ(config->server.upgrade_timeout, seconds(30));
  EXPECT_EQ(config->server.http.body_bytes_max, 16U << 20);
  const WebSocketSettings& websocket = config->server.websocket;
  EXPECT_TRUE(websocket.enabled);
  EXPECT_EQ(websocket.connections_per_network_max, 10'000U);
  EXPECT_EQ(websocket.subscriptions_per_connection_max, 100U);
  EXPECT_EQ(websocket.ping_interval, seconds(30));
  EXPECT_EQ(websocket.pong_timeout, seconds(60));
  EXPECT_EQ(websocket.read_buffer_bytes, 4096U);
  EXPECT_EQ(websocket.write_buffer_bytes, 4096U);
  EXPECT_EQ(websocket.message_bytes_max, 16U << 20);
  EXPECT_EQ(websocket.outbox_bytes_max, 128U << 20);
  EXPECT_EQ(websocket.notifications_behind_max, 65'536U);
  EXPECT_EQ(websocket.slow_timeout, seconds(10));
  EXPECT_FALSE(websocket.unique_subscription_ids);
  EXPECT_EQ(websocket.compression,
            (MessageCompression{.enabled = false, .bytes_min = 256, .bytes_max = 1U << 20}));
  EXPECT_EQ(config->server.http.compression,
            (AnswerCompression{.enabled = false, .bytes_min = 2048, .waiting_bytes_max = 64U << 20}));
  EXPECT_TRUE(config->server.browsers.hosts.empty());
  EXPECT_TRUE(config->server.browsers.origins.empty());
  EXPECT_EQ(config->server.accept.connections_per_address_max, 1024U);
  EXPECT_EQ(config->server.accept.connections_per_second_per_address, 200U);
  EXPECT_FALSE(config->server.accept.limits_loopback);
  EXPECT_EQ(config->server.answers.batch_items_max, 1000U);
  EXPECT_EQ(config->server.answers.batch_answer_bytes_max, 25'000'000U);
  EXPECT_EQ(config->server.answers.held_bytes_max, 512U << 20);
  EXPECT_EQ(config->server.answers.held_bytes_per_connection_max, 256U << 20);
  EXPECT_TRUE(config->metrics.enabled);
  EXPECT_FALSE(config->metrics.port);
  ASSERT_EQ(config->projects.size(), 1U);
  const ProjectConfig& project = config->projects.front();
  EXPECT_EQ(project.id, "main");
  ASSERT_EQ(project.networks.size(), 1U);
  EXPECT_EQ(project.networks.front().chain_id, 1U);
  EXPECT_EQ(project.networks.front().poll.interval_min, milliseconds(200));
  EXPECT_EQ(project.networks.front().poll.interval_max, seconds(2));
  EXPECT_EQ(project.networks.front().poll.reorg_window_blocks, 256U);
  EXPECT_EQ(project.networks.front().poll.resume_window_blocks, 256U);
  ASSERT_EQ(project.upstreams.size(), 1U);
  EXPECT_EQ(project.upstreams.front().plan.id, "node");
  EXPECT_EQ(project.upstreams.front().plan.url, "http://127.0.0.1:8545");
  EXPECT_EQ(project.upstreams.front().plan.timeout, seconds(10));
  EXPECT_EQ(project.upstreams.front().plan.limits, UpstreamLimits{});
  EXPECT_EQ(project.upstreams.front().chain_id, 1U);
}

TEST(Config, EveryKeyReachesThePlan) {
  const std::string path = FANFARE_SOURCE_DIR "/tests/golden/config/valid_everything.yaml";
  const auto config = load_config(path, [](std::string_view name) -> std::optional<std::string> {
    return name == "SECRET" ? "abc" : "http://node.example";
  });
  ASSERT_TRUE(config) << config.error().message();
  const ServePlan plan = plan_from(*config);
  EXPECT_EQ(plan.log_level, log::Level::warn);
  ASSERT_EQ(plan.listeners.size(), 2U);
  EXPECT_EQ(plan.listeners[0].at.host, "::1");
  EXPECT_EQ(plan.listeners[0].at.port, 0);
  EXPECT_EQ(plan.listeners[0].mounts, routed_mounts(false));
  EXPECT_EQ(plan.listeners[1].at.port, 9090);
  EXPECT_EQ(plan.listeners[1].mounts, page_mounts(true, true));
  EXPECT_EQ(plan.loops, 2U);
  EXPECT_EQ(plan.upstream_threads_max, 3U);
  EXPECT_EQ(plan.received_bytes_per_project_max, 3'145'728U);
  EXPECT_EQ(plan.answers.held_bytes_per_project_max, 1'572'864U);
  EXPECT_EQ(plan.shutdown_timeout, seconds(90));
  EXPECT_EQ(plan.shutdown_spread, seconds(90));
  EXPECT_EQ(plan.shutdown_closes_per_second, 40U);
  EXPECT_EQ(plan.shutdown_retry_after, seconds(3));
  EXPECT_EQ(plan.upgrade_timeout, seconds(20));
  EXPECT_EQ(plan.http.body_bytes_max, 65536U);
  EXPECT_EQ(plan.websocket.connections_per_network_max, 5U);
  EXPECT_EQ(plan.websocket.subscriptions_per_connection_max, 7U);
  EXPECT_EQ(plan.websocket.ping_interval, milliseconds(500));
  EXPECT_EQ(plan.websocket.pong_timeout, seconds(2));
  EXPECT_EQ(plan.websocket.read_buffer_bytes, 8192U);
  EXPECT_EQ(plan.websocket.write_buffer_bytes, 16384U);
  EXPECT_EQ(plan.websocket.message_bytes_max, 131072U);
  EXPECT_EQ(plan.websocket.outbox_bytes_max, 262144U);
  EXPECT_EQ(plan.websocket.slow_timeout, milliseconds(700));
  EXPECT_EQ(plan.accept.connections_max, 11U);
  EXPECT_EQ(plan.accept.connections_per_address_max, 12U);
  EXPECT_EQ(plan.accept.connections_per_second_per_address, 13U);
  EXPECT_TRUE(plan.accept.limits_loopback);
  EXPECT_EQ(plan.answers.batch_items_max, 14U);
  EXPECT_EQ(plan.answers.batch_answer_bytes_max, 15U);
  EXPECT_EQ(plan.answers.held_bytes_max, 2U << 20);
  EXPECT_EQ(plan.answers.held_bytes_per_connection_max, 1U << 20);
  EXPECT_EQ(
      plan.defence,
      (DefencePlan{
          .memory = {.bytes_max = 32 << 20, .soft_percent = 20, .hard_percent = 25},
          .overload = {.enabled = false, .delay_target = milliseconds(1), .delay_interval = milliseconds(50)},
          .retry_after = seconds(1)}));
  EXPECT_EQ(plan.browsers.hosts, (std::vector<std::string>{"loopback", "rpc.example"}));
  EXPECT_EQ(plan.browsers.origins, std::vector<std::string>{"https://app.example"});

  ASSERT_EQ(plan.networks.size(), 3U);
  const NetworkPlan& main_one = plan.networks[0];
  EXPECT_EQ(main_one.project, "main");
  EXPECT_EQ(main_one.methods.allow, std::vector<std::string>{"debug_trace*"});
  EXPECT_EQ(main_one.methods.deny, std::vector<std::string>{"eth_getLogs"});
  EXPECT_EQ(main_one.origins, std::vector<std::string>{"*"});
  EXPECT_EQ(main_one.chain_id, 1U);
  EXPECT_EQ(main_one.poll.interval_min, milliseconds(200));
  EXPECT_EQ(main_one.poll.interval_max, seconds(12));
  EXPECT_EQ(main_one.poll.reorg_window_blocks, 64U);
  EXPECT_EQ(main_one.poll.resume_window_blocks, 1000U);
  EXPECT_EQ(main_one.reads.filters, (eth::FilterLimits{.filters_max = 20,
                                                       .filters_per_owner_max = 21,
                                                       .criteria_bytes_max = 22,
                                                       .criteria_bytes_per_owner_max = 23,
                                                       .kept_bytes_max = 4124,
                                                       .changes_bytes_max = 1025,
                                                       .idle_max = std::chrono::minutes(2)}));
  EXPECT_EQ(plan.http.compression,
            (AnswerCompression{.enabled = true, .bytes_min = 30, .waiting_bytes_max = 31}));
  EXPECT_EQ(plan.websocket.compression,
            (MessageCompression{.enabled = true, .bytes_min = 32, .bytes_max = 1033}));
  EXPECT_TRUE(plan.websocket.unique_subscription_ids);
  EXPECT_EQ(plan.websocket.sessions, (eth::ResumeLimits{.sessions_max = 34,
                                                        .sessions_per_owner_max = 35,
                                                        .bytes_max = 65'537,
                                                        .bytes_per_owner_max = 65'538,
                                                        .idle_max = std::chrono::seconds(36)}));
  const auto& first = std::get<UpstreamBackend>(main_one.backend);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].url, "https://user:password@mainnet.example:8443/secret-key");
  EXPECT_EQ(first[0].timeout, seconds(3));
  const std::vector<std::pair<std::string, std::string>> headers{{"Authorization", "Bearer abc"},
                                                                 {"X-Empty", ""}};
  EXPECT_EQ(first[0].headers, headers);
  EXPECT_EQ(std::get<UpstreamBackend>(plan.networks[1].backend).at(0).id, "second");
  EXPECT_EQ(plan.networks[2].project, "other");
  EXPECT_EQ(std::get<UpstreamBackend>(plan.networks[2].backend).at(0).url, "http://node.example");
}

// docs/configuration.md shows every key with its default: leaving them all out must give the same result.
TEST(Config, TheDocumentShowsTheDefaults) {
  std::ifstream document(FANFARE_SOURCE_DIR "/docs/configuration.md");
  std::string block;
  bool inside = false;
  for (std::string line; std::getline(document, line);) {
    if (line == "```yaml") {
      inside = true;
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      block += line + "\n";
    }
  }
  const auto shown = parse(block);
  ASSERT_TRUE(shown) << shown.error().message();
  const auto left_out = parse(R"(projects:
  - id: main
    networks:
      - { architecture: evm, evm: { chainId: 1 } }
    upstreams:
      - { id: alchemy, endpoint: "https://eth-mainnet.example/v2/KEY" }
streams:
  upstreams: [{ id: node, endpoint: "http://127.0.0.1:9933" }]
  definitions:
    - { name: network_metrics, interval: 2s, upstream: node, calls: { height: eth_blockNumber },
        fields: { block_height: { pointer: /height, as: number } } }
relay: { nats: { servers: ["nats://10.0.0.1:4222"] } }
canvas:
  rooms: [{ name: main }])");
  ASSERT_TRUE(left_out) << left_out.error().message();
  EXPECT_EQ(plan_from(*shown), plan_from(*left_out));
  // All of them, not only some.
  for (const char* key : {"logLevel",
                          "httpPort",
                          "httpHost",
                          "threads",
                          "upstreamThreads",
                          "busyPollMicroseconds",
                          "maxBodyBytes",
                          "shutdownTimeout",
                          "shutdownSpread",
                          "shutdownClosesPerSecond",
                          "upgradeTimeout",
                          "enabled",
                          "maxConnectionsPerNetwork",
                          "maxSubscriptionsPerConnection",
                          "pingInterval",
                          "pongTimeout",
                          "readBufferSize",
                          "writeBufferSize",
                          "maxMessageBytes",
                          "outboxBytesMax",
                          "notificationsBehindMax",
                          "slowTimeout",
                          "connectionsPerAddressMax",
                          "connectionsPerSecondPerAddress",
                          "batchItemsMax",
                          "batchAnswerBytesMax",
                          "heldBytesMax",
                          "heldBytesPerProjectMax",
                          "heldBytesPerConnectionMax",
                          "subscriptionIds",
                          "sessionsMax",
                          "sessionsPerAddressMax",
                          "sessionBytesMax",
                          "sessionBytesPerAddressMax",
                          "sessionTimeout",
                          "relaySessions",
                          "minBytes",
                          "maxBytes",
                          "waitingBytesMax",
                          "filtersMax",
                          "filtersPerAddressMax",
                          "filterCriteriaBytesMax",
                          "filterCriteriaBytesPerAddressMax",
                          "filterKeptBytesMax",
                          "filterChangesBytesMax",
                          "receivedBytesPerProjectMax",
                          "replicas",
                          "keptMessagesMax",
                          "keptBytesMax",
                          "heartbeat",
                          "reconnectWait",
                          "publishTimeout",
                          "inFlightMessagesMax",
                          "inFlightBytesMax",
                          "port",
                          "pollIntervalMin",
                          "pollIntervalMax",
                          "reorgWindow",
                          "resumeWindow",
                          "filterTimeout",
                          "timeout",
                          "connectionsMax",
                          "sourceConnectionsMax",
                          "queuedCallsMax",
                          "queuedCallsPerClientMax",
                          "httpClient",
                          "headHints",
                          "headers"}) {
    EXPECT_NE(block.find(std::string(key) + ":"), std::string::npos) << key;
  }
}

// Configured limits also apply to programs on this machine; the defaults do not.
TEST(Config, LimitsOfAnAddressHoldForLoopbackWhereTheyWereChosen) {
  const auto limits_loopback = [](const std::string& limits) {
    const auto config = parse("server: { limits: { " + limits + " } }\n" + std::string(kMinimal));
    EXPECT_TRUE(config) << config.error().message();
    return config->server.accept.limits_loopback;
  };
  EXPECT_FALSE(limits_loopback("connectionsMax: 5"));
  EXPECT_FALSE(limits_loopback("connectionsPerAddressMax: 0"));
  EXPECT_FALSE(limits_loopback("connectionsPerAddressMax: 1024, connectionsPerSecondPerAddress: 200"));
  EXPECT_TRUE(limits_loopback("connectionsPerAddressMax: 1025"));
  EXPECT_TRUE(limits_loopback("connectionsPerSecondPerAddress: 1"));
}

TEST(Config, TheLimitsOfANodeAreCheckedAtTheirEnds) {
  const auto with = [](const std::string& key, const std::string& value) {
    return std::string(kMinimal) + "        " + key + ": " + value + "\n";
  };
  struct Range {
    std::string key;
    std::size_t UpstreamLimits::* member;
    std::size_t least, most;
  };
  for (const Range& range :
       {Range{"connectionsMax", &UpstreamLimits::client_calls_max, 1, 65'536},
        Range{"sourceConnectionsMax", &UpstreamLimits::source_calls_max, 4, 65'536},
        Range{"queuedCallsMax", &UpstreamLimits::queued_calls_max, 1, 1'000'000},
        Range{"queuedCallsPerClientMax", &UpstreamLimits::queued_calls_per_client_max, 1, 1'000'000}}) {
    for (const std::size_t good : {range.least, range.most}) {
      const auto config = parse(with(range.key, std::to_string(good)));
      ASSERT_TRUE(config) << config.error().message();
      EXPECT_EQ(config->projects.front().upstreams.front().plan.limits.*range.member, good) << range.key;
    }
    for (const std::size_t bad : {range.least - 1, range.most + 1}) {
      EXPECT_TRUE(error_of(with(range.key, std::to_string(bad))).contains(range.key + " is out of range"))
          << error_of(with(range.key, std::to_string(bad)));
    }
  }
}

TEST(Config, AValueOfTheEnvironmentCannotChangeTheStructure) {
  const auto config = parse_config("logLevel: ${LEVEL}\n" + std::string(kMinimal), "test.yaml",
                                   [](std::string_view /*name*/) { return "info\nserver: { httpPort: 1 }"; });
  ASSERT_FALSE(config);
  EXPECT_TRUE(config.error().message().starts_with("test.yaml:1:11: logLevel has an unknown value"));
}

TEST(Config, TheFirstProblemInTheFileIsTheOneReported) {
  EXPECT_EQ(error_of("projects: []\nserver: { httpPort: no }\nlogLevel: nonsense\n"),
            "test.yaml:1:11: projects is an empty list, expected a list of projects with at least one entry");
}

TEST(Config, WindowsLineEndsAndAByteOrderMarkAreFine) {
  std::string text = "\xef\xbb\xbf";
  for (const char c : kMinimal) {
    if (c == '\n') text += '\r';
    text += c;
  }
  EXPECT_TRUE(parse(text)) << error_of(text);
}

TEST(Config, FilesThatCannotBeReadSaySo) {
  const auto missing = load_config("/nonexistent/fanfare.yaml", no_environment);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(),
            "/nonexistent/fanfare.yaml: cannot be read (No such file or directory), expected a YAML file");
  const auto folder = load_config("/", no_environment);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message(), "/: cannot be read (Is a directory), expected a YAML file");
}

TEST(Config, TooLargeIsSaidBeforeItIsParsed) {
  const std::string text(kYamlBytesMax + 1, 'a');
  EXPECT_EQ(error_of(text), "test.yaml: the file is too large (1048577 bytes), expected at most 1048576");
}

TEST(Config, NestingIsBoundedWithoutBracketsToo) {
  std::string dashes;
  for (int i = 0; i < 1000; ++i) dashes += "- ";
  EXPECT_TRUE(error_of(dashes + "a").contains("nested too deeply")) << error_of(dashes + "a");
}

TEST(Config, EscapesWhatAMessageCouldNotShow) {
  EXPECT_EQ(quoted_for_message("a\"b\\c\x1b[0m"), R"("a\"b\\c\x1b[0m")");
  EXPECT_EQ(quoted_for_message(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

TEST(Nearest, FindsLikelySlipsOnly) {
  EXPECT_EQ(nearest("httpport", {"httpPort", "httpHost"}), "httpPort");
  EXPECT_EQ(nearest("pingIntervall", {"pingInterval", "pongTimeout"}), "pingInterval");
  EXPECT_EQ(nearest("banana", {"logLevel", "server"}), "");
}

TEST(Endpoint, AcceptsWhatNodesHave) {
  for (const char* url : {"http://localhost", "https://a.example/v2/KEY?x=1", "http://10.0.0.1:8546",
                          "https://user:p%40ss@h.example:1/", "http://[::1]:8545/path",
                          "http://under_score.example.", "https://[2001:db8::1]"}) {
    EXPECT_TRUE(check_endpoint(url)) << url << ": " << check_endpoint(url).error();
  }
}

TEST(Endpoint, TellsWebSocketFromHttp) {
  for (const char* url : {"ws://h", "wss://node.example:1/key"}) {
    EXPECT_TRUE(check_endpoint(url)) << url;
    EXPECT_TRUE(is_websocket_endpoint(url)) << url;
  }
  EXPECT_FALSE(is_websocket_endpoint("https://ws.example"));
}

TEST(Endpoint, RefusesWhatIsNoUrl_RFC3986_3) {
  for (const char* url : {"",
                          "localhost:8545",
                          "http://",
                          "http:///path",
                          "http://:8545",
                          "HTTP//x",
                          "http://a b",
                          "http://h:0",
                          "http://h:65536",
                          "http://h:",
                          "http://h:8o",
                          "http://[::1",
                          "http://[1.2]:1",
                          "http://[::1]8545",
                          "http://h#f",
                          "http://a..b",
                          "http://\xc3\xa4.example",
                          "ipc:///tmp/geth.ipc",
                          "http://a@",
                          "http://user:p@ss@h.example:1/",
                          "ws://user:p@ss@h.example:1/"}) {
    EXPECT_FALSE(check_endpoint(url)) << url;
  }
}

TEST(Endpoint, HostsToListenOn) {
  for (const char* host : {"127.0.0.1", "0.0.0.0", "::", "::1", "localhost"}) {
    EXPECT_TRUE(is_listen_address(host)) << host;
  }
  for (const char* host : {"", "[::1]", "a b", "http://x", "1.2.3.4:80", ".", "1.2.3", "node-1.example"})
    EXPECT_FALSE(is_listen_address(host)) << host;
}

}  // namespace
}  // namespace fanfare::gateway
