#include "eth/event_list.h"

#include <gtest/gtest.h>

namespace fanfare::eth {
namespace {

TEST(EventList, KeepsWhatSomeReaderHasNotPassed) {
  EventList<int> list;
  list.push(1, 10, 1000);  // no reader
  EXPECT_EQ(list.bytes(), 0U);
  const auto slow = list.enter();
  const auto fast = list.enter();
  list.push(2, 10, 1000);
  list.push(3, 10, 1000);
  EXPECT_EQ(list.at(slow), 2);
  list.move(fast, list.end());
  EXPECT_EQ(list.bytes(), 20U);
  list.move(slow, slow + 1);
  EXPECT_EQ(list.bytes(), 10U);
  EXPECT_EQ(list.at(slow + 1), 3);
  list.leave(slow + 1);
  EXPECT_EQ(list.bytes(), 0U);
  list.leave(list.end());
}

TEST(EventList, PastTheLimitTheOldestGoButNeverTheNewest) {
  EventList<int> list;
  const auto place = list.enter();
  list.push(1, 60, 100);
  list.push(2, 40, 100);
  EXPECT_EQ(list.begin(), place);
  list.push(3, 1, 100);
  EXPECT_EQ(list.begin(), place + 1);
  list.push(4, 5000, 100);
  EXPECT_EQ(list.begin(), place + 3);
  EXPECT_EQ(list.at(place + 3), 4);
  list.leave(place);  // far behind, but still valid
  EXPECT_EQ(list.bytes(), 0U);
}

}  // namespace
}  // namespace fanfare::eth
