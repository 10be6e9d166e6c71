// The limits of identities and addresses of a program's methods, on both loops: at each limit, and one past it. Where
// something must stay refused, a call of a thousand tokens has put its payer into debt, so no test depends on speed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/rpc_world_for_tests.h"

namespace fanfare::api {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kTooMany =
    R"({"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"too many )";

class RpcLimitsTest : public testing::TestWithParam<LoopKind> {
 protected:
  void start(RpcOptions options) {
    world = std::make_unique<RpcWorld>(std::move(options), GetParam());
    world->rpc.method("dear", {.cost = 1000}, [](const RpcCall&) { return true; });
    for (const char* const name : {"one", "two", "three"}) world->rpc.event<std::string>(name, {});
    world->start();
  }
  // The whole HTTP answer.
  std::string post(const std::string& text, const std::string& user = "user") const {
    RawClient client(world->server.port());
    client.write("POST /rpc HTTP/1.1\r\nHost: test\r\nUser: " + user +
                 "\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
    return client.read_answer(false);
  }
  std::string upgrade(RawClient& client, const std::string& user = "user") const {
    return client.upgrade("/rpc", "User: " + user + "\r\n");
  }
  std::unique_ptr<RawClient> open(const std::string& user = "user") const {
    auto client = std::make_unique<RawClient>(world->server.port());
    EXPECT_THAT(upgrade(*client, user), StartsWith("HTTP/1.1 101"));
    return client;
  }
  static std::string ask(RawClient& client, const std::string& text) {
    client.send(text);
    return client.receive();
  }
  static std::string batch(const std::vector<std::string>& calls) {
    std::string text;
    for (const std::string& one : calls) text += (text.empty() ? "[" : ",") + one;
    return text + "]";
  }
  static std::string subscription(std::string_view event) {
    return call("subscribe", "[\"" + std::string(event) + "\"]");
  }

  std::unique_ptr<RpcWorld> world;
};

INSTANTIATE_TEST_SUITE_P(Loops, RpcLimitsTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

constexpr RpcLimits kThreeCalls{.requests = {.per_second = 1, .burst = 3}};

TEST_P(RpcLimitsTest, TheCallsOfABatchAreCountedOneByOne) {
  start({.per_identity = kThreeCalls});
  const std::string last = call("last");
  const std::string fine = result("true");
  const std::string too_many =
      std::string(kTooMany) + "requests, try again later\",\"data\":{\"retry_after_ms\":";
  for (const Wire wire : {Wire::http, Wire::websocket}) {
    const std::string kind = wire == Wire::http ? "http" : "ws";
    EXPECT_EQ(world->ask(wire, batch({last, last, last}), kind + "-at-the-limit"), batch({fine, fine, fine}));
    EXPECT_THAT(world->ask(wire, batch({last, last, last, last}), kind + "-past-it"),
                StartsWith("[" + fine + "," + fine + "," + fine + "," + too_many));
    // What is no call, and what is refused, costs one as well.
    EXPECT_THAT(world->ask(wire, batch({"1", call("unknown"), call("admin"), last}), kind + "-other"),
                HasSubstr("needs the permission write\"}}," + too_many));
  }
}

TEST_P(RpcLimitsTest, ACallCostsWhatItsMethodSays) {
  start({.per_identity = kThreeCalls});
  EXPECT_EQ(RpcWorld::body_of(post(call("dear"))),
            result("true"));  // more than the burst, from a full bucket
  const std::string refused = post(call("last"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(refused, HasSubstr("\r\nRetry-After: "));
  EXPECT_THAT(RpcWorld::body_of(refused), StartsWith(kTooMany));
  EXPECT_THAT(post(batch({call("last"), call("last")})), StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(post(batch({call("last"), call("last")})),
              HasSubstr("\"retry_after_ms\":9"));  // 990 seconds or so
  // On every transport, with a worker or without, and without an effect.
  const auto client = open();
  EXPECT_THAT(ask(*client, call("add", "[1]")), StartsWith(kTooMany));
  EXPECT_THAT(ask(*client, call("add_on_worker", "[1]")), StartsWith(kTooMany));
  client->send(R"({"jsonrpc":"2.0","method":"add","params":[1]})");
  EXPECT_THAT(ask(*client, call("last")), StartsWith(kTooMany));
  EXPECT_EQ(world->effects(), 0);
  EXPECT_EQ(RpcWorld::body_of(post(call("last"), "other")), result("true"));
}

TEST_P(RpcLimitsTest, AnAddressPaysForAllItsIdentities) {
  start({.per_address = kThreeCalls});
  EXPECT_THAT(post(call("dear"), "user"), HasSubstr(result("true")));
  EXPECT_THAT(post(call("last"), "other"), StartsWith("HTTP/1.1 429 "));
  // Unix sockets are an address of their own.
  EXPECT_EQ(world->ask(Wire::unix_http, call("last"), "user"), result("true"));
}

TEST_P(RpcLimitsTest, AnIdentityHasItsOwnLimitsAndStrangersHaveThoseOfTheirAddress) {
  const auto identity = [](const Request& request) -> Expected<RpcIdentity, Response> {
    RpcIdentity one{.name = std::string(request.header("User").value_or(""))};
    if (one.name == "limited") one.limits = kThreeCalls;
    if (one.name == "stranger") one.is_shared = true;
    return one;
  };
  start({.authenticate = identity, .per_identity = {.requests = {.per_second = 1, .burst = 4}}});
  const std::string last = call("last");
  EXPECT_THAT(post(batch({last, last, last, last}), "limited"), HasSubstr("-32005"));
  EXPECT_THAT(post(batch({last, last, last, last}), "free"), Not(HasSubstr("-32005")));
  EXPECT_THAT(post(call("dear"), "stranger"), HasSubstr(result("true")));
  EXPECT_THAT(post(last, "stranger"), HasSubstr("-32005"));
  world->headers_of = [](const std::string&) { return "User: stranger\r\n"; };
  EXPECT_EQ(world->ask(Wire::unix_http, last, "another address"), result("true"));
}

TEST_P(RpcLimitsTest, LiveSubscriptionsAreCountedOverAllConnections) {
  start({.per_identity = {.subscriptions_max = 2}});
  const auto first = open();
  auto second = open();
  EXPECT_THAT(ask(*first, subscription("one")), HasSubstr("\"result\""));
  EXPECT_THAT(ask(*second, subscription("one")), HasSubstr("\"result\""));
  EXPECT_THAT(ask(*second, subscription("two")), StartsWith(std::string(kTooMany) + "subscriptions"));
  EXPECT_THAT(ask(*first, subscription("one")), HasSubstr("\"result\""));  // again: it stays one
  EXPECT_THAT(ask(*first, subscription("two")), StartsWith(kTooMany));
  EXPECT_THAT(ask(*open("other"), subscription("two")), HasSubstr("\"result\""));
  EXPECT_EQ(ask(*first, call("unsubscribe", R"(["one"])")), result("true"));
  EXPECT_EQ(ask(*first, call("unsubscribe", R"(["one"])")), result("false"));
  EXPECT_THAT(ask(*first, subscription("three")), HasSubstr("\"result\""));
  EXPECT_THAT(ask(*first, subscription("one")), StartsWith(kTooMany));
  second.reset();  // a connection that ends gives its own back
  std::string answer = ask(*first, subscription("one"));
  while (answer.starts_with(kTooMany)) answer = ask(*first, subscription("one"));
  EXPECT_THAT(answer, HasSubstr("\"result\""));
}

TEST_P(RpcLimitsTest, NewSubscriptionsHaveARate) {
  start({.per_identity = {.subscriptions = {.per_second = 1, .burst = 2}}});
  const auto client = open();
  const std::string answer =
      ask(*client, batch({subscription("one"), subscription("two"), subscription("two")}));
  EXPECT_THAT(answer, AllOf(HasSubstr("\"event\":\"one\""), HasSubstr("\"event\":\"two\""),
                            HasSubstr(std::string(kTooMany) + "subscriptions")));
  EXPECT_EQ(ask(*client, call("unsubscribe", R"(["two"])")), result("true"));  // a refusal ends nothing
}

TEST_P(RpcLimitsTest, OpenConnectionsAreCounted) {
  start({.per_identity = {.connections_max = 2}});
  auto first = open();
  const auto second = open();
  RawClient third(world->server.port());
  const std::string refused = upgrade(third);
  EXPECT_THAT(refused, AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("Retry-After: 1\r\n"),
                             HasSubstr("too many connections"), HasSubstr("\"retry_after_ms\":1000")));
  EXPECT_THAT(post(call("last")), StartsWith("HTTP/1.1 200 "));  // a request is no connection
  open("other");
  first.reset();
  while (upgrade(third).starts_with("HTTP/1.1 429")) std::this_thread::yield();
}

TEST_P(RpcLimitsTest, NewConnectionsHaveARate) {
  start({.per_address = {.connections = {.per_second = 1, .burst = 2}}});
  int accepted = 0;
  for (;; ++accepted) {
    RawClient client(world->server.port());
    if (upgrade(client, std::to_string(accepted)).starts_with("HTTP/1.1 429 ")) break;
    ASSERT_LT(accepted, 1000);
  }
  EXPECT_GE(accepted, 2);
}

// A request that is larger than the burst is executed; afterwards its payer is in debt.
TEST_P(RpcLimitsTest, BytesOfRequestsAnswersAndEventsArePaidAfterwards) {
  start({.per_identity = {.bytes = {.per_second = 100, .burst = 6000}},
         .binary = [](Session& session, Bytes) { session.send("binary"); }});
  const std::string long_text(60'000, 'x');
  const std::string too_many = std::string(kTooMany) + "bytes";
  EXPECT_THAT(post(call("echo", "[\"" + long_text + "\"]"), "by-http"), HasSubstr(long_text));
  EXPECT_THAT(RpcWorld::body_of(post(call("last"), "by-http")), StartsWith(too_many));

  const auto client = open("by-events");
  client->send(R"({"jsonrpc":"2.0","method":"subscribe","params":["one"]})");
  const auto other = open("other");
  EXPECT_THAT(ask(*other, subscription("one")), HasSubstr("\"result\""));
  while (world->rpc.publish(world->server, "one", long_text) != PublishResult::accepted) {
  }
  EXPECT_THAT(client->receive(), HasSubstr(long_text));
  EXPECT_THAT(ask(*client, call("last")), StartsWith(too_many));

  const auto binary = open("by-binary");
  binary->send(long_text, '\x82');
  EXPECT_EQ(binary->receive(), "binary");
  binary->send("x", '\x82');
  EXPECT_THAT(binary->receive(), HasSubstr(R"("id":null,"error":{"code":-32005,"message":"too many bytes)"));
}

TEST_P(RpcLimitsTest, MetricsCountByRole) {
  const auto identity = [](const Request& request) -> Expected<RpcIdentity, Response> {
    RpcIdentity one{.name = std::string(request.header("User").value_or("")), .methods = {"last", "dear"}};
    if (one.name != "no role") one.role = "reader";
    if (one.name == "old") one.expires_at = std::chrono::system_clock::now() - std::chrono::hours(1);
    return one;
  };
  start({.authenticate = identity, .per_identity = kThreeCalls});
  post(call("last"), "a");
  post(batch({call("dear"), call("last")}), "b");
  post(batch({call("add"), call("unknown")}), "c");
  EXPECT_THAT(post(call("last"), "old"), HasSubstr("the token has expired"));
  post(call("last"), "no role");
  const auto metrics = world->rpc.metrics();
  ASSERT_EQ(metrics.size(), 2U);
  EXPECT_EQ(metrics[0].role, "none");
  EXPECT_EQ(metrics[0].calls, 1U);
  const RpcRoleMetrics& reader = metrics[1];
  EXPECT_EQ(reader.role, "reader");
  EXPECT_EQ(reader.calls, 6U);
  EXPECT_EQ(reader.refused_limit, 1U);
  EXPECT_EQ(reader.refused_permission, 2U);
  EXPECT_EQ(reader.refused_expired, 1U);
}

TEST(RpcLimits, ABurstIsAtMostWhatAMinuteBrings) {
  const auto problem = [](const RpcLimits& limits) {
    Rpc rpc({.per_address = limits});
    Server server({.port = 0});
    rpc.serve(server, "/");
    const auto started = server.start();
    return started ? std::string() : started.error().message;
  };
  EXPECT_EQ(problem({.bytes = {.per_second = 2, .burst = 120}}), "");
  EXPECT_EQ(problem({.bytes = {.per_second = 2, .burst = 121}}),
            "per_address.bytes.burst: at most what a minute brings");
}

// One client has filled the queue: another one's call displaces its newest, and is not the last to run.
TEST_P(RpcLimitsTest, OneClientDoesNotKeepTheOthersFromTheWorkers) {
  std::atomic<int> entered = 0;
  std::promise<void> opens;
  const std::shared_future<void> open_gate(opens.get_future());
  world = std::make_unique<RpcWorld>(RpcOptions{.workers = 1, .work_queue_max = 4}, GetParam());
  const WorldEnds ends(world);
  world->rpc.method("wait", {.run = RpcRun::worker}, [&entered, open_gate](const RpcCall&) {
    ++entered;
    open_gate.wait();
    return true;
  });
  world->rpc.method("quick", {.run = RpcRun::worker}, [&entered](const RpcCall&) { return entered.load(); });
  world->start();
  const auto greedy = open();
  greedy->send(call("wait"));
  while (entered == 0) std::this_thread::yield();
  for (const char* const id : {"2", "3", "4", "5"}) greedy->send(call("wait", "[]", id));
  greedy->send(call("wait", "[]", "6"));
  EXPECT_THAT(greedy->receive(), AllOf(HasSubstr("\"id\":6"), HasSubstr("-32005")));
  const auto modest = open("admin");
  const auto again = open("admin");
  modest->send(call("quick"));
  EXPECT_THAT(greedy->receive(), AllOf(HasSubstr("\"id\":5"), HasSubstr("-32005")));
  // The connections of an identity are one client.
  again->send(call("quick"));
  EXPECT_THAT(greedy->receive(), AllOf(HasSubstr("\"id\":4"), HasSubstr("-32005")));
  again->send(call("quick", "[]", "9"));
  EXPECT_THAT(again->receive(), AllOf(HasSubstr("\"id\":9"), HasSubstr("-32005")));
  opens.set_value();
  // Its turn comes after one more of the other.
  EXPECT_EQ(modest->receive(), result("2"));
}

}  // namespace
}  // namespace fanfare::api
