#include "jsonrpc/response.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "jsonrpc/value.h"

namespace fanfare::jsonrpc {
namespace {

// Returns what `build` appends to other text.
template <typename Build>
std::string built(Build build) {
  std::string text = "before ";
  build(text);
  EXPECT_TRUE(text.starts_with("before "));
  return text.substr(7);
}

TEST(JsonRpcResponse, Result) {
  EXPECT_EQ(built([](auto& out) { append_result(out, R"("a\u0041")", R"({"x":[1, 2]})"); }),
            R"({"jsonrpc":"2.0","id":"a\u0041","result":{"x":[1, 2]}})");
}

TEST(JsonRpcResponse, Errors) {
  EXPECT_EQ(built([](auto& out) { append_error(out, "null", ErrorCode::parse_error); }),
            R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}})");
  EXPECT_EQ(built([](auto& out) {
              append_error(out, "9007199254740993", ErrorCode::server_error, "not \"found\"\n", R"("0x")");
            }),
            R"({"jsonrpc":"2.0","id":9007199254740993,"error":{"code":-32000,)"
            R"("message":"not \"found\"\n","data":"0x"}})");
  std::string out;
  append_raw_error(out, "1", R"({"code":3,"message":"execution reverted"})");
  EXPECT_EQ(out, R"({"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted"}})");
}

TEST(JsonRpcResponse, ErrorCodesAreTheDocumentedOnes) {
  EXPECT_EQ(static_cast<int>(ErrorCode::invalid_request), -32600);
  EXPECT_EQ(static_cast<int>(ErrorCode::method_not_found), -32601);
  EXPECT_EQ(static_cast<int>(ErrorCode::invalid_params), -32602);
  EXPECT_EQ(static_cast<int>(ErrorCode::internal), -32603);
  EXPECT_EQ(static_cast<int>(ErrorCode::timeout), -32002);
  EXPECT_EQ(static_cast<int>(ErrorCode::response_too_large), -32003);
  EXPECT_EQ(static_cast<int>(ErrorCode::limit_exceeded), -32005);
}

TEST(JsonRpcResponse, Requests) {
  EXPECT_EQ(built([](auto& out) { append_request(out, "7", "eth_chainId", ""); }),
            R"({"jsonrpc":"2.0","id":7,"method":"eth_chainId"})");
  EXPECT_EQ(built([](auto& out) { append_request(out, "7", "a\"b", "[1]"); }),
            R"({"jsonrpc":"2.0","id":7,"method":"a\"b","params":[1]})");
}

TEST(JsonRpcString, EveryByteThatMustBeEscapedIs_RFC8259_7) {
  std::string out;
  append_string(out, std::string_view("a\"\\\n\r\t\b\x01\x1F\0/\x7F\xC3\xA9z", 15));
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\r\\t\\u0008\\u0001\\u001f\\u0000/\x7F\xC3\xA9z\"");
  out.clear();
  append_string(out, "");
  EXPECT_EQ(out, "\"\"");
}

TEST(JsonRpcAnswer, ResultErrorAndNotification) {
  const auto result = split_response(R"( {"jsonrpc":"2.0","id":1,"result":null} )");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->id, "1");
  EXPECT_EQ(result->result, "null");
  EXPECT_EQ(result->error, "");
  EXPECT_EQ(result->raw, R"({"jsonrpc":"2.0","id":1,"result":null})");

  const auto error = split_response(R"({"error":{"code":-32000,"message":"x"},"id":"a"})");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->id, R"("a")");
  EXPECT_EQ(error->error, R"({"code":-32000,"message":"x"})");
  EXPECT_EQ(error->result, "");

  const auto notification =
      split_response(R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1"}})");
  ASSERT_TRUE(notification);
  EXPECT_TRUE(notification->is_notification());
  EXPECT_EQ(notification->method, "eth_subscription");
  EXPECT_EQ(notification->params, R"({"subscription":"0x1"})");
}

TEST(JsonRpcAnswer, TheOldFormWithANullBesideItPasses) {
  EXPECT_EQ(split_response(R"({"id":1,"result":5,"error":null})")->result, "5");
  EXPECT_EQ(split_response(R"({"id":1,"result":null,"error":null})")->result, "null");
  EXPECT_EQ(split_response(R"({"id":1,"result":null,"error":{"code":1}})")->error, R"({"code":1})");
}

