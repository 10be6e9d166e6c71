#include "jsonrpc/request.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace fanfare::jsonrpc {
namespace {

// The only request of `text`; its fields are strings, so that the parser may be destroyed.
struct Copy {
  std::string raw, id, method, params, fault;
};

Copy only(std::string_view text) {
  Parser parser;
  const auto message = parser.parse(text);
  EXPECT_TRUE(message.has_value()) << text;
  if (!message) return {};
  EXPECT_FALSE(message->batch);
  EXPECT_EQ(message->requests.size(), 1U);
  const Request& request = message->requests.front();
  return {std::string(request.raw), std::string(request.id), std::string(request.method),
          std::string(request.params), std::string(request.fault)};
}

ErrorCode refused(std::string_view text, ParseLimits limits = {}) {
  Parser parser(limits);
  const auto message = parser.parse(text);
  EXPECT_FALSE(message.has_value()) << text;
  return message ? ErrorCode::internal : message.error().code;
}

TEST(JsonRpcRequest, SlicesARequest) {
  const std::string_view text =
      R"( {"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["logs",{"a":[null]}]} )";
  Parser parser;
  const auto message = parser.parse(text);
  ASSERT_TRUE(message);
  const Request& request = message->requests.front();
  EXPECT_EQ(request.raw, text.substr(1, text.size() - 2));
  EXPECT_EQ(request.id, "1");
  EXPECT_EQ(request.method, "eth_subscribe");
  EXPECT_EQ(request.params, R"(["logs",{"a":[null]}])");
  EXPECT_TRUE(request.fault.empty());
  EXPECT_FALSE(request.is_notification());
  // A view into the text, not a copy.
  EXPECT_GE(request.method.data(), text.data());
  EXPECT_LT(request.method.data(), text.data() + text.size());
}

TEST(JsonRpcRequest, IdsAreKeptToTheLetter) {
  for (const std::string_view id :
       {"0", "7", "-1", "9007199254740993", "123456789012345678901234567890", "1.50", "1e3", "1E400", "null",
        R"("")", R"("c0ffee-uuid")", R"("a\u0041\n\"")", R"("\ud83d\ude00 \/")"}) {
    const std::string text = R"({"jsonrpc":"2.0","method":"m","id":)" + std::string(id) + "}";
    const Copy request = only(text);
    EXPECT_EQ(request.id, id);
    EXPECT_EQ(request.fault, "");
  }
}

TEST(JsonRpcRequest, NullIdIsARequestAndAMissingOneANotification) {
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","id":null,"method":"net_version"})").id, "null");
  const Copy notification = only(R"({"jsonrpc":"2.0","method":"net_version"})");
  EXPECT_EQ(notification.id, "");
  EXPECT_EQ(notification.fault, "");
}

TEST(JsonRpcRequest, OtherIdsAreNoRequest) {
  for (const std::string_view id : {"true", "false", "[]", "[1]", "{}", R"({"a":1})"}) {
    const Copy request = only(R"({"jsonrpc":"2.0","method":"m","id":)" + std::string(id) + "}");
    EXPECT_NE(request.fault, "") << id;
    EXPECT_EQ(request.id, "null") << id;
  }
}

TEST(JsonRpcRequest, ParamsMayBeMissingNullOrEmpty) {
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","id":1,"method":"m"})").params, "");
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","id":1,"method":"m","params":null})").params, "null");
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","id":1,"method":"m","params":[]})").params, "[]");
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","id":1,"method":"m","params": { } })").params, "{ }");
}

TEST(JsonRpcRequest, ParamsOfOtherKindsAreNoRequest) {
  for (const std::string_view params : {"1", "true", R"("bar")"}) {
    const Copy request =
        only(R"({"jsonrpc":"2.0","id":4,"method":"m","params":)" + std::string(params) + "}");
    EXPECT_NE(request.fault, "") << params;
    EXPECT_EQ(request.id, "4");
  }
}

TEST(JsonRpcRequest, MemberOrderIsFreeAndUnknownMembersAreIgnored) {
  const Copy request =
      only(R"({"params":[1] , "x":{"id":9,"method":"no"},"method":"m","id":"z","jsonrpc":"2.0"})");
  EXPECT_EQ(request.params, "[1]");
  EXPECT_EQ(request.method, "m");
  EXPECT_EQ(request.id, R"("z")");
  EXPECT_EQ(request.fault, "");
}

TEST(JsonRpcRequest, EscapesInNamesAndMethodsAreRead) {
  const Copy request = only(R"({"jsonrpc":"2.\u0030","\u0069d":5,"meth\u006fd":"eth_\u0063all\/\t"})");
  EXPECT_EQ(request.fault, "");
  EXPECT_EQ(request.id, "5");
  EXPECT_EQ(request.method, "eth_call/\t");
}

