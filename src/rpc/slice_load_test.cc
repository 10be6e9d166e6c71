// Work in slices is measured where it waits: with works of the loop, and with an exact number of turns.

#include "rpc/slice_load.h"

#include <gtest/gtest.h>

#include "rpc/slices.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::rpc {
namespace {

using std::chrono::microseconds;

TEST(SliceLoad, NewWorkWaitsForOneTurnOfEachWork) {
  SliceLoad load;
  load.note_turn(microseconds(300));
  EXPECT_EQ(load.wait(), Duration::zero());
  for (int i = 0; i < 40; ++i) load.add_work();
  EXPECT_EQ(load.wait(), microseconds(12'000));
  load.remove_works(39);
  EXPECT_EQ(load.wait(), microseconds(300));
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
    for (int i = 0; i < 3; ++i) slices.run([](Slice&) { return true; });
    EXPECT_EQ(load_.works(), 4U);
  }
  EXPECT_EQ(load_.works(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Loops, SlicesLoadTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::rpc
