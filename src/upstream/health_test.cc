#include "upstream/health.h"

#include <gtest/gtest.h>

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;

const Failure kNotConnected{.kind = FailureKind::connect};
const Failure kBadRequest{.kind = FailureKind::http_status, .http_status = 400};

struct HealthTest : ::testing::Test {
  SeededRandom random{1};
  Health health{{}, random};
  Instant now{1h};

  void fail_until_aside() {
    for (int i = 0; i < 2; ++i) ASSERT_EQ(health.failed(kNotConnected, now), Health::Edge::none);
    ASSERT_EQ(health.failed(kNotConnected, now), Health::Edge::failed);
  }
};

TEST_F(HealthTest, ThreeFailuresInARowPutItAside) {
  fail_until_aside();
  EXPECT_FALSE(health.available());
  EXPECT_GE(health.retry_at(), now + 500ms);
  EXPECT_LE(health.retry_at(), now + 1s);
}

TEST_F(HealthTest, AnAnswerBreaksTheRow) {
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(health.failed(kNotConnected, now), Health::Edge::none);
    EXPECT_EQ(health.failed(kNotConnected, now), Health::Edge::none);
    for (int k = 0; k < 3; ++k) EXPECT_EQ(health.answered(now, now), Health::Edge::none);
  }
  EXPECT_TRUE(health.available());
}

TEST_F(HealthTest, HalfOfTheRecentCallsFailingIsEnough) {
  int calls = 0;
  Health::Edge edge = Health::Edge::none;
  while (edge == Health::Edge::none && calls < 100) {
    health.answered(now, now);
    edge = health.failed(kNotConnected, now);
    calls += 2;
  }
  EXPECT_EQ(edge, Health::Edge::failed);
  EXPECT_EQ(calls, 32);
}

TEST_F(HealthTest, WhatIsOurFaultDoesNotCount) {
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(health.failed(kBadRequest, now), Health::Edge::none);
    EXPECT_EQ(health.failed({.kind = FailureKind::too_large}, now), Health::Edge::none);
    EXPECT_EQ(health.failed({.kind = FailureKind::shutdown}, now), Health::Edge::none);
    EXPECT_EQ(health.failed({.kind = FailureKind::overloaded}, now), Health::Edge::none);
  }
  EXPECT_TRUE(health.available());
}

TEST_F(HealthTest, Status429IsObeyedAtOnce) {
  const Failure limited{.kind = FailureKind::http_status, .http_status = 429, .retry_after = 7s};
  EXPECT_EQ(health.failed(limited, now), Health::Edge::failed);
  EXPECT_EQ(health.retry_at(), now + 7s);
}

TEST_F(HealthTest, AnAbsurdRetryAfterIsCapped) {
  const Failure limited{.kind = FailureKind::http_status, .http_status = 429, .retry_after = 24h};
  EXPECT_EQ(health.failed(limited, now), Health::Edge::failed);
  EXPECT_EQ(health.retry_at(), now + 60s);
}

TEST_F(HealthTest, FailedProbesWaitLongerEachTimeUpToTheLimit) {
  fail_until_aside();
  Duration longest{};
  for (int i = 0; i < 20; ++i) {
    now = health.retry_at();
    health.probe_failed(kNotConnected, now);
    const Duration wait = health.retry_at() - now;
    EXPECT_LE(wait, 60s);
    longest = std::max(longest, wait);
  }
  EXPECT_GE(health.retry_at() - now, 30s);
  EXPECT_FALSE(health.available());
}

TEST_F(HealthTest, OnlyAnAnswerToALaterCallBringsItBack) {
  const Instant before = now;
  now += 1s;
  fail_until_aside();
  EXPECT_EQ(health.answered(before, now), Health::Edge::none);
  EXPECT_FALSE(health.available());
  EXPECT_EQ(health.answered(now + 1s, now + 1s), Health::Edge::recovered);
  EXPECT_TRUE(health.available());
}

TEST_F(HealthTest, FailuresOfCallsStillUnderWayDoNotLengthenTheWait) {
  fail_until_aside();
  const Instant retry_at = health.retry_at();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(health.failed(kNotConnected, now), Health::Edge::none);
  EXPECT_EQ(health.retry_at(), retry_at);
}

TEST_F(HealthTest, FlappingGoesOnFromTheLastBackoffAndSteadinessForgetsIt) {
  fail_until_aside();
  for (int i = 0; i < 5; ++i) health.probe_failed(kNotConnected, now);
  EXPECT_EQ(health.answered(now, now), Health::Edge::recovered);
  fail_until_aside();
  EXPECT_GE(health.retry_at() - now, 30s);

  EXPECT_EQ(health.answered(now, now), Health::Edge::recovered);
  now += 61s;
  fail_until_aside();
  EXPECT_LE(health.retry_at() - now, 1s);
}

}  // namespace
}  // namespace fanfare::upstream
