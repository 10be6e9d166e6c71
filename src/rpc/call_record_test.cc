// A call that somebody records ends with its answer, whichever way its message is answered.

#include <gtest/gtest.h>

#include "rpc/long_answer.h"
#include "rpc/message.h"
#include "trace/recorder_for_tests.h"

namespace fanfare::rpc {
namespace {

class CallRecord : public ::testing::Test {
 protected:
  Call call(std::string method, std::string id, std::string answer) {
    Call one{.id = std::move(id), .method = method, .params = {}, .answer = std::move(answer)};
    one.record = trace::begin_call(from_, {.method = method, .principal = {}});
    return one;
  }

  trace::TestRecorder recorder_;
  std::shared_ptr<trace::Request> from_ =
      std::make_shared<trace::Request>(trace::Request{.recorder = recorder_.shared(), .id = "req"});
};

constexpr const char* kResult = R"({"jsonrpc":"2.0","id":1,"result":"0x1"})";
constexpr const char* kError = R"({"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no"}})";

TEST_F(CallRecord, HasTheErrorAndTheSizeOfItsAnswer) {
  Message message{.calls = {}, .batch = true};
  message.calls.push_back(call("good", "1", kResult));
  message.calls.push_back(call("bad", "2", kError));
  message.calls.push_back(call("notification", "", ""));
  EXPECT_FALSE(complete(std::move(message)).text.empty());
  ASSERT_EQ(recorder_.calls.size(), 3U);
  EXPECT_FALSE(recorder_.calls[0].end.error_code);
  EXPECT_EQ(recorder_.calls[0].end.bytes_out, std::string_view(kResult).size());
  EXPECT_EQ(recorder_.calls[1].end.error_code, -32601);
  EXPECT_EQ(recorder_.calls[2].end.bytes_out, 0U);
  for (const auto& ended : recorder_.calls) EXPECT_TRUE(ended.end.is_answered);
}

TEST_F(CallRecord, EndsOnceInALongBatch) {
  constexpr std::size_t kCalls = LongAnswer::kCallsAtOnce + 1;
  Message message{.calls = {}, .batch = true};
  for (std::size_t i = 0; i < kCalls; ++i) message.calls.push_back(call("m", "1", kResult));
  Reply reply = complete_on_loop(std::move(message));
  ASSERT_NE(reply.unfinished, nullptr);
  LongAnswer answer(std::move(*reply.unfinished), LongAnswer::Form::text);
  ManualClock clock;
  for (bool done = false; !done;) {
    Slice slice(clock);
    done = answer.join_on(slice).has_value();
  }
  EXPECT_EQ(recorder_.calls.size(), kCalls);
}

TEST_F(CallRecord, ThatIsLostOnTheWaySaysSo) {
  {
    const Call lost = call("m", "1", "");
  }
  ASSERT_EQ(recorder_.calls.size(), 1U);
  EXPECT_FALSE(recorder_.calls[0].end.is_answered);
}

}  // namespace
}  // namespace fanfare::rpc
