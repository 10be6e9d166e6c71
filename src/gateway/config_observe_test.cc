#include "gateway/config_observe.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/config.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

using std::chrono::seconds;

constexpr std::string_view kProjects =
    "projects: [{ id: main, networks: [{ architecture: evm, evm: { chainId: 1 } }],"
    " upstreams: [{ id: a, endpoint: http://127.0.0.1:8545 }] }]\n";

// The plan of a file with these lines at its root and in its server; for a file with an error, the error.
std::expected<ObservePlan, std::string> plan_of_lines(const std::string& root, const std::string& server) {
  const std::string text = root + "server:\n  httpPort: 0\n" + server + std::string(kProjects);
  const auto config =
      parse_config(text, "a.yaml", [](std::string_view) { return std::optional<std::string>(); });
  if (!config) return std::unexpected(config.error().message());
  return plan_from(*config).observe;
}

TEST(ConfigObserve, NothingIsRecordedByDefault) {
  const auto plan = plan_of_lines("", "");
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_EQ(*plan, ObservePlan{});
  EXPECT_FALSE(plan->is_on());
}

TEST(ConfigObserve, EveryKeyReachesThePlan) {
  const std::string path = FANFARE_SOURCE_DIR "/tests/golden/config/valid_everything.yaml";
  const auto config = load_config(path, [](std::string_view name) -> std::optional<std::string> {
    return name == "SECRET" ? "abc" : "http://node.example";
  });
  ASSERT_TRUE(config) << config.error().message();
  const ServePlan plan = plan_from(*config);
  EXPECT_EQ(plan.observe, (ObservePlan{.access_log = {.path = "stdout",
                                                      .format = log::Format::text,
                                                      .sample = 0.5,
                                                      .slower_than = seconds(2),
                                                      .errors = AccessLogPlan::Errors::sampled,
                                                      .queued_lines_max = 16},
                                       .tracing = {.endpoint = "http://localhost:4318/v1/traces",
                                                   .headers = {{"x-key", "hush"}},
                                                   .service_name = "edge",
                                                   .attributes = {{"region", "eu"}},
                                                   .sample = 0.25,
                                                   .parent_based = false,
                                                   .timeout = seconds(3),
                                                   .interval = seconds(2),
                                                   .batch_spans_max = 10,
                                                   .queued_spans_max = 20},
                                       .request_ids = true,
                                       .trusted = TrustedClients::none,
                                       .log_format = log::Format::json}));
}

TEST(ConfigObserve, LimitsAndOnePastThem) {
  const auto log = [](const std::string& rest) {
    return plan_of_lines("", "  accessLog: { path: stdout, " + rest + " }\n").has_value();
  };
  EXPECT_TRUE(log("sample: 0"));
  EXPECT_FALSE(log("sample: -0.1"));
  EXPECT_FALSE(log("sample: nan"));
  EXPECT_TRUE(log("slowerThan: 1h"));
  EXPECT_FALSE(log("slowerThan: 3601s"));
  EXPECT_TRUE(log("queueLines: 16"));
  EXPECT_FALSE(log("queueLines: 15"));
  EXPECT_TRUE(log("queueLines: 1000000"));
  EXPECT_FALSE(log("queueLines: 1000001"));
  const auto tracing = [](const std::string& rest) {
    return plan_of_lines("tracing: { endpoint: http://a, " + rest + " }\n", "").has_value();
  };
  EXPECT_TRUE(tracing("timeout: 10m"));
  EXPECT_FALSE(tracing("timeout: 601s"));
  EXPECT_TRUE(tracing("interval: 1h"));
  EXPECT_FALSE(tracing("interval: 3601s"));
  EXPECT_TRUE(tracing("batchSpans: 10000"));
  EXPECT_FALSE(tracing("batchSpans: 10001"));
  EXPECT_TRUE(tracing("queueSpans: 1000000"));
  EXPECT_FALSE(tracing("queueSpans: 1000001"));
}

TEST(ConfigObserve, AHeaderOfTheCollectorIsNeverShown) {
  const auto plan = plan_of_lines("tracing: { endpoint: http://a, headers: \"x y=hush\" }\n", "");
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().find("hush"), std::string::npos) << plan.error();
}

}  // namespace
}  // namespace fanfare::gateway
