#include "streams/request.h"

#include <gtest/gtest.h>

#include "streams/message_rate.h"

namespace fanfare::streams {
namespace {

std::string error_of(std::string_view text) {
  const auto request = parse_request(text);
  return request ? "none" : error_message(request.error(), true);
}

TEST(StreamRequest, ReadsEveryField) {
  const auto request = parse_request(
      R"({"type":"subscribe","stream":"s","id":"a\"b","position":true,"delta":"merge","since":{"epoch":9007199254740991,"offset":0},"future":[1]})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->type, Request::Type::subscribe);
  EXPECT_EQ(request->stream, "s");
  EXPECT_EQ(request->id, R"("a\"b")");
  EXPECT_TRUE(request->position);
  EXPECT_TRUE(request->delta);
  EXPECT_EQ(request->since, (Position{.epoch = 9007199254740991, .offset = 0}));
  EXPECT_EQ(request->history, std::nullopt);
  EXPECT_EQ(parse_request(R"({"type":"ping","id":-7})")->id, "-7");
  EXPECT_EQ(parse_request(R"({"type":"hello"})")->type, Request::Type::hello);
  EXPECT_EQ(parse_request(R"({"type":"unsubscribe","stream":"s"})")->type, Request::Type::unsubscribe);
}

TEST(StreamRequest, PositionsComeWithWhatNeedsThem) {
  EXPECT_FALSE(parse_request(R"({"type":"subscribe","stream":"s"})")->position);
  EXPECT_TRUE(parse_request(R"({"type":"subscribe","stream":"s","history":0})")->position);
  EXPECT_TRUE(parse_request(R"({"type":"subscribe","stream":"s","delta":"merge"})")->position);
  EXPECT_TRUE(parse_request(R"({"type":"subscribe","stream":"s","since":{"epoch":1,"offset":2}})")->position);
}

TEST(StreamRequest, ErrorsNameTheField) {
  EXPECT_EQ(error_of("x"), R"({"type":"error","message":"the message is not JSON","code":"not_json"})");
  EXPECT_EQ(error_of("[]"),
            R"({"type":"error","message":"the message must be an object","code":"bad_message"})");
  EXPECT_EQ(error_of("{}"), R"({"type":"error","message":"\"type\" must be a string","code":"bad_message"})");
  EXPECT_EQ(
      error_of(R"({"type":"publish","id":4})"),
      R"({"type":"error","message":"unknown type: expected subscribe, unsubscribe, ping, hello and authenticate","code":"unknown_type","id":4})");
  EXPECT_EQ(error_of(R"({"type":"subscribe"})"),
            R"({"type":"error","message":"\"stream\" must be a string","code":"bad_message"})");
  for (const std::string_view since :
       {"1", "{}", R"({"epoch":1})", R"({"epoch":-1,"offset":1})", R"({"epoch":1,"offset":1.5})",
        R"({"epoch":1,"offset":"1"})", R"({"epoch":18446744073709551615,"offset":1})"}) {
    EXPECT_EQ(
        error_of(R"({"type":"subscribe","stream":"s","since":)" + std::string(since) + "}"),
        R"({"type":"error","message":"\"since\" must be {\"epoch\":E,\"offset\":N} with two integers","code":"bad_message","stream":"s"})");
  }
  for (const std::string_view history : {"-1", "10001", "1.0", "true", "\"5\"", "1e3"}) {
    EXPECT_EQ(
        error_of(R"({"type":"subscribe","stream":"s","history":)" + std::string(history) + "}"),
        R"({"type":"error","message":"\"history\" must be an integer from 0 to 10000","code":"bad_message","stream":"s"})");
  }
  EXPECT_EQ(parse_request(R"({"type":"subscribe","stream":"s","history":10000})")->history, 10'000U);
  EXPECT_EQ(
      error_of(R"({"type":"subscribe","stream":"s","history":1,"since":{"epoch":1,"offset":1}})"),
      R"({"type":"error","message":"\"since\" and \"history\" cannot be combined","code":"bad_message","stream":"s"})");
  EXPECT_EQ(error_of(R"({"type":"subscribe","stream":"s","delta":true})"),
            R"({"type":"error","message":"\"delta\" must be \"merge\"","code":"bad_message","stream":"s"})");
  EXPECT_EQ(
      error_of(R"({"type":"subscribe","stream":"s","position":1})"),
      R"({"type":"error","message":"\"position\" must be true or false","code":"bad_message","stream":"s"})");
}

TEST(StreamRequest, AnIdHasAtMost64Bytes) {
  const auto with_id = [](const std::string& id) { return R"({"type":"ping","id":)" + id + "}"; };
  EXPECT_TRUE(parse_request(with_id('"' + std::string(64, 'x') + '"')));
  EXPECT_TRUE(parse_request(with_id(std::string(64, '9'))));
  const std::string expected =
      R"({"type":"error","message":"\"id\" must be an integer or a string of at most 64 bytes","code":"bad_message"})";
  for (const std::string& id : {'"' + std::string(65, 'x') + '"', std::string(65, '9'), std::string("1.5"),
                                std::string("null"), std::string("{}")}) {
    EXPECT_EQ(error_of(with_id(id)), expected) << id;
  }
}

// Without hello, an error has what row C of the protocol has.
TEST(StreamRequest, ErrorsArePlainForPlainClients) {
  EXPECT_EQ(error_message(parse_request(R"({"type":"subscribe"})").error(), false),
            R"({"type":"error","message":"\"stream\" must be a string"})");
}

using Verdict = MessageRate::Verdict;
using std::chrono::milliseconds;

TEST(MessageRate, AllowsTheRateAndABurstOfOneSecond) {
  MessageRate rate(20);
  Instant now{std::chrono::hours(1)};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rate.add(now), Verdict::handle) << i;
  EXPECT_EQ(rate.add(now), Verdict::refuse);
  EXPECT_EQ(rate.add(now), Verdict::ignore);
  // One more every 50 ms, without end.
  for (int i = 0; i < 100; ++i) {
    now += milliseconds(50);
    EXPECT_EQ(rate.add(now), Verdict::handle) << i;
  }
  EXPECT_EQ(rate.add(now), Verdict::refuse) << "told again, once a second";
  now += std::chrono::seconds(1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rate.add(now), Verdict::handle) << i;
  EXPECT_EQ(rate.add(now), Verdict::refuse);
}

TEST(MessageRate, TenTimesTheRateInASecondIsAFlood) {
  MessageRate rate(3);
  const Instant now{std::chrono::hours(1)};
  for (int i = 0; i < 30; ++i) EXPECT_NE(rate.add(now), Verdict::flood) << i;
  EXPECT_EQ(rate.add(now + milliseconds(999)), Verdict::flood);
  MessageRate other(3);
  for (int i = 0; i < 30; ++i) EXPECT_NE(other.add(now), Verdict::flood) << i;
  EXPECT_NE(other.add(now + milliseconds(1000)), Verdict::flood) << "another second";
}

}  // namespace
}  // namespace fanfare::streams
