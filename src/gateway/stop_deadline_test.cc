// A process that does not stop in time is terminated.

#include "gateway/stop_deadline.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <future>

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

TEST(StopDeadlineDeathTest, WhatNeverEndsIsEndedAtTheDeadline) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const StopDeadline deadline(20ms);
        std::promise<void>().get_future().wait_for(1h);
      },
      testing::ExitedWithCode(EXIT_FAILURE), "stop_deadline_passed after_ms=20");
}

TEST(StopDeadlineDeathTest, WhatEndsInTimeIsLeftAlone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        {
          const StopDeadline deadline(1h);
        }
        std::exit(7);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace fanfare::gateway