TEST(JsonRpcRequest, ADuplicateMemberIsNoRequest) {
  for (const std::string_view text : {R"({"jsonrpc":"2.0","id":1,"method":"a","method":"b"})",
                                      R"({"jsonrpc":"2.0","id":1,"\u0069d":2,"method":"a"})",
                                      R"({"jsonrpc":"2.0","id":1,"method":"a","params":[],"params":[]})"}) {
    const Copy request = only(text);
    EXPECT_EQ(request.fault, "Invalid Request: duplicate member") << text;
    EXPECT_EQ(request.id, "null") << text;
  }
}

TEST(JsonRpcRequest, TheVersionAndTheMethodAreAskedFor) {
  EXPECT_NE(only(R"({"id":1,"method":"m"})").fault, "");
  EXPECT_NE(only(R"({"jsonrpc":"1.0","id":1,"method":"m"})").fault, "");
  EXPECT_NE(only(R"({"jsonrpc":2.0,"id":1,"method":"m"})").fault, "");
  EXPECT_NE(only(R"({"jsonrpc":"2.0","id":1})").fault, "");
  EXPECT_NE(only(R"({"jsonrpc":"2.0","id":1,"method":1})").fault, "");
  // A fault is answered with the caller's id if there is a valid one, otherwise with null.
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","id":"q","method":1})").id, R"("q")");
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","method":1,"params":"bar"})").id, "null");
  EXPECT_EQ(only("{}").id, "null");
}

TEST(JsonRpcRequest, AScalarIsNoRequest) {
  for (const std::string_view text : {"1", "null", R"("x")", "true"}) {
    const Copy request = only(text);
    EXPECT_EQ(request.fault, "Invalid Request: not an object");
    EXPECT_EQ(request.id, "null");
    EXPECT_EQ(request.raw, text);
  }
}

TEST(JsonRpcRequest, BadJsonIsRefused) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "{]",
                                      "[}",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "nul",
                                      "tru",
                                      "fals",
                                      "truex",
                                      "01",
                                      "-",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "0x10",
                                      "NaN",
                                      "Infinity",
                                      "\"",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"a\nb\"",
                                      "{} {}",
                                      "[] x",

                                      "// c\n{}",
                                      "[1 2]",
                                      "{\"a\" 1}",
                                      "\xEF\xBB\xBF{}"}) {
    EXPECT_EQ(refused(text), ErrorCode::parse_error) << text;
  }
  EXPECT_EQ(refused(std::string_view("{}\0", 3)), ErrorCode::parse_error);
  EXPECT_EQ(refused(std::string_view("\"a\0b\"", 5)), ErrorCode::parse_error);
}

