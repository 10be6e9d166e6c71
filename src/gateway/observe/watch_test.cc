#include "gateway/observe/watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "gateway/observe/loop_watch.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// What was written, and exported; complete once the Watch has ended.
struct Kept {
  std::mutex mutex;
  std::string text;
  std::string spans;
};

class KeptSink final : public LineSink {
 public:
  explicit KeptSink(std::shared_ptr<Kept> kept) : kept_(std::move(kept)) {}
  std::expected<std::size_t, int> write(std::string_view text) override {
    const std::scoped_lock lock(kept_->mutex);
    kept_->text += text;
    return text.size();
  }
  std::expected<void, int> reopen() override { return {}; }

 private:
  std::shared_ptr<Kept> kept_;
};

class WatchTest : public ::testing::Test {
 protected:
  void start(AccessLogPlan log, TracingPlan tracing = {}, TrustedClients trusted = TrustedClients::loopback) {
    log.path = "memory";
    log.format = log::Format::text;
    tracing.endpoint = "http://collector.example/v1/traces";
    watch_ = std::make_unique<Watch>(ObservePlan{.access_log = log, .tracing = tracing, .trusted = trusted},
                                     clock_);
    watch_->start_with(std::make_unique<KeptSink>(kept_),
                       [kept = kept_](const std::string& body, const std::atomic<bool>&) {
                         const std::scoped_lock lock(kept->mutex);
                         kept->spans += body;
                         return ExportAnswer{.status = 200};
                       });
    loop_ = &watch_->add_loop();
  }
  // It may outlive the watch.
  std::shared_ptr<trace::Request> request(std::vector<HeaderField> headers = {},
                                          std::string address = "127.0.0.1:5",
                                          std::string_view protocol = "http") {
    auto request = watch_->now()->begin_request(headers, std::move(address), protocol);
    request->recorder = nullptr;
    request->place_of_recorder = loop_;
    return request;
  }
  void call(const std::shared_ptr<trace::Request>& from, std::string_view method, Duration took = {},
            std::optional<int> error = {}) {
    const auto begun = trace::begin_call(from, {.method = method, .principal = "ann", .bytes_in = 3});
    clock_.advance(took);
    begun->end({.error_code = error, .bytes_out = 4});
  }
  std::string lines() {
    watch_.reset();
    return kept_->text;
  }
  std::ptrdiff_t line_count() {
    const std::string text = lines();
    return std::ranges::count(text, '\n');
  }
  std::string spans() {
    watch_.reset();
    return kept_->spans;
  }

  ManualClock clock_;
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
  std::unique_ptr<Watch> watch_;
  LoopWatch* loop_ = nullptr;
};

TEST_F(WatchTest, TakesTheIdAndTheTraceOfATrustedClientOnly) {
  const std::vector<HeaderField> headers{
      {"X-Request-Id", "mine"}, {"traceparent", kParent}, {"tracestate", "a=1"}, {"tracestate", "b=2"}};
  start({});
  const auto near = request(headers, "127.0.0.1:5");
  EXPECT_EQ(near->id, "mine");
  ASSERT_TRUE(near->parent);
  EXPECT_EQ(near->parent->state, "a=1,b=2");
  EXPECT_EQ(request(headers, "[::1]:5")->id, "mine");
  EXPECT_EQ(request(headers, "unix:/run/x")->id, "mine");
  const auto far = request(headers, "192.0.2.1:5");
  EXPECT_NE(far->id, "mine");
  EXPECT_EQ(far->id.size(), 32U);
  EXPECT_FALSE(far->parent);
  start({}, {}, TrustedClients::none);
  EXPECT_NE(request(headers, "127.0.0.1:5")->id, "mine");
  start({}, {}, TrustedClients::all);
  EXPECT_EQ(request(headers, "192.0.2.1:5")->id, "mine");
}

TEST_F(WatchTest, ReplacesAnIdThatCannotBeUsed) {
  start({});
  EXPECT_EQ(request({{"X-Request-Id", "two words"}})->id.size(), 32U);
}

TEST_F(WatchTest, WritesEveryCallAtSampleOneAndNoneAtSampleZero) {
  start({.sample = 1});
  for (int i = 0; i < 20; ++i) call(request(), "eth_call");
  EXPECT_EQ(line_count(), 20);
  kept_->text.clear();
  start({.sample = 0});
  for (int i = 0; i < 20; ++i) call(request(), "eth_call");
  EXPECT_EQ(line_count(), 0);
}

