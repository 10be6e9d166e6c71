// The defence's thread with real loops and workers, on both kinds of loops: it measures, decides, closes the slowest, and recovers.

#include "gateway/defend/defence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>

#include "session/loop_server_for_tests.h"

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

template <typename Condition>
bool wait_for(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

void use_processor(Duration time) {
  const ThreadTimes& times = system_thread_times();
  const Duration until = times.of(times.caller()) + time;
  while (times.of(times.caller()) < until) {
  }
}

class DefenceTest : public testing::TestWithParam<net::LoopKind> {
 protected:
  explicit DefenceTest() {
    session::ServerOptions options;
    options.loops = 2;
    options.loop.kind = GetParam();
    server_ = std::make_unique<session::Server>(options);
  }
  ~DefenceTest() override {
    defence_->stop();
    server_->stop(1012, "", 0s);
  }

  void start(DefencePlan plan) {
    plan.is_process = true;
    plan.memory.bytes_max = 100 * kMiB;
    defence_ = std::make_unique<Defence>(plan);
    defence_->set_meter([this] { return used_.load(); });
    defence_->set_workers(1);
    const auto started = server_->start(
        {net::Address::parse("127.0.0.1", 0).value()}, [this](session::LoopServer&, std::size_t) {
          guards_.push_back(defence_->add_loop());
          auto endpoint = std::make_unique<session::EchoEndpoint>(settings_);
          session::Server::HttpServices services;
          services.push_back(std::make_unique<session::TestHttpService>(*endpoint));
          endpoints_.push_back(std::move(endpoint));
          return services;
        });
    ASSERT_TRUE(started);
    defence_->start({.server = *server_, .workers = {&worker_}, .held = budget_, .unfinished = budget_});
  }
  MemoryLevel level() const { return defence_->cells().memory.load(); }
  std::uint32_t admitted_by_loop(std::size_t i) const { return defence_->cells().loops[i].admitted.load(); }

  std::size_t sessions_of(std::size_t loop) {
    std::size_t count = 0;
    std::binary_semaphore done(0);
    server_->post(loop, [&](session::LoopServer& server) {
      count = server.sessions().size();
      done.release();
    });
    done.acquire();
    return count;
  }

  // A client that asks for `bytes` and reads nothing. Returns its socket.
  net::Descriptor open_slow_reader(std::size_t loop, std::size_t bytes) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    net::Descriptor peer(ends[1]);
    const std::string upgrade(session::kUpgrade);
    EXPECT_EQ(::send(peer.get(), upgrade.data(), upgrade.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(upgrade.size()));
    server_->post(loop, [this, loop, fd = ends[0]](session::LoopServer& server) {
      service_.at(loop) = std::make_unique<session::TestHttpService>(*endpoints_[loop]);
      server.serve(net::Descriptor(fd), *service_.at(loop));
    });
    std::atomic<bool> is_sent = false;
    EXPECT_TRUE(wait_for([&] {
      std::binary_semaphore done(0);
      server_->post(loop, [&](session::LoopServer& server) {
        server.sessions().for_each_session([&](session::Session& session) {
          if (!is_sent) session.send_text(std::string(bytes, 'x'));
          is_sent = true;
        });
        done.release();
      });
      done.acquire();
      return is_sent.load();
    }));
    return peer;
  }

  session::SessionSettings settings_;
  std::atomic<std::uint64_t> used_ = 10 * kMiB;
  ByteBudget budget_{1};
  upstream::Worker worker_;
  std::vector<std::unique_ptr<session::EchoEndpoint>> endpoints_;
  std::array<std::unique_ptr<session::TestHttpService>, 2> service_;
  std::vector<LoopGuard*> guards_;
  std::unique_ptr<Defence> defence_;
  std::unique_ptr<session::Server> server_;
};

TEST_P(DefenceTest, TheLevelFollowsTheMemoryThatIsUsed) {
  start({});
  EXPECT_TRUE(wait_for([&] { return defence_->cells().memory_used == 10 * kMiB; }));
  EXPECT_EQ(level(), MemoryLevel::normal);
  used_ = 80 * kMiB;
  EXPECT_TRUE(wait_for([&] { return level() == MemoryLevel::soft; }));
  used_ = 90 * kMiB;
  EXPECT_TRUE(wait_for([&] { return level() == MemoryLevel::hard; }));
  EXPECT_TRUE(guards_[1]->refuse_request({}));
  used_ = 75 * kMiB - 1;
  EXPECT_TRUE(wait_for([&] { return level() == MemoryLevel::normal; }));
  EXPECT_FALSE(guards_[1]->refuse_request({}));
  EXPECT_EQ(defence_->cells().shed_connections.value(), 0U) << "nobody had a backlog";
}

TEST_P(DefenceTest, AtTheHardMarkTheLargestBacklogOfAllLoopsIsClosed) {
  settings_.outbox_bytes_max = 64 << 20;
  start({});
  const net::Descriptor smaller = open_slow_reader(0, 2 << 20);
  const net::Descriptor larger = open_slow_reader(1, 20 << 20);
  used_ = 90 * kMiB;  // 15 MiB too much: the larger one is enough
  EXPECT_TRUE(wait_for([&] { return defence_->cells().shed_connections.value() > 0; }));
  used_ = 70 * kMiB;
  EXPECT_TRUE(wait_for([&] { return level() == MemoryLevel::normal; }));
  EXPECT_EQ(defence_->cells().shed_connections.value(), 1U);
  EXPECT_GT(defence_->cells().shed_bytes.value(), std::uint64_t{15} << 20);
  EXPECT_TRUE(wait_for([&] { return sessions_of(0) == 1 && sessions_of(1) == 0; }));
}

TEST_P(DefenceTest, ALoopThatIsAlwaysLateRefusesUntilItIsNot) {
  start({.overload = {.delay_target = 5ms, .delay_interval = 50ms}});
  std::atomic<bool> busy = true;
  std::function<void(session::LoopServer&)> work = [&](session::LoopServer& server) {
    use_processor(20ms);
    if (busy) server.loop().post([&] { work(server); });
  };
  server_->post(0, [&](session::LoopServer& server) { work(server); });
  EXPECT_TRUE(wait_for([&] { return admitted_by_loop(0) <= LoadControl::kWhole / 2; }));
  EXPECT_TRUE(guards_[0]->refuse_upgrade({}));
  busy = false;
  EXPECT_TRUE(wait_for([&] { return admitted_by_loop(0) == LoadControl::kWhole; }));
  EXPECT_FALSE(guards_[0]->refuse_upgrade({}));
}

TEST_P(DefenceTest, LongBatchesThatWaitForTheirSlicesRefuseFurtherOnes) {
  start({.overload = {.delay_target = 5ms, .delay_interval = 50ms}});
  rpc::SliceLoad& load = guards_[1]->slices();
  load.note_turn(1ms);
  for (int i = 0; i < 6; ++i) load.add_work();
  const LoadCells& cells = defence_->cells().batches[1];
  EXPECT_TRUE(wait_for([&] { return cells.admitted.load() <= LoadControl::kWhole / 2; }));
  EXPECT_EQ(cells.delay_ns.load(), Duration(6ms).count());
  EXPECT_EQ(defence_->cells().batches[0].admitted.load(), LoadControl::kWhole);
  load.remove_works(6, 0);
  EXPECT_TRUE(wait_for([&] { return cells.admitted.load() == LoadControl::kWhole; }));
}

TEST_P(DefenceTest, AsManyLongBatchesAsTheTargetAllowsRefuseNothing) {
  start({.overload = {.delay_target = 5ms, .delay_interval = 50ms}});
  rpc::SliceLoad& load = guards_[1]->slices();
  load.note_turn(1ms);
  for (int i = 0; i < 5; ++i) load.add_work();
  const LoadCells& cells = defence_->cells().batches[1];
  EXPECT_TRUE(wait_for([&] { return cells.delay_ns.load() == Duration(5ms).count(); }));
  // It never leaves "everything": the decision of LoadControl at the target has its own test.
  for (int i = 0; i < 200; ++i) {
    sessions_of(1);
    EXPECT_EQ(cells.admitted.load(), LoadControl::kWhole);
  }
}

TEST_P(DefenceTest, AWorkerWithOneLongTaskIsNoticedWhileItRuns) {
  start({.overload = {.delay_target = 5ms, .delay_interval = 50ms}});
  std::atomic<bool> busy = true;
  const LoadCells& cells = defence_->cells().workers[0];
  // It is known which thread the worker is.
  EXPECT_TRUE(wait_for([&] { return cells.delay_ns.load() > 0; }));
  worker_.post([&] {
    while (busy) use_processor(1ms);
  });
  EXPECT_TRUE(wait_for([&] { return cells.admitted.load() == LoadControl::kAdmittedMin; }));
  EXPECT_TRUE(guards_[0]->refuse_upgrade_of(0));
  busy = false;
  EXPECT_TRUE(wait_for([&] { return cells.admitted.load() == LoadControl::kWhole; }));
}

TEST_P(DefenceTest, TurnedOffItMeasuresNoDelay) {
  start({.overload = {.enabled = false}});
  used_ = 80 * kMiB;
  EXPECT_TRUE(wait_for([&] { return level() == MemoryLevel::soft; }));
  EXPECT_EQ(defence_->cells().workers[0].delay_ns.load(), 0);
}

TEST_P(DefenceTest, AfterTheStopNothingIsRefused) {
  start({});
  used_ = 95 * kMiB;
  EXPECT_TRUE(wait_for([&] { return level() == MemoryLevel::hard; }));
  defence_->stop();
  EXPECT_EQ(level(), MemoryLevel::normal);
}

TEST(DefenceLimits, AreAPartOfTheCeilingAtMost) {
  const Defence defence({.is_process = true, .memory = {.bytes_max = 100 * kMiB}});
  EXPECT_EQ(defence.at_most(40 * kMiB, 40), 40 * kMiB);
  EXPECT_EQ(defence.at_most(40 * kMiB + 1, 40), 40 * kMiB);
  EXPECT_EQ(defence.at_most(7, 40), 7U);
}

TEST(DefenceLimits, OfAProgramThatEmbedsAGatewayAreItsOwn) {
  Defence defence(DefencePlan{.memory = {.bytes_max = 1}});
  EXPECT_EQ(defence.at_most(512 * kMiB, 40), 512 * kMiB);
  EXPECT_EQ(defence.add_loop(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Loops, DefenceTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::gateway
