#include "canvas/pacer.h"

#include <gtest/gtest.h>

namespace fanfare::canvas {
namespace {

using std::chrono::milliseconds;

TEST(Pacer, KeepsTheShortestTickWhileItIsCheap) {
  Pacer pacer(milliseconds(16), milliseconds(100));
  EXPECT_EQ(pacer.interval(), milliseconds(16));
  for (int i = 0; i < 100; ++i) pacer.add(milliseconds(8));
  EXPECT_EQ(pacer.interval(), milliseconds(16));
}

TEST(Pacer, GrowsAtOnceToTwiceTheCostAndAtMostToTheLongestTick) {
  Pacer pacer(milliseconds(16), milliseconds(100));
  pacer.add(milliseconds(9));
  EXPECT_EQ(pacer.interval(), milliseconds(18));
  pacer.add(milliseconds(50));
  EXPECT_EQ(pacer.interval(), milliseconds(100));
  pacer.add(milliseconds(51));
  EXPECT_EQ(pacer.interval(), milliseconds(100));
  pacer.add(Duration::max());
  EXPECT_EQ(pacer.interval(), milliseconds(100));
}

TEST(Pacer, ShrinksByAnEighthOfTheDifference) {
  Pacer pacer(milliseconds(16), milliseconds(100));
  pacer.add(milliseconds(48));
  EXPECT_EQ(pacer.interval(), milliseconds(96));
  pacer.add(Duration::zero());
  EXPECT_EQ(pacer.interval(), milliseconds(86));
  Duration before = pacer.interval();
  int ticks = 0;
  for (; pacer.interval() > milliseconds(16); ++ticks) {
    pacer.add(Duration::zero());
    EXPECT_LT(pacer.interval(), before);
    before = pacer.interval();
    ASSERT_LT(ticks, 200);
  }
  EXPECT_EQ(pacer.interval(), milliseconds(16));
  EXPECT_GT(ticks, 8) << "not at once";
}

}  // namespace
}  // namespace fanfare::canvas
