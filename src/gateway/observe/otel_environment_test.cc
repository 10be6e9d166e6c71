#include "gateway/observe/otel_environment.h"

#include <gtest/gtest.h>

#include <map>

namespace fanfare::gateway {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

const TracingPlan kExports{.endpoint = "http://collector/v1/traces"};

std::expected<TracingPlan, std::string> read(const Variables& variables, TracingPlan plan = kExports) {
  const auto done = read_otel_environment(
      [&](std::string_view name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
      },
      plan);
  if (!done) return std::unexpected(done.error());
  return plan;
}

TEST(OtelEnvironment, WithoutVariablesChangesNothing) {
  const TracingPlan plan{.endpoint = "http://a/v1/traces", .sample = 0.5};
  EXPECT_EQ(read({}, plan), plan);
  EXPECT_EQ(read({{"OTEL_SERVICE_NAME", " "}}, plan), plan);
}

TEST(OtelEnvironment, VariablesOfOtherProgramsDoNotMatterWhereNothingIsExported) {
  const Variables others = {{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                            {"OTEL_TRACES_SAMPLER", "xray"},
                            {"OTEL_BSP_SCHEDULE_DELAY", "0"}};
  EXPECT_EQ(read(others, {}), TracingPlan());
  EXPECT_FALSE(read(others));
  EXPECT_TRUE(read({{"OTEL_SDK_DISABLED", "TRUE"}, {"OTEL_TRACES_SAMPLER", "xray"}}));
}

TEST(OtelEnvironment, AddsThePathToTheCommonEndpointOnly) {
  EXPECT_EQ(read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"}})->endpoint, "http://a:4318/v1/traces");
  EXPECT_EQ(read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318/x/"}})->endpoint,
            "http://a:4318/x/v1/traces");
  EXPECT_EQ(read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"},
                  {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://b/t"}})
                ->endpoint,
            "https://b/t");
  EXPECT_EQ(read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "a:4318"}}).error(),
            "OTEL_EXPORTER_OTLP_ENDPOINT is no URL, expected http:// or https:// followed by a host");
}

TEST(OtelEnvironment, TurnsTracesOff) {
  EXPECT_EQ(read({{"OTEL_SDK_DISABLED", "true"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"}},
                 {.endpoint = "http://file"})
                ->endpoint,
            "");
}

TEST(OtelEnvironment, TurnsTracesOffByTheExporter) {
  EXPECT_EQ(read({{"OTEL_TRACES_EXPORTER", "none"}}, {.endpoint = "http://file"})->endpoint, "");
  EXPECT_EQ(read({{"OTEL_TRACES_EXPORTER", "otlp"}}, {.endpoint = "http://file"})->endpoint, "http://file");
}

TEST(OtelEnvironment, RefusesAProtocolThatItDoesNotSpeak) {
  EXPECT_EQ(read({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}}).error(),
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, expected http/json, with the collector's HTTP port (4318)");
  EXPECT_TRUE(
      read({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"}}));
  EXPECT_TRUE(read({{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"}}));
}

TEST(OtelEnvironment, ReadsHeadersAndAttributes) {
  const auto plan = read({{"OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, other=%zz="},
                          {"OTEL_RESOURCE_ATTRIBUTES", "service.name=edge,region=eu"}});
  ASSERT_TRUE(plan);
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(plan->headers, (Pairs{{"x-key", "a b"}, {"other", "%zz="}}));
  EXPECT_EQ(plan->attributes, (Pairs{{"region", "eu"}}));
  EXPECT_EQ(plan->service_name, "edge");
  EXPECT_EQ(
      read({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=edge"}, {"OTEL_SERVICE_NAME", "mine"}})->service_name,
      "mine");
}

TEST(OtelEnvironment, NeverShowsAHeaderThatIsMalformed) {
  for (const char* value : {"SECRET", "=SECRET", "x=SECRET%0d%0aY: z", "x y=SECRET"}) {
    const auto plan = read({{"OTEL_EXPORTER_OTLP_HEADERS", value}});
    ASSERT_FALSE(plan) << value;
    EXPECT_TRUE(plan.error().starts_with("OTEL_EXPORTER_OTLP_HEADERS ")) << plan.error();
    EXPECT_EQ(plan.error().find("SECRET"), std::string::npos) << plan.error();
  }
}

TEST(OtelEnvironment, ReadsEverySampler) {
  const auto sampler = [](const char* name, const char* argument) {
    return read({{"OTEL_TRACES_SAMPLER", name}, {"OTEL_TRACES_SAMPLER_ARG", argument}});
  };
  EXPECT_EQ(sampler("always_on", "")->sample, 1);
  EXPECT_FALSE(sampler("always_on", "")->parent_based);
  EXPECT_EQ(sampler("parentbased_always_off", "")->sample, 0);
  EXPECT_TRUE(sampler("parentbased_always_off", "")->parent_based);
  EXPECT_EQ(sampler("parentbased_traceidratio", "0.25")->sample, 0.25);
  EXPECT_EQ(sampler("traceidratio", "")->sample, 1);
  EXPECT_EQ(sampler("traceidratio", "1.01").error(),
            "OTEL_TRACES_SAMPLER_ARG is not a part of a whole, expected a number from 0 to 1");
  EXPECT_FALSE(sampler("jaeger_remote", ""));
}

TEST(OtelEnvironment, ReadsTheBatchProcessor) {
  const auto plan = read({{"OTEL_BSP_SCHEDULE_DELAY", "100"},
                          {"OTEL_BSP_MAX_QUEUE_SIZE", "10"},
                          {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"},
                          {"OTEL_EXPORTER_OTLP_TIMEOUT", "600000"}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->interval, std::chrono::milliseconds(100));
  EXPECT_EQ(plan->queued_spans_max, 10U);
  EXPECT_EQ(plan->batch_spans_max, 5U);
  EXPECT_EQ(plan->timeout, std::chrono::minutes(10));
  EXPECT_FALSE(read({{"OTEL_EXPORTER_OTLP_TIMEOUT", "600001"}}));
  EXPECT_FALSE(read({{"OTEL_BSP_MAX_QUEUE_SIZE", "0"}}));
}

}  // namespace
}  // namespace fanfare::gateway
