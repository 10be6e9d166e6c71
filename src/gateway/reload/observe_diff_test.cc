#include "gateway/reload/observe_diff.h"

#include <gmock/gmock.h>

#include <string>

namespace fanfare::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> lines_from(const ObservePlan& running, const ObservePlan& wanted) {
  ServePlan from;
  from.observe = running;
  ServePlan to;
  to.observe = wanted;
  const PlanDiff diff = diff_plans(from, to);
  EXPECT_FALSE(diff.needs_restart());
  EXPECT_EQ(diff.result, to);
  std::vector<std::string> all;
  for (const PlanChange& change : diff.changes) all.push_back(change.line());
  return all;
}

TEST(ObserveDiff, EachSettingOfTheAccessLogIsToldWithBothValues) {
  const ObservePlan running{.access_log = {.path = "/var/log/a"}};
  const ObservePlan wanted{.access_log = {.path = "/var/log/b",
                                          .format = log::Format::text,
                                          .sample = 0.25,
                                          .slower_than = std::chrono::seconds(2),
                                          .errors = AccessLogPlan::Errors::sampled,
                                          .queued_lines_max = 100}};
  EXPECT_THAT(
      lines_from(running, wanted),
      ElementsAre("~ server.accessLog.path: /var/log/a -> /var/log/b",
                  "~ server.accessLog.format: json -> text", "~ server.accessLog.sample: 1 -> 0.25",
                  "~ server.accessLog.slowerThan: 1s -> 2s", "~ server.accessLog.errors: all -> sampled",
                  "~ server.accessLog.queueLines: 8192 -> 100"));
  EXPECT_THAT(lines_from(running, running), IsEmpty());
}

// The defaults of a log that is not there are nobody's business.
TEST(ObserveDiff, WhatIsTurnedOnOrOffIsOneLine) {
  const ObservePlan on{.access_log = {.path = "stdout", .sample = 0.5},
                       .tracing = {.endpoint = "http://collector.example/v1/traces", .sample = 0.5}};
  EXPECT_THAT(lines_from({}, on),
              ElementsAre("+ server.accessLog: stdout", "+ tracing: http://collector.example/v1/***"));
  EXPECT_THAT(lines_from(on, {}),
              ElementsAre("- server.accessLog: stdout", "- tracing: http://collector.example/v1/***"));
}

TEST(ObserveDiff, OfTracesNoSecretIsShown) {
  const ObservePlan running{.tracing = {.endpoint = "https://user:hunter2@collector.example/v1/traces",
                                        .headers = {{"api-key", "hunter2"}}}};
  ObservePlan wanted = running;
  wanted.tracing.endpoint = "https://user:hunter3@collector.example/v1/traces";
  wanted.tracing.headers = {{"api-key", "hunter3"}};
  wanted.tracing.attributes = {{"region", "eu"}};
  wanted.tracing.sample = 0.1;
  wanted.tracing.batch_spans_max = 16;
  EXPECT_THAT(
      lines_from(running, wanted),
      ElementsAre("~ tracing.endpoint: a part that is not shown", "~ tracing.headers", "~ tracing.attributes",
                  "~ tracing.sample: 1 -> 0.1", "~ tracing.batchSpans: 512 -> 16"));
}

TEST(ObserveDiff, RequestIdsAndTheFormOfTheLog) {
  EXPECT_THAT(
      lines_from({}, {.request_ids = true, .trusted = TrustedClients::all, .log_format = log::Format::json}),
      ElementsAre("~ server.requestIds.enabled: false -> true", "~ server.requestIds.trust: loopback -> all",
                  "~ logFormat: text -> json"));
}

}  // namespace
}  // namespace fanfare::gateway
