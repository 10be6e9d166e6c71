#include "gateway/upgrade/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace fanfare::gateway {
namespace {

using testing::ElementsAre;

TEST(UpgradeProgram, IsThisOneWithItsArguments) {
  const auto program = program_again("/nowhere/fanfare");
  ASSERT_TRUE(program) << program.error();
  EXPECT_THAT(program->file, testing::EndsWith("gateway_test"));
  EXPECT_EQ(program->arguments.front(), program->file);
  EXPECT_THAT(file_of_this_process(), testing::EndsWith("gateway_test"));
}

TEST(UpgradeProgram, LeavesOutWhatIsMeantForThisProcess) {
  const std::array<const char*, 9> environment{"PATH=/bin",        "LISTEN_PID=1",      "LISTEN_FDS=2",
                                               "LISTEN_FDNAMES=a", "WATCHDOG_PID=1",    "WATCHDOG_USEC=30",
                                               "NOTIFY_SOCKET=@a", "FANFARE_UPGRADE=1", nullptr};
  EXPECT_THAT(environment_for_successor(environment.data()),
              ElementsAre("PATH=/bin", "WATCHDOG_USEC=30", "NOTIFY_SOCKET=@a"));
}

}  // namespace
}  // namespace fanfare::gateway
