#include "gateway/descriptor_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace fanfare::gateway {
namespace {

TEST(DescriptorLimit, TheSoftLimitIsRaisedToTheHardOne) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlim_t hard = limit.rlim_max;
  limit.rlim_cur = 200;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);

  const auto raised = raise_descriptor_limit();
  ASSERT_TRUE(raised) << raised.error();
  EXPECT_EQ(raised->before, 200U);
  EXPECT_EQ(raised->now, hard);
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, hard);
  // A second call changes nothing.
  const auto again = raise_descriptor_limit();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->before, again->now);
}

}  // namespace
}  // namespace fanfare::gateway
