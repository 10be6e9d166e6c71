#include "net/mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/loop.h"

namespace fanfare::net {
namespace {

constexpr auto kAll = [] { return true; };

TEST(Mailbox, RunsInOrderAndKeepsTheRestForTheNextTime) {
  Mailbox mailbox;
  std::string done;
  EXPECT_TRUE(mailbox.empty());
  EXPECT_EQ(mailbox.push([&] { done += 'a'; }), Mailbox::Pushed::first);
  EXPECT_EQ(mailbox.push([&] {
    done += 'b';
    mailbox.push([&] { done += 'd'; });
  }),
            Mailbox::Pushed::behind);
  mailbox.push([&] { done += 'c'; });
  int asked = 0;
  mailbox.run([&] { return ++asked < 2; });
  EXPECT_EQ(done, "ab");
  EXPECT_FALSE(mailbox.empty());
  mailbox.run(kAll);
  EXPECT_EQ(done, "abc");  // d arrived while the others were waiting
  mailbox.run(kAll);
  EXPECT_EQ(done, "abcd");
  EXPECT_TRUE(mailbox.empty());
}

TEST(Mailbox, TakesTasksUpToTheirLimitAndNoneMoreUntilOneWasRun) {
  Mailbox mailbox({.tasks_max = 3, .bytes_max = 1000});
  int run = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(mailbox.reserve(1), PostResult::accepted);
    mailbox.push_reserved([&] { ++run; }, 1);
  }
  EXPECT_EQ(mailbox.reserve(1), PostResult::full);
  EXPECT_EQ(mailbox.push([&] { ++run; }), Mailbox::Pushed::behind);  // unlimited tasks are still accepted
  EXPECT_EQ(mailbox.reserve(1), PostResult::full);
  mailbox.run([] { return false; });
  EXPECT_EQ(run, 1);
  EXPECT_EQ(mailbox.reserve(1), PostResult::accepted);
  EXPECT_EQ(mailbox.reserve(1), PostResult::full);
  mailbox.give_back(1);
  EXPECT_EQ(mailbox.reserve(1), PostResult::accepted);
}

TEST(Mailbox, TakesBytesUpToTheirLimitAndTheLastTaskMayBeLarger) {
  Mailbox mailbox({.tasks_max = 100, .bytes_max = 10});
  ASSERT_EQ(mailbox.reserve(9), PostResult::accepted);
  mailbox.push_reserved([] {}, 9);
  ASSERT_EQ(mailbox.reserve(1'000'000), PostResult::accepted);
  mailbox.push_reserved([] {}, 1'000'000);
  EXPECT_EQ(mailbox.reserve(0), PostResult::full);
  mailbox.run(kAll);
  EXPECT_EQ(mailbox.reserve(10), PostResult::accepted);
  EXPECT_EQ(mailbox.reserve(0), PostResult::full);
}

TEST(Mailbox, ClosedItDestroysWhatWaitsAndWhatComes) {
  Mailbox mailbox;
  const auto held = std::make_shared<int>();
  int run = 0;
  mailbox.push([&run, held] { ++run; });
  mailbox.push([&run, held] { ++run; });
  mailbox.run([] { return false; });
  mailbox.push([&run, held] { ++run; });
  // Destroying a task's captures may post once more.
  const std::shared_ptr<int> poster(new int, [&](const int* number) {
    delete number;
    EXPECT_EQ(mailbox.push([&run] { ++run; }), Mailbox::Pushed::closed);
  });
  mailbox.push([poster] {});
  mailbox.close();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(poster.use_count(), 1);
  EXPECT_EQ(mailbox.push([&run, held] { ++run; }), Mailbox::Pushed::closed);
  EXPECT_EQ(mailbox.reserve(1), PostResult::stopped);
  EXPECT_EQ(held.use_count(), 1);
  mailbox.run(kAll);
  EXPECT_EQ(run, 1);
  EXPECT_TRUE(mailbox.empty());
}

TEST(Mailbox, ATaskMayCloseIt) {
  Mailbox mailbox;
  int run = 0;
  mailbox.push([&] { mailbox.close(); });
  mailbox.push([&] { ++run; });
  mailbox.run(kAll);
  EXPECT_EQ(run, 0);
}

TEST(Mailbox, NothingIsLostOrRunTwiceWhileManyPushAndItCloses) {
  constexpr int kPushers = 4;
  constexpr int kTasks = 2000;
  Mailbox mailbox({.tasks_max = 64});
  std::atomic<int> alive = 0;
  std::atomic<int> accepted = 0;
  int run = 0;
  std::atomic<int> pushers_left = kPushers;
  std::vector<std::thread> pushers;
  for (int p = 0; p < kPushers; ++p) {
    pushers.emplace_back([&] {
      for (int i = 0; i < kTasks; ++i) {
        if (mailbox.reserve(8) != PostResult::accepted) continue;
        ++alive;
        const std::shared_ptr<int> held(new int, [&](const int* number) {
          delete number;
          --alive;
        });
        if (mailbox.push_reserved([&run, held] { ++run; }, 8) != Mailbox::Pushed::closed) ++accepted;
      }
      --pushers_left;
    });
  }
  while (accepted == 0) std::this_thread::yield();
  do {
    mailbox.run(kAll);
  } while (pushers_left > kPushers / 2);
  mailbox.close();
  for (std::thread& pusher : pushers) pusher.join();
  EXPECT_EQ(alive, 0);
  EXPECT_LE(run, accepted);
  EXPECT_GT(run, 0);
}

class LoopMailbox : public testing::TestWithParam<LoopKind> {
 protected:
  static std::unique_ptr<Loop> make(LoopOptions options) {
    options.kind = GetParam();
    auto loop = Loop::create(options);
    EXPECT_TRUE(loop);
    return std::move(*loop);
  }
};

TEST_P(LoopMailbox, ALongOneIsRunInSharesWithUrgentTasksInFront) {
  const auto loop = make({.tasks_per_turn_max = 2});
  std::string done;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) loop->post([&done, name] { done += name; });
  loop->run_once(Duration::zero());
  EXPECT_EQ(done, "ab");
  loop->post_urgent([&] { done += 'U'; });
  loop->post_urgent([&] { done += 'V'; });
  loop->run_once(std::chrono::hours(1));  // it does not wait, because more tasks are waiting
  EXPECT_EQ(done, "abUVcd");
  loop->run_once(std::chrono::hours(1));
  EXPECT_EQ(done, "abUVcde");
}