TEST_F(WatchTest, SamplesTheCallsOfOneConnectionAlikeInEveryRun) {
  const auto run = [&] {
    kept_->text.clear();
    start({.sample = 0.2});
    const auto from = request({{"X-Request-Id", "fixed"}}, "127.0.0.1:5", "websocket");
    for (int i = 0; i < 1000; ++i) call(from, "eth_call");
    const std::string text = lines();
    std::string ids;
    for (std::size_t at = text.find("request_id="); at != std::string::npos;
         at = text.find("request_id=", at + 1)) {
      ids += text.substr(at, text.find(' ', at) - at) + "\n";
    }
    return ids;
  };
  const std::string first = run();
  EXPECT_EQ(run(), first);
  const auto kept = std::ranges::count(first, '\n');
  EXPECT_GT(kept, 150);
  EXPECT_LT(kept, 250);
}

TEST_F(WatchTest, AlwaysWritesErrorsAndSlowCalls) {
  start({.sample = 0, .slower_than = seconds(1)});
  call(request(), "fine", seconds(1));
  call(request(), "slow", seconds(1) + milliseconds(1));
  call(request(), "bad", {}, -32000);
  const std::string text = lines();
  EXPECT_EQ(text.find("method=fine"), std::string::npos) << text;
  EXPECT_NE(text.find("method=slow"), std::string::npos) << text;
  EXPECT_NE(text.find("method=bad error_code=-32000"), std::string::npos) << text;
}

TEST_F(WatchTest, WritesErrorsAndSlowCallsBySampleIfItIsToldTo) {
  start({.sample = 0, .slower_than = Duration::zero(), .errors = AccessLogPlan::Errors::sampled});
  call(request(), "slow", seconds(60));
  call(request(), "bad", {}, -32000);
  EXPECT_EQ(line_count(), 0);
}

TEST_F(WatchTest, ALineHasWhatIsKnownOfTheCall) {
  start({});
  const auto from = request({{"X-Request-Id", "mine"}, {"traceparent", kParent}});
  from->place = "main/1";
  call(from, "eth_call", milliseconds(2));
  EXPECT_NE(
      lines().find(" call address=127.0.0.1:5 protocol=http network=main/1 principal=ann method=eth_call "
                   "duration_us=2000 bytes_in=3 bytes_out=4 request_id=mine "
                   "trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n"),
      std::string::npos)
      << kept_->text;
}

TEST_F(WatchTest, ExportsACallAsASpanOfItsParentsTrace) {
  start({}, {.sample = 0});
  const auto from = request({{"traceparent", kParent}});
  from->place = "main/1";
  call(from, "eth_call", {}, -32005);
  const std::string json = spans();
  EXPECT_NE(json.find(R"("traceId":"4bf92f3577b34da6a3ce929d0e0e4736")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("parentSpanId":"00f067aa0ba902b7","flags":1,"name":"eth_call","kind":2)"),
            std::string::npos);
  EXPECT_NE(json.find(R"({"key":"rpc.system","value":{"stringValue":"jsonrpc"}})"), std::string::npos);
  EXPECT_NE(json.find(R"({"key":"rpc.jsonrpc.error_code","value":{"intValue":"-32005"}})"),
            std::string::npos);
  EXPECT_NE(json.find(R"("status":{"code":2})"), std::string::npos);
}

TEST_F(WatchTest, DecidesItselfIfParentsDoNot) {
  start({}, {.sample = 0, .parent_based = false});
  call(request({{"traceparent", kParent}}), "eth_call");
  EXPECT_EQ(spans(), "");
}

TEST_F(WatchTest, ADistortedMethodIsNotTheNameOfASpan) {
  start({});
  call(request(), "eth call<script>");
  EXPECT_NE(spans().find(R"("name":"jsonrpc")"), std::string::npos) << kept_->spans;
}

TEST_F(WatchTest, RecordsNothingIfNothingIsConfigured) {
  Watch watch({});
  EXPECT_TRUE(watch.start());
  EXPECT_EQ(watch.now(), nullptr);
  EXPECT_FALSE(watch.add_loop().is_on());
}

}  // namespace
}  // namespace fanfare::gateway
