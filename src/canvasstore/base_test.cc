// A log that begins with a state: that of a shared room, when an instance has loaded it.
#include "canvasstore/storage_for_tests.h"

namespace fanfare::canvasstore {
namespace {

TEST(CanvasBase, TheLogForgetsWhatWasBeforeAndBeginsWithTheState) {
  TestStorage test({.path = "", .spec = {}, .new_epoch = 7});
  ASSERT_EQ(test.error, "");
  test.storage->append(tick_of(1, kStart, 5, 0x111111));
  LoggedTick base = tick_of(50, kStart + 1000, 6, 0x222222, 3, kFirst, 40);
  base.is_base = true;
  test.storage->append(std::move(base));
  test.storage->append(tick_of(51, kStart + 2000, 7, 0x333333, 1, kFirst, 41));
  ASSERT_TRUE(test.wait_committed(51));
  const auto span = test.ask([](PastLog& log) { return log.span(); });
  ASSERT_TRUE(span);
  EXPECT_EQ(span->first_ms, kStart + 1000);
  EXPECT_FALSE(span->is_complete) << "nobody knows what was before";
  EXPECT_EQ(test.colour_at(kStart + 1000, 5), 0xFFFFFFU);
  EXPECT_EQ(test.colour_at(kStart + 1000, 6), 0x222222U);
  EXPECT_EQ(test.colour_at(kStart + 1500, 7), 0xFFFFFFU);
  EXPECT_EQ(test.colour_at(kStart + 2000, 7), 0x333333U);
  // With an earlier number: the broker has lost its log.
  base = tick_of(2, kStart + 3000, 8, 0x444444);
  base.is_base = true;
  test.storage->append(std::move(base));
  const auto after = test.at(kStart + 3000);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].version, 2U);
  EXPECT_EQ(after[0].pixels.colours[8], 0x444444U);
  EXPECT_EQ(after[0].pixels.colours[6], 0xFFFFFFU);
}

}  // namespace
}  // namespace fanfare::canvasstore