TEST_P(LoopMailbox, ATurnGoesOnToTheSocketsWhenItsTasksHaveTakenTheirTime) {
  ManualClock clock;
  const auto loop = make({.clock = &clock, .task_time_per_turn_max = std::chrono::milliseconds(5)});
  int run = 0;
  for (int i = 0; i < 10; ++i) {
    loop->post([&] {
      ++run;
      clock.advance(std::chrono::milliseconds(2));
    });
  }
  loop->run_once(Duration::zero());
  EXPECT_EQ(run, 3);
  loop->run_once(Duration::zero());
  EXPECT_EQ(run, 6);
}

TEST_P(LoopMailbox, AfterItWasClosedNothingIsRunAndThePosterIsTold) {
  const auto loop = make({});
  const auto held = std::make_shared<int>();
  int run = 0;
  EXPECT_TRUE(loop->post([&run, held] { ++run; }));
  EXPECT_EQ(loop->offer([&run, held] { ++run; }, 1), PostResult::accepted);
  loop->close_mailbox();
  EXPECT_FALSE(loop->post([&run, held] { ++run; }));
  EXPECT_FALSE(loop->post_urgent([&run, held] { ++run; }));
  EXPECT_EQ(loop->offer([&run, held] { ++run; }, 1), PostResult::stopped);
  loop->run_once(Duration::zero());
  EXPECT_EQ(run, 0);
  EXPECT_EQ(held.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(Loops, LoopMailbox, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare::net
