#include "gateway/observe/bounded_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace fanfare::gateway {
namespace {

using std::chrono::hours;

TEST(BoundedQueue, TakesWhatFitsAndNotOneMore) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.take(1, hours(1)).items, (std::vector{1, 2}));
  EXPECT_TRUE(queue.push(4));
}

TEST(BoundedQueue, GivesTheRestAfterItWasClosed) {
  BoundedQueue<int> queue(2);
  queue.push(1);
  queue.close();
  EXPECT_FALSE(queue.push(2));
  const auto taken = queue.take(2, hours(1));
  EXPECT_EQ(taken.items, std::vector{1});
  EXPECT_TRUE(taken.closed);
}

TEST(BoundedQueue, ReturnsWhenPokedOrFullWithoutWaitingForMore) {
  BoundedQueue<int> queue(1);
  queue.poke();
  EXPECT_TRUE(queue.take(1, hours(1)).items.empty());
  queue.push(1);
  EXPECT_EQ(queue.take(100, hours(1)).items.size(), 1U) << "more can never come";
}

TEST(BoundedQueue, WakesItsReader) {
  BoundedQueue<int> queue(1000);
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i) queue.push(i);
  });
  std::size_t taken = 0;
  while (taken < 100) taken += queue.take(1, hours(1)).items.size();
  writer.join();
  EXPECT_EQ(taken, 100U);
}

}  // namespace
}  // namespace fanfare::gateway
