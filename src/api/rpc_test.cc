// Methods of a program over real sockets, on both loops: ids, parameters, limits, timeouts, cancellation,
// events and what is refused.

#include "fanfare/rpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/rpc_world_for_tests.h"

namespace fanfare::api {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

class RpcTest : public testing::TestWithParam<LoopKind> {
 protected:
  void start(RpcOptions options = {}) {
    make(std::move(options));
    world->start();
  }
  void make(RpcOptions options = {}) { world = std::make_unique<RpcWorld>(std::move(options), GetParam()); }
  std::string ask(const std::string& text, Wire wire = Wire::http) {
    return world->ask(wire, text, "nobody");
  }
  using Connected = RpcClient;
  Connected connect() const { return Connected(world->server.port()); }

  std::unique_ptr<RpcWorld> world;
};

INSTANTIATE_TEST_SUITE_P(Loops, RpcTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

TEST_P(RpcTest, IdsComeBackWithTheirTypeAndDigits) {
  start();
  for (const char* id : {"0", "-1", "9007199254740993", "123456789012345678901234567890", "1.50", "1e3",
                         R"("7")", R"("\u00e4\n")", "\"\"", "null"}) {
    for (const char* method : {"add", "add_on_worker", "add_later", "fail"}) {
      const bool fails = std::string(method) == "fail";
      const std::string wanted = fails ? error(-8, R"(no \"luck\")", R"({"tries":3})", id) : result("3", id);
      EXPECT_EQ(ask(call(method, fails ? "[]" : "[2]", id)), wanted);
    }
  }
}

TEST_P(RpcTest, ParametersComeByPositionAndByName) {
  start();
  EXPECT_EQ(ask(call("add", "[2,3]")), result("5"));
  EXPECT_EQ(ask(call("add", R"({"b":3,"a":2})")), result("5"));
  EXPECT_EQ(ask(call("add", R"({"\u0061":2})")), result("3"));
  EXPECT_EQ(ask(call("add", "[2,null]")), result("3"));
  EXPECT_EQ(ask(call("echo", R"([{"x": 1.0}, "\u00e4", [1, 2.5]])")),
            result("{\"value\":{\"x\": 1.0},\"list\":[1,2.5],\"word\":\"\xc3\xa4\"}"));
  EXPECT_EQ(ask(call("echo", R"({"value":"v"})")), result(R"({"value":"v","list":[]})"));
}

TEST_P(RpcTest, AWrongParameterIsNamed) {
  start();
  EXPECT_EQ(ask(call("add", "[]")), error(-32602, "the parameter a is missing"));
  EXPECT_EQ(ask(call("add", "[null]")), error(-32602, "the parameter a is missing"));
  EXPECT_EQ(ask(call("add", "{\"b\":1}")), error(-32602, "the parameter a is missing"));
  EXPECT_EQ(ask(call("add", "[1,2,3]")), error(-32602, "too many parameters: at most 2"));
  EXPECT_EQ(ask(call("add", R"({"a":1,"c":2})")), error(-32602, "unknown parameter c"));
  EXPECT_EQ(ask(call("add", R"({"a":1,"a":2})")), error(-32602, "the parameter a is given twice"));
  for (const char* value : {"\"1\"", "1.5", "1e3", "true", "[1]", "9223372036854775808"}) {
    EXPECT_EQ(
        ask(call("add_on_worker", "[1," + std::string(value) + "]")),
        error(-32602,
              "the parameter b must be a whole number from -9223372036854775808 to 9223372036854775807"));
  }
  EXPECT_EQ(ask(call("echo", R"([1,"w",[1,2,"x"]])")),
            error(-32602, "the parameter list[2] must be a number"));
  EXPECT_EQ(ask(call("echo", R"({"value":1,"list":7})")),
            error(-32602, "the parameter list must be an array"));
  EXPECT_EQ(ask(call("echo", R"([1,[]])")), error(-32602, "the parameter word must be a string"));
  EXPECT_EQ(world->effects(), 0);
  EXPECT_EQ(ask(call("nothing")), error(-32601, "unknown method nothing"));
  EXPECT_EQ(ask(call("rpc.nothing")), error(-32601, "unknown method rpc.nothing"));
}

TEST_P(RpcTest, AHandlerThatThrowsOrForgetsAnswersInternalError) {
  start();
  for (const char* method : {"throws", "throws_on_worker", "drop"}) {
    EXPECT_EQ(ask(call(method)), error(-32603, "Internal error"));
  }
}

// As npm's bitcoin-core and bitcoin-cli send them: https://www.jsonrpc.org/specification_v1.
TEST_P(RpcTest, RequestsOfVersionOneAreAnsweredInItsForm) {
  start({.version_1 = true});
  for (const char* version : {"", R"(,"jsonrpc":"1.0")", R"(,"jsonrpc":"1.1")"}) {
    for (const Wire wire : {Wire::http, Wire::websocket}) {
      const auto text = [&](const std::string& rest) {
        return "{\"id\":\"x\"" + std::string(version) + "," + rest + "}";
      };
      EXPECT_EQ(ask(text(R"("method":"add","params":[2])"), wire), R"({"result":3,"error":null,"id":"x"})");
      EXPECT_EQ(ask(text(R"("method":"add_on_worker","params":[2])"), wire),
                R"({"result":3,"error":null,"id":"x"})");
      EXPECT_EQ(ask(text(R"("method":"nothing")"), wire),
                R"({"result":null,"error":{"code":-32601,"message":"unknown method nothing"},"id":"x"})");
    }
  }
  EXPECT_EQ(ask(R"({"method":"add","params":[2]})"), R"({"result":3,"error":null,"id":null})");
  EXPECT_EQ(ask(call("add", "[2]")), result("3"));
  EXPECT_EQ(ask("[" + call("add", "[2]") + R"(,{"id":2,"method":"add","params":[3]}])"),
            "[" + result("3") + R"(,{"result":4,"error":null,"id":2}])");
  EXPECT_THAT(ask(R"({"id":1,"jsonrpc":"3.0","method":"add"})"), HasSubstr("\"code\":-32600"));
  start();
  EXPECT_THAT(ask(R"({"id":1,"method":"add"})"), HasSubstr("\"code\":-32600"));
}

TEST_P(RpcTest, AMethodNeedsItsPermission) {
  start();
  const std::string refusal = error(-32001, "the method admin needs the permission write");
  EXPECT_EQ(world->ask(Wire::http, call("admin"), "user"), refusal);
  EXPECT_EQ(world->ask(Wire::websocket, call("admin"), "user"), refusal);
  EXPECT_EQ(world->ask(Wire::http, call("admin"), "admin"), result("true"));
  EXPECT_EQ(world->ask(Wire::websocket, call("read_on_worker"), "user"), result("\"user\""));
  EXPECT_EQ(world->ask(Wire::http, "[" + call("read") + "," + call("admin") + "]", "user"),
            "[" + result("\"user\"") + "," + refusal + "]");
  EXPECT_EQ(world->effects(), 3);
}

TEST_P(RpcTest, AListOfMethodsDecidesBesideThePermissions) {
  start();
  const auto refusal = [](const std::string& method) {
    return error(-32001, "the method " + method + " is not allowed");
  };
  for (const Wire wire : {Wire::http, Wire::websocket}) {
    EXPECT_EQ(world->ask(wire, call("add", "[2]"), "listed"), result("3"));
    EXPECT_EQ(world->ask(wire, call("read"), "listed"), result("\"listed\""));
    EXPECT_EQ(world->ask(wire, call("echo", "[1]"), "listed"), refusal("echo"));
    EXPECT_EQ(world->ask(wire, call("ad"), "listed"), error(-32601, "unknown method ad"));
    EXPECT_EQ(world->ask(wire, call("rpc.discover"), "listed"), refusal("rpc.discover"));
    EXPECT_EQ(world->ask(wire, call("add", "[2]"), "denied"), refusal("add"));
  }
  EXPECT_EQ(world->effects(), 4);
}

// Other machines could call every method.
TEST_P(RpcTest, AServiceThatIsExposedNeedsTlsAndCredentials) {
  const auto problem = [](ServerOptions options, RpcOptions rpc_options) {
    options.port = 0;
    Rpc rpc(std::move(rpc_options));
    Server server(std::move(options));
    rpc.serve(server, "/");
    const auto started = server.start();
    return started ? std::string() : started.error().message;
  };
  const auto who = [](const Request&) -> Expected<RpcIdentity, Response> { return RpcIdentity{}; };
  EXPECT_EQ(problem({.host = "127.0.0.1"}, {}), "");
  EXPECT_EQ(problem({.host = "::1"}, {}), "");
  EXPECT_THAT(problem({.host = "0.0.0.0"}, {}), HasSubstr("needs TLS and RpcOptions::authenticate"));
  EXPECT_THAT(problem({.host = "0.0.0.0"}, {.authenticate = who}), HasSubstr("needs TLS"));
  EXPECT_EQ(problem({.host = "0.0.0.0"}, {.allow_insecure_public = true}), "");
  EXPECT_THAT(problem({.proxy_protocol = true}, {.authenticate = who}), HasSubstr("needs TLS"));
  EXPECT_THAT(problem({.more_listeners = {{.host = "0.0.0.0"}}}, {.authenticate = who}),
              HasSubstr("needs TLS"));
  // With a certificate it gets as far as reading that.
  EXPECT_THAT(problem({.host = "0.0.0.0", .tls = Tls{"missing.pem", "missing.pem"}}, {.authenticate = who}),
              HasSubstr("missing.pem"));
  EXPECT_THAT(problem({.host = "0.0.0.0", .tls = Tls{"missing.pem", "missing.pem"}}, {}),
              HasSubstr("needs TLS"));
}

// Such as the name of a peer. A client must end a WebSocket with text that is not UTF-8.
TEST_P(RpcTest, BytesOfAHandlerCannotBreakTheAnswer) {
  make();
  world->rpc.method("text", {}, [](const RpcCall&) { return std::string("a\xff"); });
  world->rpc.method("json", {}, [](const RpcCall&) { return Json{.text = R"(1},{"id":2,"result":3)"}; });
  world->rpc.method("empty", {.run = RpcRun::worker}, [](const RpcCall&) { return Json{.text = ""}; });
  world->rpc.method("error", {},
                    [](const RpcCall&) -> RpcResult<bool> { return rpc_error(-5, "no peer \xff", "{bad"); });
  world->start();
  const std::string internal = error(-32603, "Internal error");
  for (const Wire wire : {Wire::http, Wire::websocket}) {
    EXPECT_EQ(ask(call("text"), wire), result("\"a\xef\xbf\xbd\""));
    EXPECT_EQ(ask("[" + call("json") + "," + call("empty") + "]", wire),
              "[" + internal + "," + internal + "]");
    EXPECT_EQ(ask(call("error"), wire), error(-5, "no peer \xef\xbf\xbd"));
  }
}

// A thread of the node may answer late while the node ends.
TEST_P(RpcTest, AReplyOutlivesTheServerAndTheRpc) {
  std::vector<RpcReply<std::string>> kept;
  std::atomic<int> count = 0;
  make();
  const WorldEnds ends(world);
  world->rpc.method_later<std::string>("hold", {}, [&](const RpcCall&, RpcReply<std::string> reply) {
    kept.push_back(std::move(reply));
    ++count;
  });
  world->start();
  Connected client = connect();
  for (int i = 0; i < 4; ++i) client.send(call("hold"));
  while (count < 4) std::this_thread::yield();
  world->server.stop(0ms);
  world.reset();
  EXPECT_TRUE(kept[0].is_cancelled());
  std::move(kept[1]).send("late");
  std::move(kept[2]).fail({.code = 1, .message = "late", .data_json = "{bad"});
  kept.clear();
}

// It would wait for itself.
TEST_P(RpcTest, AMethodOnAWorkerStopsTheServerAndIsAnswered) {
  make();
  world->rpc.method("stop", {.run = RpcRun::worker}, [this](const RpcCall&) {
    return world->server.stop(std::chrono::hours(1));  // how many connections were dropped: none yet
  });
  world->start();
  EXPECT_EQ(world->ask(Wire::http, call("stop"), "admin"), result("0"));
}

// The queue has room for two; with the one that runs, three are taken.
TEST_P(RpcTest, AFullQueueOfWorkIsSaid) {
  make({.workers = 1, .work_queue_max = 2, .retry_after = 250ms});
  std::atomic<int> entered = 0;
  std::promise<void> opens;
  // A copy for the worker: an answer that has arrived does not show that its handler has returned.
  const std::shared_future<void> open(opens.get_future());
  const WorldEnds ends(world);
  world->rpc.method("wait", {.run = RpcRun::worker}, [&entered, open](const RpcCall&) {
    ++entered;
    open.wait();
    return true;
  });
  world->start();
  Connected client = connect();
  client.send(call("wait"));
  while (entered == 0) std::this_thread::yield();
  client.send("[" + call("wait", "[]", "2") + "," + call("wait", "[]", "3") + "]");
  client.send(call("wait", "[]", "4"));
  EXPECT_EQ(client.receive(), error(-32005, "too many calls wait for a worker, try again later",
                                    R"({"retry_after_ms":250})", "4"));
  opens.set_value();
  EXPECT_EQ(client.receive(), result("true"));
  EXPECT_EQ(client.receive(), "[" + result("true", "2") + "," + result("true", "3") + "]");
  EXPECT_EQ(entered, 3);
}

TEST_P(RpcTest, ACallThatTakesTooLongIsAnsweredWithoutItsHandler) {
  make();
  std::vector<RpcReply<int>> kept;
  std::atomic<int> entered = 0;
  std::atomic<int> cancelled = 0;
  const WorldEnds ends(world);
  world->rpc.method_later<int>("never", {.timeout = 100ms}, [&](const RpcCall&, RpcReply<int> reply) {
    kept.push_back(std::move(reply));
  });
  world->rpc.method("slow", {.run = RpcRun::worker, .timeout = 100ms}, [&](const RpcCall& call) {
    ++entered;
    while (!call.is_cancelled()) std::this_thread::yield();
    ++cancelled;
    return 1;
  });
  world->start();
  EXPECT_EQ(ask(call("never")), error(-32002, "Request timed out"));
  EXPECT_EQ(ask("[" + call("add", "[1]") + "," + call("slow", "[]", "2") + "]"),
            "[" + result("2") + "," + error(-32002, "Request timed out", "", "2") + "]");
  world->server.stop();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_TRUE(kept.front().is_cancelled());
  std::move(kept.front()).send(1);  // too late, and harmless
  // A machine that is busy may have begun it too late to run it at all.
  while (cancelled != entered) std::this_thread::yield();
}

TEST_P(RpcTest, AHandlerLearnsThatItsCallerIsGone) {
  make({.workers = 1});
  std::atomic<int> entered = 0;
  std::atomic<int> cancelled = 0;
  const WorldEnds ends(world);
  world->rpc.method("endless", {.run = RpcRun::worker, .timeout = 0ms}, [&](const RpcCall& call) {
    ++entered;
    while (!call.is_cancelled()) std::this_thread::yield();
    ++cancelled;
    return true;
  });
  world->start();
  {
    Connected client = connect();
    client.send("[" + call("endless") + "," + call("endless") + "]");
    while (entered == 0) std::this_thread::yield();
  }
  while (cancelled < 1) std::this_thread::yield();
  // The one that waited is not run for nobody.
  EXPECT_EQ(ask(call("add_on_worker", "[1]")), result("2"));
  EXPECT_EQ(entered, 1);
}

// Beyond the limit the connection is not read, until a call is answered.
TEST_P(RpcTest, CallsInFlightAreBounded) {
  make({.requests_in_flight_max = 2});
  std::mutex mutex;
  std::deque<RpcReply<int>> kept;
  std::atomic<int> entered = 0;
  const WorldEnds ends(world);
  world->rpc.method_later<int>("hold", {}, [&](const RpcCall&, RpcReply<int> reply) {
    const std::scoped_lock lock(mutex);
    kept.push_back(std::move(reply));
    ++entered;
  });
  world->start();
  Connected client = connect();
  for (const char* id : {"1", "2", "3"}) client.send(call("hold", "[]", id));
  while (entered < 2) std::this_thread::yield();
  EXPECT_EQ(ask(call("add", "[1]")), result("2"));  // the loop has had its turn
  EXPECT_EQ(entered, 2);
  const auto answer_one = [&](int value) {
    const std::scoped_lock lock(mutex);
    std::move(kept.front()).send(value);
    kept.pop_front();
  };
  answer_one(10);
  EXPECT_EQ(client.receive(), result("10", "1"));
  while (entered < 3) std::this_thread::yield();
  answer_one(20);
  answer_one(30);
  EXPECT_EQ(client.receive(), result("20", "2"));
  EXPECT_EQ(client.receive(), result("30", "3"));
}

TEST_P(RpcTest, ABatchHasLimits) {
  start({.batch_items_max = 3, .batch_answer_bytes_max = 100});
  const std::string one = call("add", "[1]");
  EXPECT_EQ(ask("[" + one + "," + one + "," + one + "," + one + "]"),
            error(-32600, "Invalid Request: batch too large", "", "null"));
  for (const char* method : {"add", "add_later"}) {
    const std::string each = call(method, "[1]");
    EXPECT_EQ(ask("[" + each + "," + each + "," + each + "]"),
              "[" + result("2") + "," + result("2") + "," + error(-32003, "response too large") + "]");
  }
}

TEST_P(RpcTest, BinaryFramesAreJsonOrTheProgramsOwn) {
  start();
  {
    Connected client = connect();
    client.send(call("add", "[1]"), '\x82');
    EXPECT_EQ(client.receive(), result("2"));
    EXPECT_EQ(client.first_byte(), 0x81);
  }
  start({.binary = [](Session& session, Bytes bytes) { session.send(bytes); }});
  Connected client = connect();
  client.send("raw", '\x82');
  EXPECT_EQ(client.receive(), "raw");
  client.send(call("add", "[1]"));
  EXPECT_EQ(client.receive(), result("2"));
}

TEST_P(RpcTest, HandlersKnowTheirCallAndSession) {
  make();
  world->rpc.method("who", {}, [](const RpcCall& call) {
    return JsonObject()
        .add("method", call.method())
        .add("websocket", call.transport() == RpcTransport::websocket)
        .add("session", call.session() != nullptr)
        .json();
  });
  world->start();
  EXPECT_EQ(ask(call("who")), result(R"({"method":"who","websocket":false,"session":false})"));
  EXPECT_EQ(ask(call("who"), Wire::websocket), result(R"({"method":"who","websocket":true,"session":true})"));
}

TEST_P(RpcTest, ForeignPagesAreRefusedBeforeAMethodRuns) {
  make();
  RpcOptions options{.allowed_origins = {"https://app.example"}};
  Rpc own(std::move(options));
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  std::atomic<int> ran = 0;
  own.method("touch", {}, [&](const RpcCall&) { return ++ran > 0; });
  own.serve(server, "/");
  ASSERT_TRUE(server.start());
  const auto status = [&](const std::string& headers) {
    RawClient client(server.port());
    const std::string text = call("touch");
    client.write("POST / HTTP/1.1\r\n" + headers + "Content-Length: " + std::to_string(text.size()) +
                 "\r\n\r\n" + text);
    return client.read_answer(false).substr(9, 3);
  };
  EXPECT_EQ(status("Host: rebound.example\r\n"), "403");
  EXPECT_EQ(status("Host: localhost\r\nOrigin: https://evil.example\r\n"), "403");
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(status("Host: localhost\r\nOrigin: https://app.example\r\n"), "200");
  EXPECT_EQ(status("Host: 127.0.0.1\r\n"), "200");
  EXPECT_THAT(RawClient(server.port()).request("GET", "/", "Origin: https://evil.example\r\n"),
              StartsWith("HTTP/1.1 403"));
}

TEST_P(RpcTest, AMethodIsFoundOnlyWithItsExactName) {
  start();
  for (const char* name : {"Add", "ADD", " add", "add ", "add\\u0000", "\\u0061dd_", ""}) {
    EXPECT_THAT(world->ask(Wire::http, call(name, "[1]"), "admin"), HasSubstr("\"code\":-32601")) << name;
  }
  EXPECT_EQ(ask(call("\\u0061dd", "[1]")), result("2"));  // the same name, written otherwise
  EXPECT_EQ(world->ask(Wire::http, call("\\u0061dmin"), "user"),
            error(-32001, "the method admin needs the permission write"));
}

}  // namespace
}  // namespace fanfare::api
