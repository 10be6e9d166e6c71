// Which networks share a thread.

#include "gateway/upstream_threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace fanfare::gateway {
namespace {

using Threads = std::vector<std::size_t>;
constexpr std::string_view kThreeOfA[] = {"a", "a", "a", "b", "c"};

TEST(UpstreamThreads, ANetworkHasAThreadAtTheLimitAndShortOfIt) {
  EXPECT_EQ(share_threads(kThreeOfA, 5), (Threads{0, 1, 2, 3, 4}));
  EXPECT_EQ(share_threads(kThreeOfA, 100), (Threads{0, 1, 2, 3, 4}));
  EXPECT_EQ(share_threads({}, 1), Threads{});
}

TEST(UpstreamThreads, OnePastTheLimitAProjectSharesWithItself) {
  EXPECT_EQ(share_threads(kThreeOfA, 4), (Threads{0, 1, 0, 2, 3}));
  EXPECT_EQ(share_threads(kThreeOfA, 3), (Threads{0, 0, 0, 1, 2}));
}

TEST(UpstreamThreads, WithMoreProjectsThanThreadsTheSmallOnesShare) {
  EXPECT_EQ(share_threads(kThreeOfA, 2), (Threads{0, 0, 0, 1, 1}));
  EXPECT_EQ(share_threads(kThreeOfA, 1), (Threads{0, 0, 0, 0, 0}));
}

// For many inputs: no thread is idle, none is beyond the limit, and two projects share a thread only if there
// are more projects than threads.
TEST(UpstreamThreads, ProjectsAreApartWhereverTheyCanBe) {
  for (std::size_t shape = 0; shape < 4096; ++shape) {
    std::vector<std::string> names;
    for (std::size_t i = 0, left = shape; i < 6; ++i, left /= 4)
      names.push_back(std::string(1, static_cast<char>('a' + left % 4)));
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::size_t projects = std::set(names.begin(), names.end()).size();
    for (std::size_t threads_max = 1; threads_max <= 7; ++threads_max) {
      const Threads threads = share_threads(views, threads_max);
      ASSERT_EQ(threads.size(), names.size());
      std::map<std::size_t, std::set<std::string>> by_thread;
      for (std::size_t i = 0; i < names.size(); ++i) by_thread[threads[i]].insert(names[i]);
      const std::size_t expected = std::min(threads_max, names.size());
      EXPECT_EQ(by_thread.size(), projects <= expected ? expected : std::min(expected, projects));
      EXPECT_LT(by_thread.rbegin()->first, expected);
      if (projects > expected) continue;
      for (const auto& [thread, together] : by_thread) EXPECT_EQ(together.size(), 1U);
    }
  }
}

}  // namespace
}  // namespace fanfare::gateway
