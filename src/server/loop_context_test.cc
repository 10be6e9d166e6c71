// Timers and states of a loop, with a manual clock, on both loops.

#include "server/loop_context.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "session/one_loop_for_tests.h"

namespace fanfare::server {
namespace {

using namespace std::chrono_literals;

class LoopContextTest : public session::OneLoopTest {
 protected:
  ~LoopContextTest() override { context_.reset(); }
  LoopContext& context() { return *context_; }
  void jump(Duration time) {
    clock_.advance(time);
    loop_->run_once(0ms);
  }
  UniqueFunction<void()> note(std::string what) {
    return [this, what = std::move(what)] { seen_.push_back(what); };
  }

  std::vector<std::string> seen_;
  std::unique_ptr<LoopContext> context_ = std::make_unique<LoopContext>(*loop_, 3);
};

INSTANTIATE_TEST_SUITE_P(Kinds, LoopContextTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

using Seen = std::vector<std::string>;

TEST_P(LoopContextTest, KnowsItsLoop) {
  EXPECT_EQ(context().index(), 3U);
  EXPECT_EQ(&context().loop(), loop_.get());
  jump(5ms);
  EXPECT_EQ(context().now(), clock_.now());
}

TEST_P(LoopContextTest, CallsOnceAfterTheDelay) {
  EXPECT_TRUE(context().call_after(20ms, note("late")));
  EXPECT_TRUE(context().call_after(10ms, note("early")));
  EXPECT_EQ(context().timer_count(), 2U);
  jump(9ms);
  EXPECT_EQ(seen_, Seen{});
  jump(1ms);
  EXPECT_EQ(seen_, Seen{"early"});
  jump(60ms);
  jump(60ms);
  EXPECT_EQ(seen_, (Seen{"early", "late"}));
  EXPECT_EQ(context().timer_count(), 0U);
}

TEST_P(LoopContextTest, NeverCallsWithinTheCall) {
  context().call_after(-1h, note("at once"));
  EXPECT_EQ(seen_, Seen{});
  jump(0ms);
  EXPECT_EQ(seen_, Seen{"at once"});
}

TEST_P(LoopContextTest, ALongDelayDoesNotOverflow) {
  EXPECT_TRUE(context().call_after(Duration::max(), note("never")));
  EXPECT_TRUE(context().call_every(Duration::max(), note("never")));
  jump(1h);
  EXPECT_EQ(seen_, Seen{});
}

TEST_P(LoopContextTest, AnEmptyTaskIsRefused) {
  EXPECT_FALSE(context().call_after(1ms, nullptr));
  EXPECT_FALSE(context().call_every(1ms, nullptr));
  EXPECT_EQ(context().timer_count(), 0U);
}

TEST_P(LoopContextTest, CancelledTimersDoNotRun) {
  const auto alive = std::make_shared<int>();
  const LoopTimer timer = context().call_after(10ms, [this, alive] { seen_.emplace_back("ran"); });
  EXPECT_EQ(alive.use_count(), 2);
  EXPECT_TRUE(context().cancel(timer));
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_FALSE(context().cancel(timer));
  EXPECT_FALSE(context().cancel({}));
  jump(20ms);
  EXPECT_EQ(seen_, Seen{});
}

TEST_P(LoopContextTest, ATimerThatHasRunCannotBeCancelled) {
  const LoopTimer timer = context().call_after(1ms, note("ran"));
  jump(1ms);
  EXPECT_FALSE(context().cancel(timer));
}

TEST_P(LoopContextTest, CallsAgainEveryInterval) {
  context().call_every(10ms, note("tick"));
  jump(9ms);
  EXPECT_EQ(seen_.size(), 0U);
  jump(1ms);
  EXPECT_EQ(seen_.size(), 1U);
  jump(10ms);
  EXPECT_EQ(seen_.size(), 2U);
}

TEST_P(LoopContextTest, ABusyLoopLeavesRunsOutAndKeepsTheRhythm) {
  context().call_every(10ms, note("tick"));
  jump(37ms);  // due at 10, 20 and 30
  EXPECT_EQ(seen_.size(), 1U);
  jump(2ms);  // 39
  EXPECT_EQ(seen_.size(), 1U);
  jump(1ms);  // 40
  EXPECT_EQ(seen_.size(), 2U);
}

TEST_P(LoopContextTest, AnIntervalHasALowerBound) {
  context().call_every(0ms, note("tick"));
  jump(LoopContext::kIntervalMin - 1ns);
  EXPECT_EQ(seen_.size(), 0U);
  jump(1ns);
  EXPECT_EQ(seen_.size(), 1U);
}

TEST_P(LoopContextTest, ATaskMayCancelItsOwnTimer) {
  const auto alive = std::make_shared<int>();
  LoopTimer timer;
  timer = context().call_every(10ms, [&, alive] {
    seen_.emplace_back("tick");
    EXPECT_TRUE(context().cancel(timer));
    EXPECT_EQ(alive.use_count(), 2) << "destroyed while it runs";
  });
  jump(10ms);
  EXPECT_EQ(alive.use_count(), 1);
  jump(10ms);
  EXPECT_EQ(seen_, Seen{"tick"});
}

TEST_P(LoopContextTest, ATaskMaySetAndCancelOthers) {
  const LoopTimer other = context().call_after(10ms, note("other"));
  context().call_after(5ms, [&] {
    context().cancel(other);
    context().call_after(5ms, note("new"));
  });
  jump(5ms);
  jump(5ms);
  EXPECT_EQ(seen_, Seen{"new"});
}

TEST_P(LoopContextTest, ARepeatedTimerSurvivesWhatItsTaskThrows) {
  context().call_every(10ms, [&] {
    seen_.emplace_back("tick");
    if (seen_.size() == 1) throw std::bad_alloc();
  });
  clock_.advance(10ms);
  try {
    loop_->run_once(0ms);
  } catch (const std::bad_alloc&) {
    seen_.emplace_back("thrown");
  }
  const std::size_t before = seen_.size();
  jump(10ms);
  EXPECT_EQ(seen_.size(), before + 1);
  EXPECT_EQ(seen_.back(), "tick");
}

// Says when it is made and destroyed.
struct Counted {
  explicit Counted(std::vector<std::string>& its_seen, std::string its_name = "counted")
      : seen(its_seen), name(std::move(its_name)) {
    seen.push_back("+" + name);
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { seen.push_back("-" + name); }
  std::vector<std::string>& seen;
  std::string name;
};
struct Needed : Counted {
  using Counted::Counted;
};
struct Needing : Counted {
  Needing(LoopContext& loop, std::vector<std::string>& its_seen) : Counted(its_seen, "needing") {
    loop.state<Needed>(its_seen, "needed");
  }
};

TEST_P(LoopContextTest, AStateIsMadeOnceForItsType) {
  EXPECT_EQ(context().find_state<Counted>(), nullptr);
  Counted& first = context().state<Counted>(seen_);
  EXPECT_EQ(&context().state<Counted>(seen_), &first);
  EXPECT_EQ(context().find_state<Counted>(), &first);
  EXPECT_EQ(context().find_state<Needed>(), nullptr);
  context_.reset();
  EXPECT_EQ(seen_, (Seen{"+counted", "-counted"}));
}

TEST_P(LoopContextTest, StatesEndBeforeThoseTheyNeed) {
  context().state<Needing>(context(), seen_);
  context().state<Counted>(seen_);
  context_.reset();
  EXPECT_EQ(seen_, (Seen{"+needing", "+needed", "+counted", "-counted", "-needing", "-needed"}));
}

// Cancels its timer at its end, as a class with a timer does.
struct WithTimer {
  explicit WithTimer(LoopContext& its_loop) : loop(its_loop), timer(loop.call_every(10ms, [] {})) {}
  WithTimer(const WithTimer&) = delete;
  WithTimer& operator=(const WithTimer&) = delete;
  ~WithTimer() { EXPECT_FALSE(loop.cancel(timer)) << "timers end first"; }
  LoopContext& loop;
  LoopTimer timer;
};

TEST_P(LoopContextTest, TimersEndUnrunBeforeTheStates) {
  context().state<WithTimer>(context());
  const auto counted = std::make_shared<Counted>(seen_);
  context().call_after(10ms, [this, counted] { seen_.emplace_back("ran"); });
  context_.reset();
  EXPECT_EQ(counted.use_count(), 1);
  jump(20ms);
  EXPECT_EQ(seen_, Seen{"+counted"});
}

}  // namespace
}  // namespace fanfare::server
