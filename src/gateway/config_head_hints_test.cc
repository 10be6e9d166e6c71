// The key headHints of an upstream.

#include <gtest/gtest.h>

#include <string>

#include "gateway/config.h"
#include "gateway/config_summary.h"
#include "gateway/upstream_node.h"

namespace fanfare::gateway {
namespace {

std::expected<Config, ConfigError> config_with_hints(const std::string& upstream) {
  return parse_config(R"(projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: node, )" +
                          upstream + " }]\n",
                      "test.yaml", [](std::string_view) { return std::optional<std::string>(); });
}

UpstreamPlan plan_with_hints(const std::string& upstream) {
  const auto config = config_with_hints(upstream);
  EXPECT_TRUE(config) << config.error().message();
  return config->projects.front().upstreams.front().plan;
}

std::string error_with_hints(const std::string& upstream) {
  const auto config = config_with_hints(upstream);
  return config ? "no error" : config.error().message();
}

TEST(ConfigHeadHints, EachOfItsWords) {
  const std::string endpoint = "endpoint: \"https://user:word@node.example/key\", headers: { X-Token: abc }";
  EXPECT_EQ(plan_with_hints(endpoint).head_hints, upstream::HeadHintsChoice::automatic);
  EXPECT_EQ(plan_with_hints(endpoint + ", headHints: auto").head_hints, upstream::HeadHintsChoice::automatic);
  EXPECT_EQ(plan_with_hints(endpoint + ", headHints: never").head_hints, upstream::HeadHintsChoice::never);
}

TEST(ConfigHeadHints, WhatCannotBeIsAnError) {
  const std::string unknown = error_with_hints("endpoint: \"http://node\", headHints: off");
  EXPECT_TRUE(unknown.contains("has an unknown value (\"off\")")) << unknown;
  EXPECT_TRUE(unknown.contains("auto, never")) << unknown;
  const std::string websocket = error_with_hints("endpoint: \"ws://node\", headHints: auto");
  EXPECT_TRUE(websocket.contains("headHints has no meaning for a WebSocket endpoint")) << websocket;
}

TEST(ConfigHeadHints, TheConnectionHasTheUpstreamsUrlAndHeaders) {
  const auto hints = hint_options(
      plan_with_hints("endpoint: \"https://user:word@node.example/key\", headers: { X-Token: abc }"),
      nullptr);
  ASSERT_TRUE(hints);
  EXPECT_EQ(hints->url, "https://user:word@node.example/key");
  EXPECT_EQ(hints->name, "node");
  EXPECT_EQ(hints->headers, (std::vector<std::pair<std::string, std::string>>{{"X-Token", "abc"}}));
  EXPECT_FALSE(hint_options(plan_with_hints("endpoint: \"http://node\", headHints: never"), nullptr));
  EXPECT_FALSE(hint_options(plan_with_hints("endpoint: \"wss://node\""), nullptr));
}

TEST(ConfigHeadHints, TheSummarySaysThatTheyAreOff) {
  const auto summary = [](const std::string& upstream) {
    const auto config = config_with_hints(upstream);
    return summary_of(plan_from(*config), config->web);
  };
  EXPECT_TRUE(summary("endpoint: \"http://node\", headHints: never")
                  .contains("http://node, timeout 10s, headHints never"));
  EXPECT_FALSE(summary("endpoint: \"http://node\"").contains("headHints"));
}

}  // namespace
}  // namespace fanfare::gateway
