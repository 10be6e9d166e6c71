// Which share of new work is taken on, with delays of a simulated thread.

#include "gateway/defend/load_control.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/defend/thread_delay.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr OverloadPlan kPlan{.delay_target = milliseconds(20), .delay_interval = milliseconds(500)};

// Notes the delay every 10 ms for `time`.
void note_for(LoadControl& control, Instant& now, Duration time, Duration delay) {
  for (const Instant end = now + time; now < end; now += milliseconds(10)) control.note(delay, now);
}

TEST(LoadControl, ADelayAtTheTargetRefusesNothing) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, std::chrono::seconds(5), milliseconds(20));
  EXPECT_FALSE(control.is_overloaded());
}

TEST(LoadControl, ADelayPastTheTargetOverTheWholeIntervalHalvesTheWork) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, milliseconds(500), milliseconds(20) + Duration(1));
  EXPECT_FALSE(control.is_overloaded());
  control.note(milliseconds(21), now);
  EXPECT_EQ(control.admitted(), LoadControl::kWhole / 2);
}

TEST(LoadControl, ATenthOfTheIntervalIsEnoughIfItIsFarTooLate) {
  for (const bool is_far : {false, true}) {
    LoadControl control(kPlan);
    Instant now = kStart;
    note_for(control, now, milliseconds(110), milliseconds(1));  // the interval began well
    note_for(control, now, milliseconds(100), milliseconds(100) + Duration(is_far ? 1 : 0));
    EXPECT_EQ(control.is_overloaded(), is_far);
  }
}

TEST(LoadControl, ALongQueueThatShrinksIsABurst) {
  LoadControl control(kPlan);
  Instant now = kStart;
  for (int i = 0; i < 40; ++i) {
    control.note(milliseconds(600 - 15 * i), now);
    now += milliseconds(10);
  }
  note_for(control, now, milliseconds(200), milliseconds(1));
  EXPECT_FALSE(control.is_overloaded());
}

// After a machine stood still, one long turn does all the work that has waited. The next turn has only what arrived during it, and is shorter.
TEST(LoadControl, ATaskThatWaitsForOneLongTurnIsBehindABurst) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, milliseconds(200), milliseconds(1));
  for (int turn = 300; turn > 10; turn = turn * 7 / 10) {
    for (int waited = 30; waited < turn; waited += 10) {
      control.note(milliseconds(waited), now += milliseconds(10), LoadControl::Task::waits);
    }
    control.note(milliseconds(turn), now += milliseconds(10));
    ASSERT_FALSE(control.is_overloaded()) << turn;
    if (turn < 100) note_for(control, now, milliseconds(20), milliseconds(1));
  }
}

TEST(LoadControl, TurnsThatGetLongerAreAnOverload) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, milliseconds(200), milliseconds(1));
  const Instant began = now;
  for (int turn = 15; turn < 1000 && !control.is_overloaded(); turn *= 2) {
    for (int waited = 10; waited < turn && !control.is_overloaded(); waited += 10) {
      now += milliseconds(10);
      if (waited > 20) control.note(milliseconds(waited), now, LoadControl::Task::waits);
    }
    if (!control.is_overloaded()) control.note(milliseconds(turn), now += milliseconds(10));
  }
  EXPECT_TRUE(control.is_overloaded());
  EXPECT_LE(now - began, milliseconds(400)) << "less than an interval";
}

TEST(LoadControl, IsWaryFor16IntervalsAfterAnOverload) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, milliseconds(400), milliseconds(21));
  EXPECT_FALSE(control.is_wary());
  note_for(control, now, milliseconds(200), milliseconds(21));
  EXPECT_TRUE(control.is_wary());
  while (control.is_overloaded()) note_for(control, now, milliseconds(10), Duration::zero());
  note_for(control, now, milliseconds(7900), Duration::zero());
  EXPECT_TRUE(control.is_wary());
  note_for(control, now, milliseconds(200), Duration::zero());
  EXPECT_FALSE(control.is_wary());
}

TEST(LoadControl, OneTaskInTimeWithinTheIntervalIsABurst) {
  LoadControl control(kPlan);
  Instant now = kStart;
  for (int i = 0; i < 20; ++i) {
    note_for(control, now, milliseconds(450), milliseconds(100));
    note_for(control, now, milliseconds(40), milliseconds(3));
  }
  EXPECT_FALSE(control.is_overloaded());
}

TEST(LoadControl, AProcessThatWasSuspendedIsNotOverloaded) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, std::chrono::seconds(1), milliseconds(1));
  for (int i = 0; i < 2; ++i) control.note(std::chrono::minutes(1), now += std::chrono::minutes(1));
  EXPECT_FALSE(control.is_overloaded());
  note_for(control, now, std::chrono::seconds(1), milliseconds(1));
  EXPECT_FALSE(control.is_overloaded());
}

TEST(LoadControl, SomeWorkIsAlwaysTakenOn) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, std::chrono::minutes(1), std::chrono::seconds(3));
  EXPECT_EQ(control.admitted(), LoadControl::kAdmittedMin);
}

