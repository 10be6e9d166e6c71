// `relay:` of the configuration, and of a stream.

#include "gateway/config_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/config.h"
#include "gateway/config_plan.h"
#include "gateway/config_summary.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::string relay_file(std::string_view nats, std::string_view stream = ", relay: true",
                       std::string_view name = "s") {
  std::string text =
      "streams:\n"
      "  upstreams: [{ id: node, endpoint: \"http://127.0.0.1:1\" }]\n"
      "  definitions:\n"
      "    - { name: " +
      std::string(name) + ", interval: 1s, upstream: node, calls: { r: m }, fields: { f: /r }" +
      std::string(stream) + " }\n";
  if (!nats.empty()) text += "relay: { nats: { " + std::string(nats) + " } }\n";
  return text;
}

std::expected<Config, ConfigError> parse_relay_file(const std::string& text) {
  return parse_config(text, "g.yaml", [](std::string_view name) -> std::optional<std::string> {
    return name == "SECRET" ? std::optional<std::string>("from-outside") : std::nullopt;
  });
}
std::string relay_error(const std::string& text) {
  const auto config = parse_relay_file(text);
  return config ? "none" : config.error().message();
}

constexpr std::string_view kRelayServer = "servers: [\"nats://127.0.0.1:4222\"]";

TEST(RelayConfig, AStreamIsRelayedIfItSaysSo) {
  const auto config = parse_relay_file(relay_file(kRelayServer));
  ASSERT_TRUE(config) << config.error().message();
  const ServePlan plan = plan_from(*config);
  ASSERT_TRUE(plan.relay);
  EXPECT_EQ(*plan.relay, (NatsOptions{.servers = {"nats://127.0.0.1:4222"}}));
  EXPECT_TRUE(plan.streams->streams[0].relayed);
  const auto alone = parse_relay_file(relay_file("", ""));
  ASSERT_TRUE(alone);
  EXPECT_FALSE(plan_from(*alone).streams->streams[0].relayed);
  EXPECT_FALSE(plan_from(*alone).relay);
}

TEST(RelayConfig, InstancesOfAFleetBeginWithLogsThatNobodyHasAskedForYet) {
  const std::string network =
      "projects:\n  - id: main\n    networks: [{ architecture: evm, evm: { chainId: 1 } }]\n"
      "    upstreams: [{ id: node, endpoint: \"http://127.0.0.1:1\" }]\n";
  const auto warm_up = [&](const std::string& relay) {
    return plan_from(*parse_relay_file(network + relay)).networks.at(0).poll.logs_warm_up;
  };
  EXPECT_EQ(warm_up("relay: { nats: { servers: [\"nats://127.0.0.1:4222\"] } }\n"), std::chrono::seconds(30));
  EXPECT_EQ(warm_up(""), Duration::zero());
}

// A reload may add a stream that does.
TEST(RelayConfig, ABrokerThatNoStreamUsesIsGoodAndShown) {
  const auto config = parse_relay_file(relay_file(kRelayServer, ""));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(plan_from(*config).relay);
  EXPECT_THAT(summary_of(plan_from(*config)),
              HasSubstr("relay     NATS as \"fanfare\" over nats://127.0.0.1:4222, for no stream\n"));
  EXPECT_THAT(summary_of(plan_from(*parse_relay_file(relay_file(kRelayServer)))),
              HasSubstr("relay     NATS as \"fanfare\" over nats://127.0.0.1:4222\n"));
}

TEST(RelayConfig, EveryKeyReachesThePlan) {
  const auto config = parse_relay_file(relay_file(
      "servers: [\"tls://user:word@a:1\", \"nats://b:2\"], name: prod, credentialsFile: /c, tls: true, "
      "caFile: /ca, certificateFile: /cert, keyFile: /key, expectedHost: broker, replicas: 3, inMemory: "
      "true, "
      "keptMessagesMax: 5000, keptBytesMax: 1000000, keptAgeMax: 1h, heartbeat: 500ms, reconnectWait: 1s, "
      "publishTimeout: 5s, inFlightMessagesMax: 10, inFlightBytesMax: 2048"));
  ASSERT_TRUE(config) << config.error().message();
  const ServePlan plan = plan_from(*config);
  EXPECT_EQ(
      *plan.relay,
      (NatsOptions{.servers = {"tls://user:word@a:1", "nats://b:2"},
                   .name = "prod",
                   .credentials_file = "/c",
                   .tls = true,
                   .ca_file = "/ca",
                   .certificate_file = "/cert",
                   .key_file = "/key",
                   .expected_host = "broker",
                   .replicas = 3,
                   .in_memory = true,
                   .limits = {.messages_max = 5000, .bytes_max = 1'000'000, .age_max = std::chrono::hours(1)},
                   .in_flight_messages_max = 10,
                   .in_flight_bytes_max = 2048,
                   .publish_timeout = std::chrono::seconds(5),
                   .heartbeat = milliseconds(500),
                   .reconnect_wait = std::chrono::seconds(1)}));
  EXPECT_THAT(summary_of(plan), HasSubstr("relay     NATS as \"prod\" over tls://a:1 nats://b:2\n"));
  EXPECT_THAT(summary_of(plan), HasSubstr("history 300, relayed\n"));
}

