// The key httpClient of an upstream.

#include <gtest/gtest.h>

#include <string>

#include "gateway/config.h"

namespace fanfare::gateway {
namespace {

using upstream::HttpClientChoice;

std::expected<Config, ConfigError> parse_with(const std::string& upstream) {
  return parse_config(R"(projects:
  - id: main
    networks: [{ architecture: evm, evm: { chainId: 1 } }]
    upstreams: [{ id: node, )" +
                          upstream + " }]\n",
                      "test.yaml", [](std::string_view) { return std::optional<std::string>(); });
}

std::string error_with(const std::string& upstream) {
  const auto config = parse_with(upstream);
  return config ? "no error" : config.error().message();
}

TEST(ConfigHttpClient, EachOfItsWords) {
  const auto chosen = [](const std::string& more) {
    const auto config = parse_with("endpoint: \"https://node.example\"" + more);
    EXPECT_TRUE(config) << config.error().message();
    return config->projects.front().upstreams.front().plan.http_client;
  };
  EXPECT_EQ(chosen(""), HttpClientChoice::automatic);
  EXPECT_EQ(chosen(", httpClient: auto"), HttpClientChoice::automatic);
  EXPECT_EQ(chosen(", httpClient: builtin"), HttpClientChoice::builtin);
  EXPECT_EQ(chosen(", httpClient: libcurl"), HttpClientChoice::libcurl);
}

TEST(ConfigHttpClient, WhatCannotBeIsAnError) {
  const std::string unknown = error_with("endpoint: \"http://node\", httpClient: curl");
  EXPECT_TRUE(unknown.contains("has an unknown value (\"curl\")")) << unknown;
  EXPECT_TRUE(unknown.contains("auto, builtin, libcurl")) << unknown;

  const std::string websocket = error_with("endpoint: \"ws://node\", httpClient: builtin");
  EXPECT_TRUE(websocket.contains("httpClient has no meaning for a WebSocket endpoint")) << websocket;

  const std::string header =
      error_with("endpoint: \"http://node\", headers: { Accept-Encoding: br }, httpClient: builtin");
  EXPECT_TRUE(header.contains("the built-in client does not support a header \"Accept-Encoding\"")) << header;
  EXPECT_TRUE(header.contains("expected auto or libcurl")) << header;
  EXPECT_EQ(error_with("endpoint: \"http://node\", headers: { Accept-Encoding: br }"), "no error");
}

}  // namespace
}  // namespace fanfare::gateway