TEST(LoadControl, TheEndOfTheLoadIsTheEndOfRefusalsWithin5s) {
  LoadControl control(kPlan);
  Instant now = kStart;
  note_for(control, now, std::chrono::minutes(1), std::chrono::seconds(3));
  const Instant ended = now;
  while (control.is_overloaded() && now - ended < std::chrono::minutes(1)) {
    note_for(control, now, milliseconds(10), Duration::zero());
  }
  EXPECT_LT(now - ended, std::chrono::seconds(5));
}

// A thread that does 1,000 pieces of work a second and is given `factor` as many: its queue, in pieces, after each 10 ms.
TEST(LoadControl, UnderTwiceTheLoadTheDelayStaysNearTheTarget) {
  LoadControl control(kPlan);
  EvenShare share;
  double queue = 0;
  Duration longest{};
  double done = 0;
  int ticks = 0;
  for (Instant now = kStart; now < kStart + std::chrono::minutes(1); now += milliseconds(10)) {
    for (int i = 0; i < 20; ++i) queue += share.takes(control.admitted()) ? 1 : 0;
    const double now_done = std::min(queue, 10.0);
    queue -= now_done;
    const auto delay = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(queue / 1000));
    control.note(delay, now);
    if (now < kStart + std::chrono::seconds(5)) continue;
    longest = std::max(longest, delay);
    done += now_done;
    ++ticks;
  }
  EXPECT_LT(longest, milliseconds(50));
  EXPECT_GT(done / ticks, 9.0) << "the thread is kept busy";
}

TEST(EvenShare, SpreadsWhatItRefuses) {
  EvenShare share;
  int taken = 0;
  int refused_in_a_row = 0;
  for (std::uint32_t i = 0; i < LoadControl::kWhole; ++i) {
    const bool takes = share.takes(256);
    refused_in_a_row = takes ? 0 : refused_in_a_row + 1;
    EXPECT_LE(refused_in_a_row, 3);
    taken += takes ? 1 : 0;
  }
  EXPECT_EQ(taken, 256);
  EXPECT_TRUE(share.takes(LoadControl::kWhole));
}

// The thread 7 has used this much processor time.
Duration used_by_7{};
constexpr ThreadTimes kTimes{.caller = [] { return pid_t{7}; },
                             .of = [](pid_t tid) { return tid == 7 ? used_by_7 : Duration::zero(); }};

class ThreadDelayTest : public testing::Test {
 protected:
  // The first task shows which thread it is.
  ThreadDelayTest() {
    used_by_7 = std::chrono::hours(1);
    delay_.measure(now_)();
  }

  Instant now_ = kStart;
  LoadCells cells_;
  ThreadDelay delay_{kPlan, cells_, kTimes};
};

TEST_F(ThreadDelayTest, WhatTheThreadDoesFromThePostToTheRunIsTheDelay) {
  auto task = delay_.measure(now_);
  used_by_7 += milliseconds(7);
  task();
  used_by_7 += milliseconds(40);
  EXPECT_TRUE(delay_.measure(now_ += milliseconds(50)));
  EXPECT_EQ(delay_.last(), milliseconds(7));
  EXPECT_EQ(cells_.delay_ns.load(), 7'000'000);
}

TEST_F(ThreadDelayTest, ATaskThatStillWaitsCountsFromTheTargetOn) {
  auto task = delay_.measure(now_);
  used_by_7 += milliseconds(20);
  EXPECT_FALSE(delay_.measure(now_ += milliseconds(20))) << "one task at a time";
  EXPECT_EQ(delay_.last(), Duration::zero());
  used_by_7 += Duration(1);
  EXPECT_FALSE(delay_.measure(now_));
  EXPECT_EQ(delay_.last(), milliseconds(20) + Duration(1));
  for (int i = 0; i < 60; ++i) {
    used_by_7 += milliseconds(10);
    EXPECT_FALSE(delay_.measure(now_ += milliseconds(10)));
  }
  EXPECT_TRUE(cells_.is_overloaded());
  task();
  EXPECT_TRUE(delay_.measure(now_ += milliseconds(10)));
  EXPECT_GT(delay_.last(), milliseconds(600));
}

TEST_F(ThreadDelayTest, WaitingForAProcessorIsNoDelay) {
  for (int i = 0; i < 20; ++i) {
    auto task = delay_.measure(now_);
    EXPECT_FALSE(delay_.measure(now_ += std::chrono::seconds(1)));
    used_by_7 += milliseconds(1);
    task();
  }
  EXPECT_EQ(delay_.last(), milliseconds(1));
  EXPECT_FALSE(cells_.is_overloaded());
}

TEST(ThreadTimes, OfTheCallerGrowWithItsWork) {
  const ThreadTimes& times = system_thread_times();
  const Duration before = times.of(times.caller());
  while (times.of(times.caller()) - before < milliseconds(2)) {
  }
  EXPECT_GT(before, Duration::zero());
  EXPECT_EQ(times.of(INT32_MAX / 16), Duration::zero()) << "there is no such thread";
}

}  // namespace
}  // namespace fanfare::gateway
