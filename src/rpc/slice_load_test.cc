// Work in slices is measured where it waits: with works of the loop, and with an exact number of turns.

#include "rpc/slice_load.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "rpc/slices.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::rpc {
namespace {

using std::chrono::microseconds;

TEST(SliceLoad, NewWorkWaitsForTheSlicesOfThoseBeforeIt) {
  SliceLoad load;
  load.note_turn(microseconds(300));
  EXPECT_EQ(load.wait(), Duration::zero());
  for (int i = 0; i < 40; ++i) load.add_work();
  EXPECT_EQ(load.wait(), microseconds(12'000));
  // Works turn out to have nine slices: the next ones are expected to have two.
  load.work_had(9, false);
  EXPECT_EQ(load.wait(), 39 * 2 * microseconds(300));
  load.remove_works(38, 0);
  EXPECT_EQ(load.wait(), microseconds(600));
}

TEST(SliceLoad, WorksThatTakeTurnsHaveEveryOtherTurn) {
  SliceLoad load;
  load.note_turn(microseconds(100));
  for (int i = 0; i < 3; ++i) load.add_work();
  load.work_had(1, true);
  EXPECT_EQ(load.works(), 3U);
  EXPECT_EQ(load.wait(), microseconds(500)) << "two turns for each of the two, and one";
  load.remove_works(2, 0);
  EXPECT_EQ(load.wait(), microseconds(100));
  load.remove_turn_taker();
  EXPECT_EQ(load.wait(), Duration::zero());
}

TEST(SliceLoad, OneLongTurnCountsForAnEighth) {
  SliceLoad load;
  load.note_turn(microseconds(200));
  load.add_work();
  load.note_turn(microseconds(1000));
  EXPECT_EQ(load.wait(), microseconds(300));
}

class SlicesLoadTest : public session::OneLoopTest {
 protected:
  static void use_processor(Duration time) {
    const Duration until = thread_processor_time() + time;
    while (thread_processor_time() < until) {
    }
  }

  SliceLoad load_;
};

TEST_P(SlicesLoadTest, WorksCountUntilTheyAreDone) {
  Slices slices(*loop_, system_clock(), &load_);
  int left = 3;
  for (int i = 0; i < 2; ++i) {
    slices.run([&left, is_first = true](Slice&) mutable {
      if (!std::exchange(is_first, false)) use_processor(microseconds(500));
      return left-- > 0;
    });
  }
  EXPECT_EQ(load_.works(), 2U);
  EXPECT_TRUE(run_until([&] { return slices.size() == 1; }));
  EXPECT_EQ(load_.works(), 1U);
  EXPECT_GE(load_.wait(), microseconds(500));
  EXPECT_TRUE(run_until([&] { return slices.size() == 0; }));
  EXPECT_EQ(load_.wait(), Duration::zero());
}

TEST_P(SlicesLoadTest, WorkThatIsDoneInItsFirstSliceNeverWaits) {
  Slices slices(*loop_, system_clock(), &load_);
  slices.run([](Slice&) { return false; });
  EXPECT_EQ(load_.works(), 0U);
}

TEST_P(SlicesLoadTest, WorksOfAServiceThatEndsAreGone) {
  load_.add_work();  // of another service
  {
    Slices slices(*loop_, system_clock(), &load_);
    std::uint32_t slice_count = 0;
    for (int i = 0; i < 3; ++i) {
      slices.run([&slice_count](Slice&) {
        ++slice_count;
        return true;
      });
    }
    EXPECT_EQ(load_.works(), 4U);
    // One of them takes turns then.
    EXPECT_TRUE(run_until([&] { return slice_count > 3 + Slices::kSlicesInOrder; }));
  }
  EXPECT_EQ(load_.works(), 1U);
  load_.remove_works(1, 0);
  EXPECT_EQ(load_.wait(), Duration::zero());
}

// Each of the works takes so many slices, the one in run() included. Returns the names in the order of their slices, behind those of run().
std::string order_of(net::Loop& loop, const std::function<bool(const std::function<bool()>&)>& run_until,
                     std::vector<std::pair<char, int>> works, SliceLoad& load) {
  Slices slices(loop, system_clock(), &load);
  std::string order;
  for (const auto& [name, count] : works) {
    slices.run([&order, name, left = count](Slice&) mutable {
      order += name;
      return --left > 0;
    });
  }
  EXPECT_TRUE(run_until([&] { return slices.size() == 0; }));
  return order.substr(works.size());
}

TEST_P(SlicesLoadTest, WorksAreDoneInTheOrderInWhichTheyCame) {
  const auto run = [this](const std::function<bool()>& condition) { return run_until(condition); };
  EXPECT_EQ(order_of(*loop_, run, {{'a', 4}, {'b', 3}, {'c', 2}}, load_), "aaabbc");
  EXPECT_EQ(load_.works(), 0U);
}

TEST_P(SlicesLoadTest, LongOnesTakeTurnsAndStopNobody) {
  const auto run = [this](const std::function<bool()>& condition) { return run_until(condition); };
  // After eight slices in order, two more of the long ones fall between the slices of the others.
  EXPECT_EQ(order_of(*loop_, run, {{'a', 11}, {'b', 12}, {'c', 4}}, load_),
            "aaaaaaaa"
            "abab"
            "bbbbbb"
            "bcbcbc");
  EXPECT_EQ(load_.works(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Loops, SlicesLoadTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::rpc
