#include "trace/call.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "trace/recorder_for_tests.h"

namespace fanfare::trace {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string text_of(const Span& span, std::string_view key) {
  const auto found = std::ranges::find(span.attributes, key, &Attribute::key);
  if (found == span.attributes.end()) return "-";
  if (const auto* text = std::get_if<std::string>(&found->value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&found->value)) return std::to_string(*number);
  return std::get<bool>(found->value) ? "true" : "false";
}

class TraceCall : public ::testing::Test {
 protected:
  std::shared_ptr<Request> request(std::string_view protocol = "http") {
    return std::make_shared<Request>(
        Request{.recorder = recorder_.shared(), .id = "req", .protocol = protocol});
  }
  static CallsPtr calls(std::vector<CallPtr> calls) {
    return std::make_shared<const std::vector<CallPtr>>(std::move(calls));
  }

  TestRecorder recorder_;
};

TEST_F(TraceCall, WithoutARequestThereIsNoCall) {
  EXPECT_EQ(begin_call(nullptr, {.method = "eth_chainId", .principal = {}}), nullptr);
}

TEST_F(TraceCall, EndsOnce) {
  const CallPtr call = begin_call(request(), {.method = "eth_chainId", .principal = {}, .bytes_in = 7});
  call->end({.error_code = -32601, .bytes_out = 9});
  call->end({});
  ASSERT_EQ(recorder_.calls.size(), 1U);
  EXPECT_EQ(recorder_.calls[0].end.error_code, -32601);
  EXPECT_EQ(recorder_.calls[0].end.bytes_out, 9U);
}

TEST_F(TraceCall, ThatIsDroppedSaysSo) {
  begin_call(request(), {.method = "eth_chainId", .principal = {}});
  ASSERT_EQ(recorder_.calls.size(), 1U);
  EXPECT_FALSE(recorder_.calls[0].end.is_answered);
}

TEST_F(TraceCall, OfAParentContinuesItsTraceAndItsDecision) {
  recorder_.is_sampling = false;
  const auto from = request("websocket");
  from->parent = parse_trace_parent(kParent);
  from->parent->state = "a=1";
  const CallPtr call = begin_call(from, {.method = "eth_chainId", .principal = {}});
  EXPECT_EQ(call->context().trace, from->parent->trace);
  EXPECT_EQ(call->parent(), from->parent->span);
  EXPECT_NE(call->context().span, from->parent->span);
  EXPECT_TRUE(call->context().is_sampled) << "the parent decides";
  EXPECT_EQ(call->context().state, "a=1");
}

TEST_F(TraceCall, OfAWebSocketIsATraceOfItsOwnWithAnIdOfItsOwn) {
  const auto from = request("websocket");
  const CallPtr first = begin_call(from, {.method = "a", .principal = {}});
  const CallPtr second = begin_call(from, {.method = "b", .principal = {}});
  EXPECT_NE(first->context().trace, second->context().trace);
  EXPECT_EQ(first->id(), "req-1");
  EXPECT_EQ(second->id(), "req-2");
}

TEST_F(TraceCall, OfOneHttpRequestShareTraceAndId) {
  const auto from = request();
  from->trace = recorder_.make_trace_id();
  const CallPtr first = begin_call(from, {.method = "a", .principal = {}});
  const CallPtr second = begin_call(from, {.method = "b", .principal = {}});
  EXPECT_EQ(first->context().trace, second->context().trace);
  EXPECT_NE(first->context().span, second->context().span);
  EXPECT_EQ(second->id(), "req");
}

TEST_F(TraceCall, CutsAHostileMethod) {
  const CallPtr call = begin_call(request(), {.method = std::string(100'000, 'x'), .principal = {}});
  EXPECT_LE(call->method().size(), kMethodBytesMax + 32);
}

TEST_F(TraceCall, WithoutTracingPassesTheClientsTraceOnAsItCame) {
  recorder_.is_tracing = false;
  const auto from = request();
  const CallPtr alone = begin_call(from, {.method = "a", .principal = {}});
  EXPECT_EQ(Attempt(calls({alone}), "n", "a").headers(),
            (std::vector<std::pair<std::string, std::string>>{{"X-Request-Id", "req"}}));
  from->parent = parse_trace_parent(kParent);
  from->parent->state = "a=1";
  const CallPtr call = begin_call(from, {.method = "a", .principal = {}});
  {
    const Attempt attempt(calls({call}), "n", "a");
    EXPECT_EQ(attempt.headers(),
              (std::vector<std::pair<std::string, std::string>>{
                  {"traceparent", std::string(kParent)}, {"tracestate", "a=1"}, {"X-Request-Id", "req"}}));
  }
  EXPECT_TRUE(recorder_.spans.empty());
}

TEST_F(TraceCall, AttemptIsAChildSpanWithItsNode) {
  const CallPtr call = begin_call(request(), {.method = "eth_call", .principal = {}});
  Attempt attempt(calls({call}), "alchemy", "eth_call");
  attempt.set_server("node.example:8545");
  EXPECT_NE(attempt.headers()[0].second.find(hex_of(call->context().trace)), std::string::npos);
  recorder_.time.advance(milliseconds(3));
  attempt.end({.http_status = 200});
  ASSERT_EQ(recorder_.spans.size(), 1U);
  const Span& span = recorder_.spans[0];
  EXPECT_EQ(span.parent, call->context().span);
  EXPECT_EQ(span.kind, SpanKind::client);
  EXPECT_EQ(span.ended - span.begun, milliseconds(3));
  EXPECT_EQ(text_of(span, "rpc.system"), "jsonrpc");
  EXPECT_EQ(text_of(span, "rpc.method"), "eth_call");
  EXPECT_EQ(text_of(span, "server.address"), "node.example");
  EXPECT_EQ(text_of(span, "server.port"), "8545");
  EXPECT_EQ(text_of(span, "http.response.status_code"), "200");
  EXPECT_FALSE(span.is_error);
  EXPECT_EQ(call->node(), "alchemy");
  EXPECT_EQ(call->attempts(), 1U);
}

TEST_F(TraceCall, AnInventedMethodIsNotTheNameOfASpan) {
  const CallPtr call = begin_call(request(), {.method = "eth call", .principal = {}});
  Attempt(calls({call}), "alchemy", "eth call").end({});
  ASSERT_EQ(recorder_.spans.size(), 1U);
  EXPECT_EQ(recorder_.spans[0].name, "jsonrpc");
  EXPECT_EQ(text_of(recorder_.spans[0], "rpc.method"), "eth call");
}

TEST_F(TraceCall, OfSeveralAttemptsNamesTheNodeThatAnsweredInTime) {
  const CallPtr call = begin_call(request(), {.method = "eth_call", .principal = {}});
  Attempt slow(calls({call}), "slow", "eth_call");
  Attempt fast(calls({call}), "fast", "eth_call");
  fast.end({});
  slow.end({.is_late = true});
  EXPECT_EQ(call->node(), "fast");
  EXPECT_EQ(call->attempts(), 2U);
  ASSERT_EQ(recorder_.spans.size(), 2U);
  EXPECT_EQ(text_of(recorder_.spans[1], "fanfare.late"), "true");
}

TEST_F(TraceCall, AttemptThatFailsSaysWhy) {
  const CallPtr call = begin_call(request(), {.method = "eth_call", .principal = {}});
  Attempt(calls({call}), "a", "eth_call").end({.failure = "timeout"});
  {
    const Attempt dropped(calls({call}), "b", "eth_call");
  }
  ASSERT_EQ(recorder_.spans.size(), 2U);
  EXPECT_TRUE(recorder_.spans[0].is_error);
  EXPECT_EQ(text_of(recorder_.spans[0], "error.type"), "timeout");
  EXPECT_EQ(text_of(recorder_.spans[1], "error.type"), "given up");
}

TEST_F(TraceCall, AttemptForABatchLinksTheOtherCalls) {
  const auto from = request();
  const CallPtr first = begin_call(from, {.method = "a", .principal = {}});
  const CallPtr second = begin_call(from, {.method = "b", .principal = {}});
  Attempt(calls({first, second}), "n", "batch").end({});
  ASSERT_EQ(recorder_.spans.size(), 1U);
  EXPECT_EQ(recorder_.spans[0].parent, first->context().span);
  ASSERT_EQ(recorder_.spans[0].links.size(), 1U);
  EXPECT_EQ(recorder_.spans[0].links[0].span, second->context().span);
  EXPECT_EQ(second->node(), "n");
}

TEST_F(TraceCall, SharedReadHasTheNodeOfTheOther) {
  const CallPtr maker = begin_call(request(), {.method = "a", .principal = {}});
  const CallPtr waiter = begin_call(request(), {.method = "a", .principal = {}});
  waiter->note_shared(maker);
  maker->note_answered_by("n");
  EXPECT_EQ(waiter->node(), "n");
  EXPECT_EQ(waiter->attempts(), 0U);
}

TEST_F(TraceCall, IsNotExportedIfItsTraceIsNotSampled) {
  recorder_.is_sampling = false;
  const CallPtr call = begin_call(request(), {.method = "a", .principal = {}});
  Attempt attempt(calls({call}), "n", "a");
  EXPECT_TRUE(attempt.headers()[0].second.ends_with("-00")) << "nodes are told, and record nothing either";
  attempt.end({});
  EXPECT_TRUE(recorder_.spans.empty());
}

}  // namespace
}  // namespace fanfare::trace
