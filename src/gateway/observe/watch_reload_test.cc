// A Watch gets other plans while calls run.

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "gateway/observe/loop_watch.h"
#include "gateway/observe/watch.h"

namespace fanfare::gateway {
namespace {

class WatchReloadTest : public ::testing::Test {
 protected:
  static ObservePlan logs(std::size_t queue) {
    return {.access_log = {.path = "/dev/null", .queued_lines_max = queue}};
  }
  void start_exporting() {
    watch_ = std::make_unique<Watch>(
        ObservePlan{.tracing = {.endpoint = "http://collector.example/", .interval = std::chrono::hours(1)}});
    watch_->start_with(nullptr, [this](const std::string& body, const std::atomic<bool>&) {
      const std::scoped_lock lock(mutex_);
      exported_ += body;
      return ExportAnswer{.status = 200};
    });
  }
  // The call of a WebSocket that lives longer than a plan.
  static trace::CallPtr call_of(const std::shared_ptr<trace::Request>& socket, std::string_view method) {
    return trace::begin_call(socket, {.method = method, .principal = {}});
  }
  static std::shared_ptr<trace::Request> socket_at(const LoopWatch& loop) {
    auto request = std::make_shared<trace::Request>(trace::Request{.id = "socket", .protocol = "websocket"});
    request->place_of_recorder = &loop;
    return request;
  }

  std::unique_ptr<Watch> watch_;
  std::mutex mutex_;  // guards exported_
  std::string exported_;
};

TEST_F(WatchReloadTest, ACallIsExportedWhereItBegan) {
  start_exporting();
  LoopWatch& loop = watch_->add_loop();
  const auto socket = socket_at(loop);
  auto first = call_of(socket, "eth_first");
  auto attempt = std::make_unique<trace::Attempt>(
      std::make_shared<const std::vector<trace::CallPtr>>(std::vector{first}), "node", "eth_attempt");
  // Traces are turned off; what is under way is exported all the same.
  watch_->apply(*watch_->prepare({.request_ids = true}));
  loop.switch_over();
  auto second = call_of(socket, "eth_second");
  EXPECT_FALSE(second->context().trace.is_valid());
  second->end({});
  attempt->end({});
  attempt.reset();
  first->end({});
  first.reset();
  // Nothing at all is recorded.
  watch_->apply(*watch_->prepare({}));
  loop.switch_over();
  EXPECT_EQ(call_of(socket, "eth_third"), nullptr);
  second.reset();
  // The exporter ends with the last of its calls, and not after its interval.
  for (int i = 0; i < 1'000'000 && watch_->cells().spans.value() < 2; ++i) std::this_thread::yield();
  watch_.reset();
  EXPECT_NE(exported_.find("eth_first"), std::string::npos) << exported_;
  EXPECT_NE(exported_.find("eth_attempt"), std::string::npos) << exported_;
  EXPECT_EQ(exported_.find("eth_second"), std::string::npos) << exported_;
}

// One that began without a trace has no span to export.
TEST_F(WatchReloadTest, ACallThatBeganWithoutTracesIsNotExported) {
  watch_ = std::make_unique<Watch>(ObservePlan{.request_ids = true});
  ASSERT_TRUE(watch_->start());
  LoopWatch& loop = watch_->add_loop();
  const auto socket = socket_at(loop);
  socket->parent = trace::parse_trace_parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const auto call = call_of(socket, "eth_call");
  EXPECT_TRUE(call->context().is_sampled);
  watch_->apply(*watch_->prepare({.tracing = {.endpoint = "http://127.0.0.1:1/"}}));
  loop.switch_over();
  trace::Attempt attempt(std::make_shared<const std::vector<trace::CallPtr>>(std::vector{call}), "node", "m");
  attempt.end({});
  call->end({});
  EXPECT_TRUE(loop.recorder()->traces());
  EXPECT_EQ(watch_->now()->outputs().spans.use_count(), 1);
}

TEST_F(WatchReloadTest, EarlierLogsThatHaveNotEndedAreLimited) {
  watch_ = std::make_unique<Watch>(logs(16));
  ASSERT_TRUE(watch_->start());
  std::vector<RecordingPtr> in_use{watch_->now()};
  const auto apply_another = [&] {
    auto next = watch_->prepare(logs(16 + in_use.size()));
    if (!next) return next.error();
    watch_->apply(*next);
    in_use.push_back(*next);
    return std::string();
  };
  while (in_use.size() < Watch::kOutputsMax) ASSERT_EQ(apply_another(), "");
  EXPECT_EQ(apply_another(),
            "8 access logs and exporters of traces of earlier reloads have not ended yet, reload again in a "
            "few seconds");
  EXPECT_TRUE(watch_->prepare(logs(16 + in_use.size() - 1))) << "the one in use is no other one";
  in_use.erase(in_use.begin());
  for (int i = 0; i < 100'000 && !apply_another().empty(); ++i) std::this_thread::yield();
  EXPECT_EQ(in_use.size(), Watch::kOutputsMax);
}

}  // namespace
}  // namespace fanfare::gateway
