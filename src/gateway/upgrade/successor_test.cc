#include "gateway/upgrade/successor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Program shell(const std::string& script) {
  return {.file = "/bin/sh",
          .arguments = {"sh", "-c", script},
          .environment = {"PATH=/usr/bin:/bin", "MARK=here"}};
}

std::string end_of(Successor& successor) {
  for (int i = 0; i < 1000; ++i) {
    if (successor.look(10ms) == Successor::State::ended) return successor.problem();
  }
  return "it did not end";
}

TEST(Successor, ThatCannotBeStartedSaysWhy) {
  const auto none =
      Successor::start({.file = "/nowhere/fanfare", .arguments = {"fanfare"}, .environment = {}}, {}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), "cannot start /nowhere/fanfare: No such file or directory");
}

TEST(Successor, ThatEndsIsReportedWithItsLastLine) {
  auto successor = Successor::start(shell("echo first >&2; echo 'a.yaml:3:5: wrong' >&2; exit 2"), {}, {});
  ASSERT_TRUE(successor) << successor.error();
  EXPECT_EQ(end_of(*successor), "it ended with status 2. Its last line: a.yaml:3:5: wrong");
}

TEST(Successor, ThatIsKilledIsReportedWithTheSignal) {
  auto successor = Successor::start(shell("kill -9 $$"), {}, {});
  ASSERT_TRUE(successor) << successor.error();
  EXPECT_EQ(end_of(*successor), "it was ended by SIGKILL, and wrote nothing");
}

TEST(Successor, GetsTheEnvironmentAndNoOtherDescriptors) {
  // Without close-on-exec: it must not be passed all the same.
  const net::Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const net::Descriptor leaky(::fcntl(file.get(), F_DUPFD, 77));  // NOLINT(android-cloexec-fcntl)
  ASSERT_EQ(leaky.get(), 77);
  auto successor = Successor::start(
      shell("for f in /proc/$$/fd/*; do echo -n \"${f##*/} \" >&2; done; echo $MARK $FANFARE_UPGRADE >&2"),
      {}, {});
  ASSERT_TRUE(successor) << successor.error();
  const std::string fds = end_of(*successor);
  EXPECT_THAT(fds, HasSubstr(": 0 1 2 3 4 "));
  EXPECT_THAT(fds, testing::EndsWith(" here 1:3:4"));
  EXPECT_THAT(fds, testing::Not(HasSubstr(" 77 ")));
}

TEST(Successor, ThatDoesNotKnowUpgradesIsNotWaitedFor) {
  auto successor = Successor::start(shell("exec 3>&-; exec sleep 1000"), {}, {});
  ASSERT_TRUE(successor) << successor.error();
  EXPECT_EQ(end_of(*successor), "it does not take over: it closed descriptor 3, and wrote nothing");
}

// More than a socket's buffer holds.
TEST(Successor, MayBeSlowToReadWhatItGets) {
  const std::vector<std::string> networks(5000, "main/1");
  auto successor = Successor::start(shell("exec sleep 1000"), {}, networks);
  ASSERT_TRUE(successor) << successor.error();
  EXPECT_EQ(successor->look(0s), Successor::State::starting);
  EXPECT_EQ(successor->look(0s), Successor::State::starting);
}

TEST(Successor, IsEndedIfItIsNotWantedAnyMore) {
  pid_t pid = -1;
  {
    auto successor = Successor::start(shell("exec sleep 1000"), {}, {});
    ASSERT_TRUE(successor) << successor.error();
    pid = successor->pid();
    EXPECT_EQ(successor->look(0s), Successor::State::starting);
    EXPECT_THAT(successor->problem("it was too slow"), HasSubstr("it was too slow, and wrote nothing"));
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

}  // namespace
}  // namespace fanfare::gateway
