// Events of a program over real sockets, on both loops: their order, what a client that returns gets, and what it is
// told about the rest.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "api/rpc_world_for_tests.h"
#include "fanfare/json.h"

namespace fanfare::api {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

class RpcEventsTest : public testing::TestWithParam<LoopKind> {
 protected:
  void make(RpcOptions options = {}) { world = std::make_unique<RpcWorld>(std::move(options), GetParam()); }
  RpcClient connect() const { return RpcClient(world->server.port()); }
  void publish(std::string_view event, int value) const {
    ASSERT_EQ(world->rpc.publish(world->server, event, value), PublishResult::accepted);
  }
  void publish_many(int from, int until) const {
    for (int value = from; value < until; ++value) publish("number", value);
  }

  std::unique_ptr<RpcWorld> world;
};

INSTANTIATE_TEST_SUITE_P(Loops, RpcEventsTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

std::string member(std::string_view json, std::string_view name) {
  return std::string(read_json_member(json, name).value_or(""));
}
std::string epoch_of(const std::string& reply) {
  return member(member(member(reply, "result"), "position"), "epoch");
}
std::string position(const std::string& epoch, int offset) {
  return "{\"epoch\":" + epoch + ",\"offset\":" + std::to_string(offset) + "}";
}
std::string subscribed(std::string_view event, const std::string& at, std::string_view id = "1") {
  return result("{\"event\":\"" + std::string(event) + "\",\"position\":" + at + ",\"recovered\":true}", id);
}
std::string notification(std::string_view event, std::string_view value, const std::string& at) {
  return R"({"jsonrpc":"2.0","method":")" + std::string(event) + R"(","params":{"value":)" +
         std::string(value) + ",\"position\":" + at + "}}";
}

TEST_P(RpcEventsTest, EventsReachTheirSubscribersAfterTheReply) {
  make();
  world->rpc.event<Json>("newblock", {.description = "A block was connected."});
  world->rpc.event<int>("secret", {.permission = "write"});
  world->rpc.event<int>("everyone", {.broadcast = true});
  world->start();
  RpcClient client = connect();
  client.send(call("subscribe", R"(["newblock"])"));
  const std::string reply = client.receive();
  const std::string epoch = epoch_of(reply);
  EXPECT_EQ(reply, subscribed("newblock", position(epoch, 0)));
  client.send(call("subscribe", R"(["secret"])"));
  EXPECT_EQ(client.receive(), error(-32001, "the event secret needs the permission write"));
  client.send(call("subscribe", R"({"event":"other"})"));
  EXPECT_EQ(client.receive(), error(-32602, "the parameter event must be the name of an event"));
  client.send(call("subscribe", R"({"event":"newblock","since":{"epoch":1}})"));
  EXPECT_EQ(client.receive(), error(-32602, "the parameter since must be a position with epoch and offset"));
  EXPECT_EQ(world->ask(Wire::http, call("subscribe", R"(["newblock"])"), "nobody"),
            error(-32601, "subscriptions need a WebSocket connection"));

  publish("secret", 1);
  world->rpc.publish(world->server, "newblock", JsonObject().add("height", 7).json());
  EXPECT_EQ(client.receive(), notification("newblock", R"({"height":7})", position(epoch, 1)));
  publish("everyone", 5);
  const std::string broadcast = client.receive();
  const std::string its_epoch = member(member(member(broadcast, "params"), "position"), "epoch");
  EXPECT_EQ(broadcast, notification("everyone", "5", position(its_epoch, 1)));
  client.send(call("unsubscribe", R"(["newblock"])"));
  EXPECT_EQ(client.receive(), result("true"));
  client.send(call("unsubscribe", R"(["newblock"])"));
  EXPECT_EQ(client.receive(), result("false"));
  world->rpc.publish(world->server, "newblock", Json{.text = "{}"});
  publish("everyone", 6);
  EXPECT_EQ(client.receive(), notification("everyone", "6", position(its_epoch, 2)));
}

// Its other calls take their time; the subscription begins when all answers are sent.
TEST_P(RpcEventsTest, ASubscriptionInABatchBeginsWithItsReply) {
  make();
  world->rpc.event<int>("number", {});
  std::vector<RpcReply<int>> kept;
  std::atomic<bool> is_kept = false;
  const WorldEnds ends(world);
  world->rpc.method_later<int>("hold", {}, [&](const RpcCall&, RpcReply<int> reply) {
    kept.push_back(std::move(reply));
    is_kept = true;
  });
  world->start();
  RpcClient client = connect();
  client.send("[" + call("subscribe", R"(["number"])") + "," + call("hold", "[]", "2") + "," +
              call("unsubscribe", R"(["number"])", "3") + "," + call("subscribe", R"(["number"])", "4") +
              "]");
  while (!is_kept) std::this_thread::yield();
  publish("number", 1);
  RpcClient other = connect();
  other.send(call("subscribe", R"(["number"])"));
  const std::string epoch = epoch_of(other.receive());  // the loop has published it
  std::move(kept.front()).send(9);
  EXPECT_EQ(client.receive(), "[" + subscribed("number", position(epoch, 1)) + "," + result("9", "2") + "," +
                                  result("true", "3") + "," + subscribed("number", position(epoch, 1), "4") +
                                  "]");
  publish("number", 2);
  EXPECT_EQ(client.receive(), notification("number", "2", position(epoch, 2)));
}

// Otherwise it would get events that it does not expect.
TEST_P(RpcEventsTest, AClientWhoseAnswerIsRefusedIsNotSubscribed) {
  make({.batch_answer_bytes_max = 4000});
  world->rpc.event<int>("number", {});
  world->start();
  RpcClient client = connect();
  client.send("[" + call("subscribe", R"(["number"])") + "]");
  EXPECT_EQ(client.receive(), "[" + error(-32003, "response too large") + "]");
  publish("number", 1);
  client.send(call("unsubscribe", R"(["number"])"));
  EXPECT_EQ(client.receive(), result("false"));
}

TEST_P(RpcEventsTest, ANotificationSubscribesWithoutAReply) {
  make();
  world->rpc.event<int>("number", {});
  world->start();
  RpcClient client = connect();
  client.send(R"({"jsonrpc":"2.0","method":"subscribe","params":["number"]})");
  client.send(call("last"));
  EXPECT_EQ(client.receive(), result("true"));
  publish("number", 1);
  EXPECT_THAT(client.receive(), HasSubstr(R"("params":{"value":1,)"));
}

TEST_P(RpcEventsTest, AClientThatReturnsGetsWhatItMissed) {
  make();
  world->rpc.event<int>("number", {.history = {.messages_max = 500}});
  world->start();
  std::string epoch;
  {
    RpcClient client = connect();
    client.send(call("subscribe", R"(["number"])"));
    epoch = epoch_of(client.receive());
    publish_many(1, 3);
    EXPECT_EQ(client.receive(), notification("number", "1", position(epoch, 1)));
  }
  publish_many(3, 502);
  RpcClient client = connect();
  client.send(call("subscribe", "[\"number\"," + position(epoch, 1) + "]"));
  EXPECT_EQ(client.receive(), subscribed("number", position(epoch, 1)));
  for (int value = 2; value < 502; ++value) {
    ASSERT_EQ(client.receive(), notification("number", std::to_string(value), position(epoch, value)));
  }
  // One more than is kept: it is named, and the rest follows.
  publish_many(502, 503);
  EXPECT_EQ(client.receive(), notification("number", "502", position(epoch, 502)));
  client.send(call("subscribe", R"({"event":"number","since":)" + position(epoch, 1) + "}"));
  EXPECT_EQ(client.receive(), result("{\"event\":\"number\",\"position\":" + position(epoch, 2) +
                                     ",\"recovered\":false,\"missed\":{\"after\":" + position(epoch, 1) +
                                     ",\"until\":" + position(epoch, 2) + ",\"count\":1}}"));
  EXPECT_EQ(client.receive(), notification("number", "3", position(epoch, 3)));
}

TEST_P(RpcEventsTest, APositionOfAnotherRunIsNotRecovered) {
  make();
  world->rpc.event<int>("number", {});
  world->start();
  RpcClient client = connect();
  client.send(call("subscribe", R"(["number",{"epoch":1,"offset":77}])"));
  const std::string reply = client.receive();
  const std::string now = position(epoch_of(reply), 0);
  EXPECT_EQ(reply,
            result("{\"event\":\"number\",\"position\":" + now +
                   R"(,"recovered":false,"missed":{"after":{"epoch":1,"offset":77},"until":)" + now + "}}"));
}

// What was dropped is named at its place, so that every event is accounted for.
TEST_P(RpcEventsTest, ASlowReaderIsToldWhatItMissed) {
  make();
  world->rpc.event<std::string>("text",
                                {.history = {.messages_max = 0},
                                 .slow_readers = {.when_full = WhenFull::drop_oldest, .waiting_max = 2}});
  world->start();
  RpcClient client = connect();
  client.send(call("subscribe", R"(["text"])"));
  const std::string epoch = epoch_of(client.receive());
  constexpr int kEvents = 300;
  const std::string text(200'000, 'x');
  for (int i = 0; i < kEvents; ++i) {
    while (world->rpc.publish(world->server, "text", text) != PublishResult::accepted)
      std::this_thread::yield();
  }
  int next = 1;
  int missed = 0;
  while (next <= kEvents) {
    const std::string received = client.receive();
    ASSERT_THAT(received, StartsWith(R"({"jsonrpc":"2.0","method":")"));
    const std::string params = member(received, "params");
    if (member(received, "method") == "\"rpc.missed\"") {
      EXPECT_EQ(member(params, "event"), "\"text\"");
      EXPECT_EQ(member(params, "after"), position(epoch, next - 1));
      const int count = std::stoi(member(params, "count"));
      EXPECT_EQ(member(params, "until"), position(epoch, next - 1 + count));
      missed += count;
      next += count;
    } else {
      ASSERT_EQ(member(params, "position"), position(epoch, next));
      ++next;
    }
  }
  EXPECT_GT(missed, 0);
}

// One may be for everybody, and the other one not.
TEST_P(RpcEventsTest, TwoServicesOfAServerHaveTheirOwnEvents) {
  make();
  world->rpc.event<int>("number", {.permission = "read"});
  Rpc second({.allowed_hosts = {"*"}});
  second.event<int>("number", {});
  second.serve(world->server, "/second");
  second.serve(world->server, "/third");
  world->start();
  RawClient client(world->server.port());
  EXPECT_THAT(client.upgrade("/second"), StartsWith("HTTP/1.1 101"));
  client.send(call("subscribe", R"(["number"])"));
  const std::string epoch = epoch_of(client.receive());
  RawClient other(world->server.port());
  EXPECT_THAT(other.upgrade("/third"), StartsWith("HTTP/1.1 101"));
  other.send(call("subscribe", R"(["number"])"));
  EXPECT_EQ(epoch_of(other.receive()), epoch);
  publish("number", 1);
  ASSERT_EQ(second.publish(world->server, "number", 2), PublishResult::accepted);
  EXPECT_EQ(client.receive(), notification("number", "2", position(epoch, 1)));
  EXPECT_EQ(other.receive(), notification("number", "2", position(epoch, 1)));
}

TEST_P(RpcEventsTest, AnEventThatIsNotThereIsSaid) {
  make();
  world->rpc.event<int>("number", {});
  Rpc elsewhere({.allowed_hosts = {"*"}});
  elsewhere.event<int>("number", {});
  world->start();
  EXPECT_EQ(world->rpc.publish(world->server, "numbr", 1), PublishResult::removed);
  EXPECT_EQ(elsewhere.publish(world->server, "number", 1), PublishResult::removed);
}

// What failed has changed nothing, so the next one has its own answer.
TEST_P(RpcEventsTest, NamesOfEventsAreCheckedFirst) {
  Rpc rpc;
  for (const char* const name : {"", "rpc.missed", "two words"}) {
    const auto added = rpc.event<int>(name, {});
    ASSERT_FALSE(added) << name;
    EXPECT_THAT(added.error().message, StartsWith("the event \"" + std::string(name) + "\": "));
  }
  EXPECT_TRUE(rpc.event<int>("number", {}));
  EXPECT_TRUE(rpc.event<int>("other", {}));
  EXPECT_FALSE(rpc.event<int>("other", {}));
}

TEST_P(RpcEventsTest, AnEventOnDiskNeedsAStore) {
  make();
  world->rpc.event<int>("number", {.stored = {.messages_max = 10}});
  world->rpc.serve(world->server, "/rpc");
  const auto started = world->server.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message,
              HasSubstr("the event \"number\": a topic that is stored on disk needs a store"));
}

TEST_P(RpcEventsTest, AListOfMethodsAlsoDecidesAboutBroadcasts) {
  make();
  world->rpc.event<int>("everyone", {.broadcast = true});
  world->start();
  RawClient listed(world->server.port());
  EXPECT_THAT(listed.upgrade("/rpc", "User: listed\r\n"), StartsWith("HTTP/1.1 101"));
  RpcClient anyone = connect();
  publish("everyone", 1);
  EXPECT_THAT(anyone.receive(), HasSubstr(R"("method":"everyone")"));
  listed.send(call("last"));
  EXPECT_EQ(listed.receive(), result("true"));
  listed.send(call("subscribe", R"(["everyone"])"));
  EXPECT_EQ(listed.receive(), error(-32001, "the method subscribe is not allowed"));
}

}  // namespace
}  // namespace fanfare::api