TEST(JsonRpcRequest, TextMustBeUtf8_RFC3629_4) {
  for (const std::string_view bad :
       {"\x80", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xF0\x9F\x98",
        "\xE2\x28\xA1"}) {
    EXPECT_EQ(refused("[\"" + std::string(bad) + "\"]"), ErrorCode::parse_error);
    EXPECT_EQ(refused("[\"0123456789" + std::string(bad) + "0123456789\"]"), ErrorCode::parse_error);
  }
  for (const std::string_view good : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                      "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    const std::string text = R"({"jsonrpc":"2.0","id":1,"method":"abcdefgh)" + std::string(good) + "i\"}";
    EXPECT_EQ(only(text).method, "abcdefgh" + std::string(good) + "i");
  }
}

TEST(JsonRpcRequest, SurrogatesComeInPairs) {
  EXPECT_EQ(only(R"({"jsonrpc":"2.0","id":1,"method":"\uD83D\uDE00"})").method, "\xF0\x9F\x98\x80");
  for (const std::string_view bad : {R"("\ud800")", R"("\ud800x")", R"("\ud800\n")", R"("\udc00")",
                                     R"("\ud800\ud800")", R"("\ud800\u0041")", R"("\ud83d\ude0")"}) {
    EXPECT_EQ(refused(bad), ErrorCode::parse_error) << bad;
  }
}

TEST(JsonRpcRequest, EveryPositionOfASpecialByteIsSeen) {
  // The fast path checks eight bytes at a time: a quote, a control byte or an invalid byte may be at any
  // position.
  for (std::size_t at = 0; at < 24; ++at) {
    std::string content(24, 'x');
    for (const char bad : {'\x01', '\x1F', '"', '\xFF', '\0'}) {
      content[at] = bad;
      EXPECT_EQ(refused("\"" + content + "\""), ErrorCode::parse_error) << at;
    }
    content[at] = '\x7F';
    EXPECT_EQ(only("\"" + content + "\"").raw.size(), 26U);
  }
}

TEST(JsonRpcRequest, NestingIsLimited) {
  const auto nested = [](std::size_t depth, const std::string& behind = "") {
    // The object itself counts as one level.
    return R"({"jsonrpc":"2.0","id":1,"method":"m","params":)" + std::string(depth - 1, '[') +
           std::string(depth - 1, ']') + behind + "}";
  };
  constexpr std::string_view kTooDeep = "Invalid Request: nested too deep";
  EXPECT_EQ(only(nested(128)).fault, "");
  EXPECT_EQ(only(nested(129)).fault, kTooDeep);
  EXPECT_EQ(only(nested(129)).id, "1");
  EXPECT_EQ(only(nested(100'000)).id, "1");
  // The id may follow, and strings may have brackets.
  const std::string deep = R"({"a":"]}\"]}","b":)" + std::string(200, '[') + std::string(200, ']') + "}";
  const auto late = only(R"({"params":)" + deep + R"(,"method":"m","id":"x","jsonrpc":"2.0"})");
  EXPECT_EQ(late.fault, kTooDeep);
  EXPECT_EQ(late.id, "\"x\"");
  EXPECT_EQ(only(nested(129, R"(,"id":2)")).id, "null");
  EXPECT_EQ(only(nested(129, R"(,"id":2)")).fault, "Invalid Request: duplicate member");
  // Where it never ends, or a string is wrong, it is not JSON.
  EXPECT_EQ(refused(std::string(1'000'000, '[')), ErrorCode::parse_error);
  EXPECT_EQ(refused("[" + std::string(200, '[') + "\"\\x\"" + std::string(200, ']') + "]"),
            ErrorCode::parse_error);
  EXPECT_EQ(refused(nested(129) + "]"), ErrorCode::parse_error);
  EXPECT_EQ(refused("[]", {.depth_max = 0}), ErrorCode::parse_error);
  Parser parser({.depth_max = 5});
  EXPECT_TRUE(parser.parse("[" + nested(4) + "]"));
}

// The other elements of a batch are requests as ever.
TEST(JsonRpcBatch, AnElementThatIsTooDeepHasAFault) {
  Parser parser({.depth_max = 3});
  const auto message = parser.parse(
      R"([{"jsonrpc":"2.0","params":[[1]],"id":1,"method":"m"},[[[]]],{"jsonrpc":"2.0","params":[1],"id":2,"method":"m"}])");
  ASSERT_TRUE(message);
  ASSERT_EQ(message->requests.size(), 3U);
  EXPECT_EQ(message->requests[0].fault, "Invalid Request: nested too deep");
  EXPECT_EQ(message->requests[0].id, "1");
  EXPECT_EQ(message->requests[1].fault, "Invalid Request: nested too deep");
  EXPECT_EQ(message->requests[1].id, "null");
  EXPECT_EQ(message->requests[2].fault, "");
  Parser flat({.depth_max = 1});
  const auto one = flat.parse(R"([{"jsonrpc":"2.0","id":1,"method":"m"}])");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->requests[0].fault, "Invalid Request: nested too deep");
}

TEST(JsonRpcBatch, ItCanBeReadInSteps) {
  const std::string text = R"( [1, {"jsonrpc":"2.0","id":7,"method":"\u0061"},[] ,4] )";
  for (const std::size_t elements : {1U, 2U, 3U, 4U, 5U}) {
    Parser parser({.batch_elements_max = 4});
    parser.start(text);
    std::vector<std::string> read;
    bool last = false;
    while (!last) {
      const auto step = parser.step(elements);
      ASSERT_TRUE(step);
      EXPECT_TRUE(step->part.batch);
      EXPECT_GE(step->part.requests.size(), 1U);
      EXPECT_LE(step->part.requests.size(), elements);
      for (const Request& request : step->part.requests) {
        read.push_back(std::string(request.raw) + " " + std::string(request.method));
      }
      last = step->last;
      EXPECT_EQ(last, read.size() == 4);
    }
    EXPECT_EQ(read, (std::vector<std::string>{"1 ", R"({"jsonrpc":"2.0","id":7,"method":"\u0061"} a)", "[] ",
                                              "4 "}));
    EXPECT_EQ(parser.elements_read(), 4U);
  }
}

TEST(JsonRpcBatch, InStepsItHasTheSameErrors) {
  const std::pair<std::string, ErrorCode> cases[] = {{"[1,2,3,4]", ErrorCode::invalid_request},
                                                     {"[]", ErrorCode::invalid_request},
                                                     {"[1,2", ErrorCode::parse_error},
                                                     {"[1,2,]", ErrorCode::parse_error},
                                                     {"[1,2]]", ErrorCode::parse_error},
                                                     {"[1,2}", ErrorCode::parse_error},
                                                     {"", ErrorCode::parse_error}};
  for (const auto& [text, code] : cases) {
    EXPECT_EQ(refused(text, {.batch_elements_max = 3}), code) << text;
    Parser parser({.batch_elements_max = 3});
    parser.start(text);
    auto step = parser.step(1);
    for (int i = 0; step && !step->last && i < 10; ++i) step = parser.step(1);
    ASSERT_FALSE(step) << text;
    EXPECT_EQ(step.error().code, code) << text;
  }
}

