// The size of io_uring's queues depends on the number of streams, as reported by the kernel.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "net/loop.h"

namespace fanfare::net {
namespace {

struct RingSize {
  std::size_t submissions = 0;
  std::size_t completions = 0;
  friend bool operator==(const RingSize&, const RingSize&) = default;
};

std::set<std::string> rings() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // one of them is the descriptor that lists them
    if (std::filesystem::read_symlink(entry.path(), gone) == "anon_inode:[io_uring]")
      found.insert(entry.path().filename());
  }
  return found;
}

RingSize size_of(const std::string& descriptor) {
  std::ifstream info("/proc/self/fdinfo/" + descriptor);
  RingSize size;
  for (std::string name, value; info >> name >> value;) {
    if (name == "SqMask:") size.submissions = std::stoul(value, nullptr, 0) + 1;
    if (name == "CqMask:") {
      size.completions = std::stoul(value, nullptr, 0) + 1;
      break;  // the following text has no more pairs
    }
  }
  return size;
}

RingSize size_for(std::size_t streams_max) {
  const std::set<std::string> before = rings();
  const auto loop = Loop::create({.kind = LoopKind::uring, .streams_max = streams_max});
  EXPECT_TRUE(loop);
  for (const std::string& descriptor : rings()) {
    if (!before.contains(descriptor)) return size_of(descriptor);
  }
  return {};
}

TEST(UringLoopSize, FollowsTheStreamsBetweenTwoBounds) {
  const RingSize smallest = size_for(1);
  if (smallest.submissions == 0) GTEST_SKIP() << "this kernel does not tell a ring's size";
  EXPECT_EQ(smallest, (RingSize{.submissions = 64, .completions = 256}));
  EXPECT_EQ(size_for(32), smallest);
  EXPECT_EQ(size_for(33).submissions, 128U);
  EXPECT_EQ(size_for(2048).submissions, 4096U);
  EXPECT_EQ(size_for(100'000).submissions, 4096U);
}

}  // namespace
}  // namespace fanfare::net