TEST(JsonRpcAnswer, WhatIsNoAnswerIsRefused) {
  for (const std::string_view text :
       {"", "1", "[]", "{}", R"({"id":1})", R"({"result":1})", R"({"id":{},"result":1})",
        R"({"id":1,"result":1,"error":{}})", R"({"id":1,"error":"text"})", R"({"id":1,"error":null})",
        R"({"id":1,"id":2,"result":1})", R"({"id":1,"result":1,"\u0072esult":2})", R"({"id":1,"result":1}x)",
        R"({"method":"m","id":1})", R"({"method":""})", R"({"method":1})", "<html>502</html>"}) {
    EXPECT_FALSE(split_response(text)) << text;
  }
}

TEST(JsonRpcAnswer, ABatchComesInAnyOrder) {
  const auto answers = split_responses(R"([{"id":2,"result":"b"}, {"id":1,"error":{"code":1}}])");
  ASSERT_TRUE(answers);
  ASSERT_EQ(answers->size(), 2U);
  EXPECT_EQ((*answers)[0].id, "2");
  EXPECT_EQ((*answers)[1].error, R"({"code":1})");
  // A server that rejects the whole batch sends one object.
  EXPECT_EQ(split_responses(R"({"id":null,"error":{"code":-32600}})")->size(), 1U);
  EXPECT_FALSE(split_responses(R"([{"id":2,"result":"b"},3])"));
  EXPECT_FALSE(split_responses("[{]"));
  // Objects that are not responses are left out; the other responses are kept.
  const auto others =
      split_responses(R"([{"id":1,"result":1,"error":{}},{"id":2,"result":"b"},{"id":3,"id":3,"result":1}])");
  ASSERT_TRUE(others);
  ASSERT_EQ(others->size(), 1U);
  EXPECT_EQ(others->front().id, "2");
}

// callTracer's response for `calls` nested calls.
std::string trace_of(std::size_t calls) {
  std::string text = R"({"jsonrpc":"2.0","id":1,"result":)";
  for (std::size_t i = 1; i < calls; ++i) text += R"({"type":"CALL","calls":[)";
  text += R"({"type":"CALL"})";
  for (std::size_t i = 1; i < calls; ++i) text += "]}";
  return text + "}";
}

TEST(JsonRpcResponse, TracesAsDeepAsTheEvmCallsAreTaken) {
  for (const std::size_t calls : {65U, 1000U, 1025U}) {
    const std::string text = trace_of(calls);
    const auto answer = split_response(text);
    ASSERT_TRUE(answer) << calls;
    EXPECT_TRUE(answer->result.starts_with(R"({"type":"CALL")"));
    EXPECT_EQ(split_responses("[" + text + "]").value().size(), 1U);
    EXPECT_TRUE(replace_id(text, "7").value().contains("\"id\":7"));
    EXPECT_TRUE(member(answer->result, "type"));
  }
  // The response's object, and two levels per call.
  EXPECT_TRUE(split_response(trace_of(kAnswerDepthMax / 2)));
  EXPECT_FALSE(split_response(trace_of(kAnswerDepthMax / 2 + 1)));
}

TEST(JsonRpcSplice, OnlyTheIdChanges) {
  EXPECT_EQ(replace_id(R"({ "jsonrpc":"2.0", "result": {"id":5 , "x":1.0e0},  "id" : 17 })", R"("me")"),
            R"({ "jsonrpc":"2.0", "result": {"id":5 , "x":1.0e0},  "id" : "me" })");
  EXPECT_EQ(replace_id(R"({"\u0069d":1,"result":2})", "9007199254740993"),
            R"({"\u0069d":9007199254740993,"result":2})");
  EXPECT_EQ(replace_id("{\"id\":1}\n", "null"), R"({"id":null})");
}

TEST(JsonRpcSplice, NeedsExactlyOneId) {
  EXPECT_FALSE(replace_id(R"({"result":{"id":1}})", "2"));
  EXPECT_FALSE(replace_id(R"({"id":1,"id":1})", "2"));
  EXPECT_FALSE(replace_id(R"([{"id":1}])", "2"));
  EXPECT_FALSE(replace_id(R"({"id":1)", "2"));
}

