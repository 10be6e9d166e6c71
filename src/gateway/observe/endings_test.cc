// Also meant for ThreadSanitizer.

#include "gateway/observe/endings.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace fanfare::gateway {
namespace {

// Its destructor waits until it may go on.
struct Slow {
  std::shared_future<void> may_end;
  std::atomic<int>& ended;

  ~Slow() {
    may_end.wait();
    ++ended;
  }
};

TEST(Endings, WhoeverDropsTheLastReferenceDoesNotWait) {
  std::promise<void> go;
  const std::shared_future<void> may_end = go.get_future().share();
  std::atomic<int> ended = 0;
  {
    Endings endings;
    EXPECT_EQ(endings.count(), 0U);
    auto first = endings.share(std::make_unique<Slow>(may_end, ended));
    const auto again = first;
    auto second = endings.share(std::make_unique<Slow>(may_end, ended));
    EXPECT_EQ(endings.count(), 2U);
    first.reset();
    second.reset();
    EXPECT_EQ(endings.count(), 2U) << "one is in use, and one has not ended";
    EXPECT_EQ(ended, 0);
    go.set_value();
  }
  EXPECT_EQ(ended, 2);
}

// As long as one hangs, others that were dropped after it end.
TEST(Endings, OneDoesNotWaitForAnother) {
  std::promise<void> go;
  std::promise<void> at_once;
  at_once.set_value();
  const std::shared_future<void> may_end = go.get_future().share();
  const std::shared_future<void> ends = at_once.get_future().share();
  std::atomic<int> ended = 0;
  Endings endings;
  auto hangs = endings.share(std::make_unique<Slow>(may_end, ended));
  auto one = endings.share(std::make_unique<Slow>(ends, ended));
  auto other = endings.share(std::make_unique<Slow>(ends, ended));
  hangs.reset();
  one.reset();
  other.reset();
  for (int i = 0; i < 10'000'000 && endings.count() > 1; ++i) std::this_thread::yield();
  EXPECT_EQ(endings.count(), 1U);
  EXPECT_EQ(ended, 2);
  endings.share(std::make_unique<Slow>(ends, ended)).reset();
  go.set_value();
}

TEST(Endings, WithoutObjectsThereIsNothingToWaitFor) {
  const Endings endings;
  EXPECT_EQ(endings.count(), 0U);
}

}  // namespace
}  // namespace fanfare::gateway