TEST(JsonRpcBatch, EveryElementIsItsOwnRequest) {
  Parser parser;
  const auto message = parser.parse(
      R"([ {"jsonrpc":"2.0","id":1,"method":"a"} , 1, {"foo":"boo"},[],{"jsonrpc":"2.0","method":"n"} ])");
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->batch);
  ASSERT_EQ(message->requests.size(), 5U);
  EXPECT_EQ(message->requests[0].method, "a");
  EXPECT_EQ(message->requests[0].raw, R"({"jsonrpc":"2.0","id":1,"method":"a"})");
  EXPECT_EQ(message->requests[0].fault, "");
  for (const std::size_t bad : {1U, 2U, 3U}) {
    EXPECT_NE(message->requests[bad].fault, "");
    EXPECT_EQ(message->requests[bad].id, "null");
  }
  EXPECT_TRUE(message->requests[4].is_notification());
}

TEST(JsonRpcBatch, AnEmptyOneIsNoRequest) {
  EXPECT_EQ(refused("[]"), ErrorCode::invalid_request);
  EXPECT_EQ(refused(" [ ] "), ErrorCode::invalid_request);
}

TEST(JsonRpcBatch, OneBadElementSpoilsTheJson) {
  EXPECT_EQ(refused(R"([{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":])"), ErrorCode::parse_error);
}

TEST(JsonRpcBatch, ElementsAreLimited) {
  const auto batch = [](int count) {
    std::string text = "[";
    for (int i = 0; i < count; ++i) text += (i == 0 ? "1" : ",1");
    return text + "]";
  };
  Parser parser;
  const auto full = parser.parse(batch(1000));
  ASSERT_TRUE(full);
  EXPECT_EQ(full->requests.size(), 1000U);
  EXPECT_EQ(refused(batch(1001)), ErrorCode::invalid_request);
  EXPECT_EQ(refused(batch(3), {.batch_elements_max = 2}), ErrorCode::invalid_request);
}

TEST(JsonRpcParser, TellsHowManyElementsItRead) {
  Parser parser({.batch_elements_max = 3});
  const auto read = [&parser](std::string_view text) {
    (void)parser.parse(text);
    return parser.elements_read();
  };
  EXPECT_EQ(read("[1,2,3]"), 3U);
  EXPECT_EQ(read("[1,2,3,4]"), 3U);
  EXPECT_EQ(read("[1,2,{]"), 2U);
  EXPECT_EQ(read("{"), 0U);
}

TEST(JsonRpcParser, IsUsedAgain) {
  Parser parser;
  ASSERT_TRUE(parser.parse(R"([1,2,{"jsonrpc":"2.0","id":1,"method":"\u0061"}])"));
  ASSERT_FALSE(parser.parse("[1,2"));
  const auto message = parser.parse(R"({"jsonrpc":"2.0","id":1,"method":"b"})");
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->batch);
  ASSERT_EQ(message->requests.size(), 1U);
  EXPECT_EQ(message->requests.front().method, "b");
}

// https://www.jsonrpc.org/specification_v1
TEST(JsonRpcRequest, VersionOneIsAcceptedIfWanted) {
  Parser strict;
  Parser lenient({.version_1 = true});
  for (const char* version : {"", R"("jsonrpc":"1.0",)", R"("jsonrpc":"1.1",)"}) {
    const std::string text = "{" + std::string(version) + R"("id":7,"method":"m"})";
    EXPECT_FALSE(strict.parse(text)->requests.front().fault.empty());
    const auto message = lenient.parse(text);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->requests.front().fault.empty());
    EXPECT_TRUE(message->requests.front().is_version_1);
    EXPECT_EQ(message->requests.front().id, "7");
  }
  EXPECT_EQ(lenient.parse(R"({"method":"m"})")->requests.front().id, "null");
  EXPECT_FALSE(lenient.parse(R"({"jsonrpc":"3.0","id":1,"method":"m"})")->requests.front().fault.empty());
  const auto second = lenient.parse(R"({"jsonrpc":"2.0","method":"m"})");
  EXPECT_FALSE(second->requests.front().is_version_1);
  EXPECT_TRUE(second->requests.front().is_notification());
}

}  // namespace
}  // namespace fanfare::jsonrpc