TEST(JsonRpcSplice, OnlyAPlainAnswerIsPassedOnAsItCame) {
  const auto is_plain = [](std::string_view text) { return split_response(text).value().is_plain; };
  EXPECT_TRUE(is_plain(R"({"jsonrpc":"2.0","id":1,"result":null})"));
  EXPECT_TRUE(is_plain(R"( {"result":{"error":null},"id":1 , "jsonrpc" : "2.0"} )"));
  for (const std::string_view text :
       {R"({"id":1,"result":0})", R"({"jsonrpc":"1.0","id":1,"result":0})",
        R"({"jsonrpc":2.0,"id":1,"result":0})", R"({"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"result":0})",
        R"({"jsonrpc":"2.0","id":1,"result":0,"error":null})",
        R"({"jsonrpc":"2.0","id":1,"result":0,"x":1})"}) {
    EXPECT_FALSE(is_plain(text)) << text;
  }
}

TEST(JsonRpcSplice, TheNewTextNeedsNoSecondScan) {
  const std::string_view texts[] = {
      R"({"jsonrpc":"2.0","id":12,"result":{"id":1}})", R"( {"result":[12],"id":"x", "jsonrpc":"2.0"} )",
      R"({"error":{"code":-1,"message":"m"},"id":null,"extra":1})", R"({"id":1,"error":null,"result":0})",
      R"({"id":1,"result":null,"params":[]})"};
  for (const std::string_view text : texts) {
    const auto before = split_response(text);
    ASSERT_TRUE(before) << text;
    for (const std::string_view id : {"7", "\"a longer id than any\"", "null"}) {
      const std::string made = with_new_id(*before, id);
      EXPECT_EQ(made, replace_id(text, id)) << text;
      const Answer known = answer_in(made, *before, id);
      const auto scanned = split_response(made);
      ASSERT_TRUE(scanned) << made;
      EXPECT_EQ(known.raw, scanned->raw);
      EXPECT_EQ(known.id, scanned->id);
      EXPECT_EQ(known.result, scanned->result);
      EXPECT_EQ(known.error, scanned->error);
      EXPECT_EQ(known.params, scanned->params);
      EXPECT_EQ(known.is_plain, scanned->is_plain);
    }
  }
}

TEST(JsonRpcAnswer, VersionOneHasBothMembers) {
  std::string answer;
  append_result(answer, "\"a,\\\"b\"", R"({"result":[1,2]})");
  EXPECT_EQ(to_version_1(answer, "\"a,\\\"b\""), R"({"result":{"result":[1,2]},"error":null,"id":"a,\"b"})");
  answer.clear();
  append_error(answer, "1.50", ErrorCode::method_not_found, "no");
  EXPECT_EQ(to_version_1(answer, "1.50"),
            R"({"result":null,"error":{"code":-32601,"message":"no"},"id":1.50})");
}

TEST(JsonRpcAnswer, AScanTellsJsonFromAnAnswer) {
  EXPECT_TRUE(scan_response(R"({"id":1,"result":2})").answer);
  const ScannedText no_answer = scan_response(R"({"hello":1})");
  EXPECT_TRUE(no_answer.is_object);
  EXPECT_FALSE(no_answer.answer);
  for (const std::string_view text : {R"({"id":1,"result":2)", R"({"id":1,"result":2}})", "[]", "1", "",
                                      R"({"id":1,"result":tru})", R"({"id":1,"result":2,})"}) {
    EXPECT_FALSE(scan_response(text).is_object) << text;
    EXPECT_FALSE(scan_response(text).answer) << text;
  }
}

TEST(JsonRpcErrorObject, IsRead) {
  const ErrorObject error = read_error(R"({"code":-32005,"message":"too \"many\"","data":{"limit":100}})");
  EXPECT_EQ(error.code, -32005);
  EXPECT_EQ(error.message, "too \"many\"");
  EXPECT_EQ(error.data, R"({"limit":100})");
  const ErrorObject odd = read_error(R"({"code":"x","message":7})");
  EXPECT_EQ(odd.code, 0);
  EXPECT_EQ(odd.message, "");
  EXPECT_EQ(read_error("null").code, 0);
}

}  // namespace
}  // namespace fanfare::jsonrpc
