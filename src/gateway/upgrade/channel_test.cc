#include "gateway/upgrade/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

TEST(UpgradeChannel, PassesTextsAndDescriptorsInOrder) {
  auto [ours, theirs] = *UpgradeChannel::make();
  const net::Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(ours.send("socket main", file.get()));
  ASSERT_TRUE(ours.send("end"));
  auto first = theirs.receive(1s);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->text, "socket main");
  ASSERT_TRUE((*first)->descriptor.valid());
  EXPECT_NE((*first)->descriptor.get(), file.get());
  EXPECT_NE(::fcntl((*first)->descriptor.get(), F_GETFD) & FD_CLOEXEC, 0);
  struct stat sent{};
  struct stat received{};
  ASSERT_EQ(::fstat(file.get(), &sent), 0);
  ASSERT_EQ(::fstat((*first)->descriptor.get(), &received), 0);
  EXPECT_EQ(sent.st_rdev, received.st_rdev);
  auto second = theirs.receive(1s);
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->text, "end");
  EXPECT_FALSE((*second)->descriptor.valid());
}

TEST(UpgradeChannel, TellsSilenceFromTheEnd) {
  auto sides = *UpgradeChannel::make();
  const auto silence = sides.first.receive(0s);
  ASSERT_TRUE(silence);
  EXPECT_FALSE(*silence);
  {
    const UpgradeChannel gone = std::move(sides.second);
  }
  EXPECT_EQ(sides.first.receive(1s).error().code, ECONNRESET);
  EXPECT_FALSE(sides.first.send("late"));
}

}  // namespace
}  // namespace fanfare::gateway