TEST(RelayConfig, SecretsComeFromTheEnvironment) {
  const auto config =
      parse_relay_file(relay_file("servers: [\"nats://a\"], user: fan, password: \"${SECRET}\""));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->relay->password, "from-outside");
  const auto token = parse_relay_file(relay_file("servers: [\"nats://a\"], token: \"${SECRET}\""));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->relay->token, "from-outside");
}

TEST(RelayConfig, WhatCannotWorkIsRefused) {
  const std::string server(kRelayServer);
  EXPECT_EQ(
      relay_error(relay_file("")),
      "g.yaml:4:7: streams.definitions[0].relay has no broker, expected relay.nats.servers in this file");
  EXPECT_THAT(relay_error("projects: []\nrelay: { nats: { " + server + " } }\n"), HasSubstr("projects"));
  EXPECT_THAT(relay_error(relay_file(kRelayServer, ", relay: true", "a" + std::string(60, '.') + "b")),
              HasSubstr("is too long for the broker's names, expected fewer dots: each counts three times"));
  EXPECT_EQ(relay_error(relay_file("name: x")),
            "g.yaml:5:16: relay.nats has no key \"servers\", expected it to be given");
  EXPECT_THAT(relay_error(relay_file("servers: []")), HasSubstr("relay.nats.servers is an empty list"));
  EXPECT_THAT(relay_error(relay_file(server + ", user: u")), HasSubstr("has one of user and password"));
  EXPECT_THAT(relay_error(relay_file(server + ", token: t, credentialsFile: /c")),
              HasSubstr("has several kinds of credentials"));
  EXPECT_THAT(relay_error(relay_file(server + ", keyFile: /k")),
              HasSubstr("has one of certificateFile and keyFile"));
  EXPECT_THAT(relay_error(relay_file(server + ", expectedHost: h")),
              HasSubstr("relay.nats.expectedHost has no effect without TLS"));
  EXPECT_THAT(relay_error(relay_file(server + ", replicas: 2")), HasSubstr("relay.nats.replicas is even"));
  EXPECT_THAT(relay_error(relay_file(server + ", replicas: 6")), HasSubstr("relay.nats.replicas"));
  EXPECT_THAT(relay_error(relay_file(server + ", name: a.b")),
              HasSubstr("cannot name streams of the broker"));
}

TEST(RelayConfig, MessagesShowNoPassword) {
  const std::string error = relay_error(relay_file("servers: [\"http://fan:secret@x\"]"));
  EXPECT_THAT(error,
              HasSubstr("relay.nats.servers[0] is malformed (\"http://x\"), expected nats://HOST:PORT"));
  EXPECT_THAT(error, testing::Not(HasSubstr("secret")));
}

TEST(RelayConfig, TheEndsOfTheRangesAreAccepted) {
  const std::string server(kRelayServer);
  const auto check = [&](const std::string& key, std::string_view good, std::string_view bad) {
    EXPECT_EQ(relay_error(relay_file(server + ", " + key + ": " + std::string(good))), "none") << key;
    EXPECT_THAT(relay_error(relay_file(server + ", " + key + ": " + std::string(bad))),
                HasSubstr("relay.nats." + key));
  };
  check("keptMessagesMax", "2", "1");
  check("keptBytesMax", "65536", "65535");
  check("keptAgeMax", "1s", "999ms");
  check("heartbeat", "100ms", "99ms");
  check("heartbeat", "1m", "61s");
  check("reconnectWait", "10ms", "9ms");
  check("publishTimeout", "1m", "61s");
  check("inFlightMessagesMax", "1", "0");
  check("inFlightBytesMax", "1024", "1023");
}

TEST(RelayConfig, SessionsAreRelayedWithABroker) {
  const auto file = [](std::string_view websocket, std::string_view relay) {
    return "server: { websocket: { " + std::string(websocket) + " } }\nprojects:\n" +
           "  - id: main\n    networks: [{ architecture: evm, evm: { chainId: 1 } }]\n" +
           "    upstreams: [{ id: node, endpoint: \"http://127.0.0.1:1\" }]\n" + std::string(relay);
  };
  const std::string broker = "relay: { nats: { " + std::string(kRelayServer) + " } }\n";
  const auto config =
      parse_relay_file(file("relaySessions: true, maxSubscriptionsPerConnection: 1000", broker));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(plan_from(*config).websocket.relayed_sessions);
  EXPECT_FALSE(plan_from(*parse_relay_file(file("enabled: true", broker))).websocket.relayed_sessions);
  EXPECT_THAT(relay_error(file("relaySessions: true", "")),
              HasSubstr("server.websocket.relaySessions has no broker, expected relay.nats.servers"));
  EXPECT_THAT(
      relay_error(file("relaySessions: true, maxSubscriptionsPerConnection: 1001", broker)),
      HasSubstr("maxSubscriptionsPerConnection is \"1001\", expected at most 1000 with relaySessions"));
}

}  // namespace
}  // namespace fanfare::gateway
