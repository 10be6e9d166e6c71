// The first signal during a stop hurries it; another one, or a stop that is stuck, ends the process.

#include "gateway/stop_signals.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <future>
#include <iostream>

#include "gateway/gateway.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

constexpr Duration kForever = 1h;

void send(int signal) {
  ::kill(::getpid(), signal);
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

TEST(StopSignalsDeathTest, TheFirstOneHurriesAndTheRestIsDone) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        hold_signals();
        std::promise<void> hurried;
        StopSignals signals([&] { hurried.set_value(); }, kForever);
        send(SIGHUP);
        send(SIGUSR2);
        send(SIGTERM);
        hurried.get_future().wait();
        signals.forget();
        std::cerr << "done " << (signals.received() == SIGTERM);
        end_by_signal(signals.received());
      },
      testing::KilledBySignal(SIGTERM), "stop_hurried signal=TERM\ndone 1");
}

TEST(StopSignalsDeathTest, TheSecondOneEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        hold_signals();
        const StopSignals signals([] { send(SIGINT); }, kForever);
        send(SIGTERM);
        hang();
      },
      testing::KilledBySignal(SIGINT), "stop_hurried");
}

TEST(StopSignalsDeathTest, AHurriedStopThatIsStuckIsEnded) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        hold_signals();
        const StopSignals signals([] {}, 20ms);
        send(SIGTERM);
        hang();
      },
      testing::KilledBySignal(SIGTERM), "stop_hurried");
}

TEST(StopSignalsDeathTest, WithoutASignalNothingHappens) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        hold_signals();
        {
          const StopSignals signals([] { std::abort(); });
        }
        std::exit(7);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace fanfare::gateway
