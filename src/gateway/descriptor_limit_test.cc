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

TEST(ClientsMax, LeavesDescriptorsForTheOperatorAndTheNodes) {
  constexpr std::uint64_t kKept = kOwnDescriptors + kOperatorDescriptors;
  EXPECT_EQ(clients_max(0, 1024, 0), 1024 - kKept);
  EXPECT_EQ(clients_max(0, 1024, 100), 1024 - kKept - 100);
  EXPECT_EQ(clients_max(0, 1024, 256), 1024 - kKept - 256);
  EXPECT_EQ(clients_max(0, 1024, 257), 1024 - kKept - 256) << "a quarter for nodes at most";
}

TEST(ClientsMax, NeverRaisesTheConfiguredNumber) {
  EXPECT_EQ(clients_max(100, 1024, 0), 100U);
  EXPECT_EQ(clients_max(5000, 1024, 0), 1024 - kOwnDescriptors - kOperatorDescriptors);
  EXPECT_EQ(clients_max(5000, 0, 0), 5000U) << "no limit";
  EXPECT_EQ(clients_max(0, 0, 7), 0U);
}

TEST(ClientsMax, IsAQuarterWhereThereIsLittle) {
  EXPECT_EQ(clients_max(0, 40, 10), 10U);
  EXPECT_EQ(clients_max(0, 128, 0), 32U);
  EXPECT_EQ(clients_max(0, 132, 0), 36U);
}

}  // namespace
}  // namespace fanfare::gateway
