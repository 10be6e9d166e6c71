// What is recorded of the calls to nodes: one attempt for each, with headers for the node.

#include <gtest/gtest.h>

#include <mutex>
#include <vector>

#include "trace/recorder_for_tests.h"
#include "upstream/coalescer.h"
#include "upstream/http_clients_for_tests.h"
#include "upstream/http_node.h"
#include "upstream/pool_world_for_tests.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::kRead;

trace::CallPtr call_in(trace::TestRecorder& recorder) {
  return trace::begin_call(
      std::make_shared<trace::Request>(trace::Request{.recorder = recorder.shared(), .id = "req"}),
      {.method = "eth_call", .principal = {}});
}

CallOptions traced(const trace::CallPtr& call) {
  CallOptions options = kRead;
  options.traced = std::make_shared<const std::vector<trace::CallPtr>>(std::vector{call});
  return options;
}

struct PoolTrace : testing::PoolTest {
  trace::TestRecorder recorder;
};

TEST_F(PoolTrace, ACallThatMovesOnHasAnAttemptForEachNode) {
  make(2);
  on_worker([this] { nodes[0]->failure = testing::kRefused; });
  const trace::CallPtr call = call_in(recorder);
  EXPECT_EQ(answer(traced(call)), "[\"b\"]");
  on_worker([&] {
    ASSERT_EQ(recorder.spans.size(), 2U);
    EXPECT_TRUE(recorder.spans[0].is_error);
    EXPECT_EQ(recorder.spans[0].error, "connect");
    EXPECT_FALSE(recorder.spans[1].is_error);
    EXPECT_EQ(recorder.spans[1].parent, call->context().span);
    EXPECT_NE(recorder.spans[0].context.span, recorder.spans[1].context.span);
    EXPECT_EQ(call->node(), "b");
    EXPECT_EQ(call->attempts(), 2U);
  });
}

TEST_F(PoolTrace, AHedgeIsAnAttemptAndTheSlowerOneIsLate) {
  make(2, {.hedge_after = 1ms, .watch_heads_every = 0s});
  on_worker([this] { nodes[0]->hold = true; });
  const trace::CallPtr call = call_in(recorder);
  EXPECT_EQ(answer(traced(call)), "[\"b\"]");
  on_worker([&] {
    for (Done& done : std::exchange(nodes[0]->held, {})) done(Reply{.body = "[]"});
    ASSERT_EQ(recorder.spans.size(), 2U);
    EXPECT_EQ(recorder.spans[1].attributes.back().key, "fanfare.late");
    EXPECT_EQ(call->node(), "b");
  });
}

TEST_F(PoolTrace, ACallThatNobodyRecordsHasNoAttempt) {
  make(1);
  EXPECT_EQ(answer(), "[\"a\"]");
  EXPECT_TRUE(recorder.spans.empty());
}

TEST(CoalescerTrace, TheSecondCallerKnowsWhomItWaitsFor) {
  trace::TestRecorder recorder;
  Coalescer coalescer;
  const trace::CallPtr maker = call_in(recorder);
  const trace::CallPtr waiter = call_in(recorder);
  const auto ticket = coalescer.join("k", {.traced = maker}, Instant{}, [](const auto&) {});
  ASSERT_TRUE(ticket);
  EXPECT_FALSE(coalescer.join("k", {.traced = waiter}, Instant{}, [](const auto&) {}));
  EXPECT_EQ(waiter->shared_with(), maker.get());
  EXPECT_EQ(maker->shared_with(), nullptr);
  coalescer.finish(*ticket, Reply{.body = testing::kAnswer});
}

using HttpNodeTrace = testing::HttpClientsTest;
INSTANTIATE_TEST_SUITE_P(Clients, HttpNodeTrace, testing::kHttpSetups, testing::name_of_setup);

TEST_P(HttpNodeTrace, TheNodeGetsTheHeadersOfThisCallAndTheNextOneHasNoneOfThem) {
  std::mutex mutex;
  std::vector<std::string> heads;
  testing::TestServer server([&](testing::Peer& peer, const testing::Request& request) {
    {
      const std::scoped_lock lock(mutex);
      heads.push_back(request.head);
    }
    peer.reply(testing::kAnswer);
  });
  trace::TestRecorder recorder;
  Worker worker(on_loop());
  HttpNode node(worker, with_client({.url = server.url(), .headers = {{"X-Own", "kept"}}}));
  const trace::CallPtr call = call_in(recorder);
  CallOptions options = traced(call);
  options.attempt_record = std::make_shared<trace::Attempt>(options.traced, "n", "eth_call");
  const std::string parent = options.attempt_record->headers()[0].second;
  const auto record = options.attempt_record;
  ASSERT_TRUE(ask(worker, node, "{}", std::move(options)));
  ASSERT_TRUE(ask(worker, node, "{}", kRead));
  worker.run([&] { record->end({}); });
  const std::scoped_lock lock(mutex);
  ASSERT_EQ(heads.size(), 2U);
  EXPECT_NE(heads[0].find("traceparent: " + parent + "\r\n"), std::string::npos) << heads[0];
  EXPECT_NE(heads[0].find("X-Request-Id: req\r\n"), std::string::npos) << heads[0];
  EXPECT_EQ(heads[1].find("traceparent"), std::string::npos) << heads[1];
  for (const std::string& head : heads) {
    EXPECT_NE(head.find("X-Own: kept\r\n"), std::string::npos) << head;
    EXPECT_NE(head.find("Content-Type: application/json\r\n"), std::string::npos) << head;
  }
  const trace::Span& span = recorder.spans.at(0);
  EXPECT_EQ(span.attributes[5].key, "server.address");
  EXPECT_EQ(std::get<std::string>(span.attributes[5].value), "127.0.0.1");
}

}  // namespace
}  // namespace fanfare::upstream
