#include "gateway/upgrade/predecessor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "gateway/upgrade/program.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class PredecessorTest : public testing::Test {
 protected:
  PredecessorTest() : sides_(*UpgradeChannel::make()) {}

  // The variable's text for copies of its descriptors, which the predecessor takes over.
  std::string variable() const {
    return "1:" + std::to_string(::fcntl(sides_.second.fd(), F_DUPFD_CLOEXEC, 0)) + ":" +
           std::to_string(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  }
  UpgradeChannel& old_process() { return sides_.first; }

  std::pair<UpgradeChannel, UpgradeChannel> sides_;
};

TEST_F(PredecessorTest, PassesItsSocketsAndWhatMustBeReady) {
  const net::Descriptor socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(old_process().send("socket main 127.0.0.1 4000 #0", socket.get()));
  ASSERT_TRUE(old_process().send("network main/1"));
  ASSERT_TRUE(old_process().send("end 4711"));
  ::setenv(kUpgradeVariable, variable().c_str(), 1);
  auto predecessor = Predecessor::of_environment();
  EXPECT_EQ(std::getenv(kUpgradeVariable), nullptr) << "not for the children of this process";
  ASSERT_TRUE(predecessor) << predecessor.error();
  ASSERT_TRUE(*predecessor);
  ASSERT_EQ((*predecessor)->sockets().size(), 1U);
  EXPECT_EQ((*predecessor)->sockets()[0].name, "main 127.0.0.1 4000 #0");
  EXPECT_THAT((*predecessor)->networks(), ElementsAre("main/1"));
  EXPECT_EQ((*predecessor)->pid(), 4711);

  ASSERT_TRUE(old_process().send("accept"));
  (*predecessor)->wait_for_turn();
  EXPECT_EQ((*old_process().receive(0s))->text, "ready");
  ASSERT_TRUE(old_process().send("done"));
  (*predecessor)->take_over();
  EXPECT_EQ((*old_process().receive(0s))->text, "accepting");
  const int fd = (*predecessor)->sockets()[0].fd;
  EXPECT_GE(::fcntl(fd, F_GETFD), 0);
  EXPECT_EQ((*predecessor)->close_unwanted(ServePlan{}), 1U);
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST_F(PredecessorTest, ThatHasEndedIsNotWaitedFor) {
  ASSERT_TRUE(old_process().send("end 4711"));
  auto predecessor = Predecessor::of(variable());
  ASSERT_TRUE(predecessor) << predecessor.error();
  EXPECT_FALSE(predecessor->is_gone(0s));
  {
    const auto gone = std::move(sides_);
  }
  EXPECT_TRUE(predecessor->is_gone(1s));
  predecessor->wait_for_turn();
  predecessor->take_over();
}

TEST_F(PredecessorTest, ThatEndsTooEarlyIsAnError) {
  ASSERT_TRUE(old_process().send("network main/1"));
  const std::string text = variable();
  {
    const auto gone = std::move(sides_);
  }
  EXPECT_THAT(Predecessor::of(text).error(), HasSubstr("has ended"));
}

TEST_F(PredecessorTest, OfAnotherBuildIsAnError) {
  ASSERT_TRUE(old_process().send("gift"));
  EXPECT_THAT(Predecessor::of(variable()).error(), HasSubstr("sent \"gift\""));
  for (const char* const text : {"", "1", "1:", "1:3", "1:3:", "2:3:4", "1:x:4", "1:-3:4", "1:9999:4"}) {
    EXPECT_THAT(Predecessor::of(text).error(), HasSubstr("FANFARE_UPGRADE is \"" + std::string(text)))
        << text;
  }
}

TEST_F(PredecessorTest, IsNoneWithoutTheVariable) {
  const auto none = Predecessor::of_environment();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

}  // namespace
}  // namespace fanfare::gateway
