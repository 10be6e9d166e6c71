#include "base/long_list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

namespace fanfare {
namespace {

TEST(LongList, KeepsItsElementsAndTheirOrderWhenItGivesBackTheRest) {
  LongList<int> list;
  for (int i = 0; i < 10'000; ++i) list.push_back(i);
  while (list.size() > 7) list.pop_back();
  list.give_back_rest();
  EXPECT_EQ(list.size(), 7U);
  EXPECT_EQ(std::accumulate(list.begin(), list.end(), 0), 21);
  EXPECT_EQ(list.back(), 6);
  list.push_back(7);
  EXPECT_EQ(list[7], 7);
}

// The address changes only with a copy.
TEST(LongList, GivesBackBelowAQuarterOfItsLongest) {
  LongList<int> list;
  for (int i = 0; i < 4000; ++i) list.push_back(i);
  const int* const first = &list[0];
  while (list.size() > 1000) list.pop_back();
  list.give_back_rest();
  EXPECT_EQ(&list[0], first);
  list.pop_back();
  list.give_back_rest();
  EXPECT_NE(&list[0], first);
  const int* const copied = &list[0];
  list.give_back_rest();
  EXPECT_EQ(&list[0], copied) << "it is not much longer than it is";
}

TEST(LongList, GivesBackAllOfAnEmptyOne) {
  LongList<int> list;
  list.give_back_rest();
  EXPECT_TRUE(list.empty());
  for (int i = 0; i < 1000; ++i) list.push_back(i);
  while (!list.empty()) list.pop_back();
  list.give_back_rest();
  list.push_back(1);
  EXPECT_EQ(list.size(), 1U);
}

}  // namespace
}  // namespace fanfare
