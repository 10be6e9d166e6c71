// What a program's methods may return and take, the errors of wrong options, and bodies with a content coding.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/rpc_world_for_tests.h"

namespace fanfare::api {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Point {
  int x = 0;
};

}  // namespace
}  // namespace fanfare::api

template <>
struct fanfare::JsonType<fanfare::api::Point> {
  static std::optional<api::Point> read(std::string_view json) {
    const auto x = read_json_member(json, "x");
    const auto number = x ? JsonType<int>::read(*x) : std::nullopt;
    return number ? std::optional(api::Point{*number}) : std::nullopt;
  }
  static void write(std::string& out, const api::Point& point) {
    out += JsonObject().add("x", point.x).text();
  }
  static std::string schema() { return R"({"type":"object"})"; }
  static std::string_view expected() { return "a point"; }
};

namespace fanfare::api {
namespace {

class RpcTypesTest : public testing::Test {
 protected:
  std::string ask(const std::string& text) { return world.ask(Wire::http, text, "nobody"); }
  RpcWorld world;
};

TEST_F(RpcTypesTest, EveryKindOfResultIsSent) {
  std::atomic<int> runs = 0;
  world.rpc.method("nothing", {}, [&](const RpcCall&) { ++runs; });
  world.rpc.method(
      "nothing_or_error", {},
      [&](const RpcCall&, bool fails) -> RpcResult<void> {
        ++runs;
        if (fails) return rpc_error(-8, "no");
        return {};
      },
      RpcParam<bool>{"fails"});
  world.rpc.method("literal", {}, [](const RpcCall&) { return "a \"text\""; });
  world.rpc.method("view", {}, [](const RpcCall& call) { return call.method(); });
  world.rpc.method("float", {}, [](const RpcCall&, float value) { return value; }, RpcParam<float>{"value"});
  world.rpc.method(
      "maybe", {}, [](const RpcCall&, std::optional<int> value) { return value; },
      RpcParam<std::optional<int>>{"value"});
  world.rpc.method(
      "list", {}, [](const RpcCall&, std::vector<std::optional<Point>> points) { return points; },
      RpcParam<std::vector<std::optional<Point>>>{"points"});
  world.rpc.method_later<void>(
      "later", {},
      [](const RpcCall&, RpcReply<void> reply, bool fails) {
        if (fails) return std::move(reply).fail({.code = -8, .message = "no"});
        std::move(reply).send();
      },
      RpcParam<bool>{"fails"});
  world.start();
  EXPECT_EQ(ask(call("nothing")), result("null"));
  EXPECT_EQ(ask(call("nothing_or_error", "[false]")), result("null"));
  EXPECT_EQ(ask(call("nothing_or_error", "[true]")), error(-8, "no"));
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(ask(call("literal")), result(R"("a \"text\"")"));
  EXPECT_EQ(ask(call("view")), result("\"view\""));
  EXPECT_EQ(ask(call("float", "[0.1]")), result("0.1"));
  EXPECT_EQ(ask(call("float", "[1e39]")),
            error(-32602, "the parameter value must be a number that a float holds"));
  EXPECT_EQ(ask(call("maybe")), result("null"));
  EXPECT_EQ(ask(call("maybe", "[7]")), result("7"));
  EXPECT_EQ(ask(call("list", R"([[{"x":1},null]])")), result(R"([{"x":1},null])"));
  EXPECT_EQ(ask(call("list", R"([[{"x":1},{"x":"2"}]])")),
            error(-32602, "the parameter points[1] must be a point"));
  EXPECT_EQ(ask(call("later", "[false]")), result("null"));
  EXPECT_EQ(ask(call("later", "[true]")), error(-8, "no"));
  const std::string document = ask(call("rpc.discover"));
  EXPECT_THAT(document,
              HasSubstr(R"("name":"nothing","description":"","paramStructure":"either","params":[],"result":)"
                        R"({"name":"result","schema":{"type":"null"}})"));
  EXPECT_THAT(document,
              HasSubstr(R"("schema":{"anyOf":[{"type":"integer","minimum":-2147483648,"maximum":2147483647},)"
                        R"({"type":"null"}]})"));
}

TEST_F(RpcTypesTest, WholeNumbersHaveTheRangeOfTheirType) {
  world.rpc.method(
      "small", {}, [](const RpcCall&, std::int8_t value) { return int{value}; },
      RpcParam<std::int8_t>{"value"});
  world.rpc.method(
      "large", {}, [](const RpcCall&, std::uint64_t value) { return value; },
      RpcParam<std::uint64_t>{"value"});
  world.rpc.method(
      "bytes", {}, [](const RpcCall&, std::vector<std::vector<std::uint8_t>> v) { return v; },
      RpcParam<std::vector<std::vector<std::uint8_t>>>{"v"});
  world.start();
  EXPECT_EQ(ask(call("small", "[-128]")), result("-128"));
  EXPECT_EQ(ask(call("small", "[127]")), result("127"));
  for (const char* const value : {"-129", "128", "1.5"}) {
    EXPECT_EQ(ask(call("small", "[" + std::string(value) + "]")),
              error(-32602, "the parameter value must be a whole number from -128 to 127"));
  }
  EXPECT_EQ(ask(call("large", "[18446744073709551615]")), result("18446744073709551615"));
  for (const char* const value : {"18446744073709551616", "-1"}) {
    EXPECT_EQ(ask(call("large", "[" + std::string(value) + "]")),
              error(-32602, "the parameter value must be a whole number from 0 to 18446744073709551615"));
  }
  EXPECT_EQ(ask(call("bytes", "[[[1],[2,255]]]")), result("[[1],[2,255]]"));
  EXPECT_EQ(ask(call("bytes", "[[[1],[2,256]]]")),
            error(-32602, "the parameter v[1][1] must be a whole number from 0 to 255"));
  EXPECT_EQ(ask(call("bytes", "[[[1],2]]")), error(-32602, "the parameter v[1] must be an array"));
  EXPECT_THAT(ask(call("rpc.discover")),
              AllOf(HasSubstr(R"({"type":"integer","minimum":-128,"maximum":127})"),
                    HasSubstr(R"({"type":"integer","minimum":0,"maximum":18446744073709551615})")));
}

TEST_F(RpcTypesTest, DeepCallsHaveAnErrorOfTheirOwn) {
  world.start();
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_THAT(ask(call("echo", nested(127))), HasSubstr(R"("result":{"value":)"));
  const std::string refused =
      R"({"jsonrpc":"2.0","id":"x","error":{"code":-32600,"message":"Invalid Request: nested too deep"}})";
  EXPECT_EQ(ask(call("echo", nested(128), "\"x\"")), refused);
  EXPECT_EQ(world.ask(Wire::websocket, call("echo", nested(500), "\"x\""), "nobody"), refused);
  EXPECT_EQ(ask("[" + call("echo", nested(500), "\"x\"") + "," + call("last") + "]"),
            "[" + refused + "," + result("true") + "]");
}

TEST_F(RpcTypesTest, ABodyWithAContentCodingIsRefused) {
  world.start();
  RawClient client(world.server.port());
  const std::string text = call("add", "[1]");
  client.write("POST /rpc HTTP/1.1\r\nHost: test\r\nContent-Encoding: gzip\r\nContent-Length: " +
               std::to_string(text.size()) + "\r\n\r\n" + text);
  const std::string answer = client.read_answer(false);
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 415 "), HasSubstr("Accept-Encoding: identity\r\n")));
  EXPECT_EQ(world.effects(), 0);
}

TEST_F(RpcTypesTest, ABatchHasALimitedNumberOfSubscriptions) {
  world.rpc.event<int>("tick", {});
  world.start();
  const auto batch = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
      text += (i == 0 ? "[" : ",") + call("unsubscribe", R"(["tick"])", std::to_string(i));
    return text + "]";
  };
  EXPECT_THAT(world.ask(Wire::websocket, batch(256), "nobody"), EndsWith("," + result("false", "255") + "]"));
  const std::string past = world.ask(Wire::websocket, batch(257), "nobody");
  EXPECT_THAT(past, HasSubstr("," + result("false", "255") + ","));
  EXPECT_THAT(
      past,
      EndsWith(
          R"({"jsonrpc":"2.0","id":256,"error":{"code":-32005,"message":"too many subscriptions in one batch"}}])"));
}

TEST(RpcEndTest, WhatWaitedForAWorkerIsAnswered) {
  auto rpc = std::make_unique<Rpc>(RpcOptions{.workers = 1, .allowed_hosts = {"*"}});
  std::promise<void> runs;
  std::promise<void> goes_on;
  rpc->method("wait", {.run = RpcRun::worker}, [&](const RpcCall&) {
    runs.set_value();
    goes_on.get_future().wait();
    return true;
  });
  rpc->method("behind", {.run = RpcRun::worker}, [](const RpcCall&) { return true; });
  Server server({.port = 0, .threads = 1});
  rpc->serve(server, "/rpc");
  ASSERT_TRUE(server.start());
  RpcClient client(server.port());
  client.send(call("wait", "[]", "1"));
  runs.get_future().wait();
  client.send(call("behind", "[]", "2"));
  client.send(call("help", "[]", "3"));  // its answer shows that the one before is in the queue
  EXPECT_THAT(client.receive(), HasSubstr("\"id\":3"));
  std::thread destroys([&] { rpc.reset(); });
  EXPECT_EQ(client.receive(), error(-32603, "Internal error", "", "2"));
  goes_on.set_value();
  EXPECT_EQ(client.receive(), result("true", "1"));
  destroys.join();
  server.stop(std::chrono::seconds(1));
}

TEST(RpcEndDeathTest, AnRpcThatIsDestroyedOnItsWorkerEndsWithAMessage) {
  const auto destroy_in_handler = [] {
    auto rpc = std::make_unique<Rpc>(RpcOptions{.allowed_hosts = {"*"}});
    rpc->method("end", {.run = RpcRun::worker}, [&](const RpcCall&) {
      rpc.reset();
      return true;
    });
    Server server({.port = 0, .threads = 1});
    rpc->serve(server, "/rpc");
    if (!server.start()) return;
    RpcClient client(server.port());
    client.send(call("end"));
    client.receive();
  };
  EXPECT_DEATH(destroy_in_handler(),
               "Rpc destroyed in one of its handlers on a worker: .* on another thread");
}

TEST(RpcOptionsTest, StartNamesTheOptionThatIsWrong) {
  const auto problem_with = [](RpcOptions options) {
    Rpc rpc(std::move(options));
    Server server({.port = 0});
    rpc.serve(server, "/rpc");
    const auto started = server.start();
    return started ? "started"
                   : started.error().message.substr(std::string_view("JSON-RPC at '/rpc': ").size());
  };
  EXPECT_EQ(problem_with({}), "started");
  EXPECT_EQ(problem_with({.workers = 0}), "workers: at least 1");
  EXPECT_EQ(problem_with({.retry_after = milliseconds(-1)}), "retry_after: not below zero");
  EXPECT_EQ(problem_with({.requests_in_flight_max = 0}), "requests_in_flight_max: at least 1");
  EXPECT_EQ(problem_with({.batch_items_max = 0}), "batch_items_max: at least 1");
  EXPECT_EQ(problem_with({.batch_answer_bytes_max = 0}), "batch_answer_bytes_max: at least 1");
  EXPECT_EQ(problem_with({.held_bytes_per_client_max = 0}), "held_bytes_per_client_max: at least 1");
  EXPECT_EQ(problem_with({.held_bytes_max = 0}), "held_bytes_max: at least 1");
  EXPECT_EQ(problem_with({.accounts_max = 0}), "accounts_max: at least 1");
  EXPECT_THAT(problem_with({.allowed_hosts = {"a b"}}), StartsWith("allowed_hosts: \"a b\" is not "));
}

}  // namespace
}  // namespace fanfare::api
