// Exceptions in the callbacks beside the handlers of a session: those of hub topics and of JSON-RPC, and handlers that
// keep what they must answer with before they throw.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "api/border.h"
#include "api/raw_client_for_tests.h"
#include "api/rpc_world_for_tests.h"
#include "fanfare/client.h"
#include "fanfare/hub.h"
#include "fanfare/rpc.h"
#include "fanfare/server.h"

namespace fanfare {

namespace {
struct Fragile {
  int value = 0;
};
}  // namespace

// A program's own type whose conversion throws.
template <>
struct JsonType<Fragile> {
  static std::optional<Fragile> read(std::string_view json) {
    if (json == "13") throw std::runtime_error("JsonType::read");
    return Fragile{.value = 1};
  }
  static void write(std::string& out, Fragile) { out += "1"; }
  static std::string schema() { return "{}"; }
  static std::string_view expected() { return "a number"; }
};

namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

class CallbackBorder : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const { return {.port = 0, .threads = 1, .loop = GetParam()}; }
  std::uint64_t noted() const { return api::handler_exceptions() - before_; }

 private:
  const std::uint64_t before_ = api::handler_exceptions();
};

INSTANTIATE_TEST_SUITE_P(BothLoops, CallbackBorder, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

TEST_P(CallbackBorder, AnEncoderThatThrowsCostsItsEventOnly) {
  Server server(options());
  const Hub hub(server);
  const HubTopic topic = *hub.add_topic("t", {.encode = [](Position, std::string_view payload) {
                                          if (payload == "bad") throw std::runtime_error("encode");
                                          return Frame::text(payload);
                                        }});
  server.websocket("/", {.open = [&](Session& session) { session.subscribe(topic); }});
  ASSERT_TRUE(server.start());
  const auto publish = [&](std::string_view payload) {
    std::promise<std::optional<Position>> told;
    EXPECT_EQ(topic.publish(payload, [&](std::optional<Position> at) { told.set_value(at); }),
              PublishResult::accepted);
    return told.get_future().get();
  };
  RawClient client(server.port());
  client.upgrade("/");
  EXPECT_EQ(publish("bad"), std::nullopt);
  const auto position = publish("good");
  ASSERT_TRUE(position);
  EXPECT_EQ(position->offset, 1U);
  EXPECT_EQ(client.receive(), "good");
  EXPECT_EQ(topic.metrics().failed, 1U);
  EXPECT_EQ(noted(), 1U);
}

TEST_P(CallbackBorder, AReceiptThatThrowsIsLogged) {
  Server server(options());
  const Hub hub(server);
  const HubTopic topic = *hub.add_topic("t");
  ASSERT_TRUE(server.start());
  EXPECT_EQ(topic.publish("x", [](std::optional<Position>) { throw std::runtime_error("receipt"); }),
            PublishResult::accepted);
  std::promise<void> told;
  EXPECT_EQ(topic.publish("y", [&](std::optional<Position>) { told.set_value(); }), PublishResult::accepted);
  told.get_future().wait();
  EXPECT_EQ(noted(), 1U);
}

// The loop destroys the events that a stop leaves, and with them their receipts.
TEST_P(CallbackBorder, AReceiptOfAnEventThatAStopLeavesMayThrow) {
  std::uint64_t accepted = 0;
  {
    Server server(options());
    const Hub hub(server);
    const HubTopic topic = *hub.add_topic("t");
    ASSERT_TRUE(server.start());
    for (int i = 0; i < 50; ++i) {
      const auto result = topic.publish("x", [](std::optional<Position>) { throw 7; });
      if (result == PublishResult::accepted) ++accepted;
    }
    server.stop(std::chrono::milliseconds(0));
  }
  EXPECT_GT(accepted, 0U);
  EXPECT_EQ(noted(), accepted);
}

TEST_P(CallbackBorder, APresenceTextThatThrowsIsNoEvent) {
  Server server(options());
  const Hub hub(server);
  std::promise<void> described;
  const HubTopic topic = *hub.add_topic("t", {.presence = true,
                                              .presence_interval = std::chrono::milliseconds(1),
                                              .describe_presence = [&](const PresenceChange&) -> std::string {
                                                described.set_value();
                                                throw std::runtime_error("describe_presence");
                                              }});
  server.websocket("/", {.open = [&](Session& session) { session.subscribe(topic, {.member = "ann"}); }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  described.get_future().wait();
  EXPECT_EQ(topic.publish("next"), PublishResult::accepted);
  EXPECT_EQ(client.receive(), "next");
  EXPECT_EQ(topic.metrics().published, 1U);
  EXPECT_EQ(noted(), 1U);
}

TEST_P(CallbackBorder, AConversionOfAParameterThatThrowsIsAnInternalError) {
  Rpc rpc({.workers = 1, .allowed_hosts = {"test"}});
  for (const RpcRun run : {RpcRun::loop, RpcRun::worker}) {
    EXPECT_TRUE(rpc.method(
        run == RpcRun::loop ? "now" : "later", {.run = run},
        [](const RpcCall&, Fragile) -> std::int64_t { return 1; }, RpcParam<Fragile>{.name = "it"}));
  }
  Server server(options());
  rpc.serve(server, "/rpc");
  ASSERT_TRUE(server.start());
  api::RpcClient client(server.port());
  for (const char* method : {"now", "later"}) {
    client.send(api::call(method, "[13]"));
    EXPECT_THAT(client.receive(), HasSubstr("\"code\":-32603")) << method;
    client.send(api::call(method, "[1]"));
    EXPECT_EQ(client.receive(), api::result("1")) << method;
  }
  EXPECT_EQ(noted(), 2U);
}

// What handlers keep, for the thread of the test.
template <typename Kept>
class Keeper {
 public:
  void keep(Kept one) {
    const std::scoped_lock lock(mutex_);
    kept_.push_back(std::move(one));
  }
  Kept take() {
    const std::scoped_lock lock(mutex_);
    Kept one = std::move(kept_.back());
    kept_.pop_back();
    return one;
  }

 private:
  std::mutex mutex_;  // guards kept_
  std::vector<Kept> kept_;
};

// The responder is alive, and the client is answered all the same. The connection closes, so that the late answer
// reaches no other request.
TEST_P(CallbackBorder, ARequestWhoseHandlerKeepsItsResponderAndThrowsIsAnswered500_RFC9110_15_6_1) {
  Keeper<Responder> kept;  // outlives the loops
  Server server(options());
  server.http("GET", "/kept", [&](const Request&, Responder responder) {
    kept.keep(std::move(responder));
    throw std::runtime_error("after keeping it");
  });
  server.http("POST", "/body", [&](const Request&, Responder responder, const BodyReader&) {
    kept.keep(std::move(responder));
    throw std::runtime_error("after keeping it");
  });
  ASSERT_TRUE(server.start());
  {
    RawClient client(server.port());
    EXPECT_THAT(client.request("GET", "/kept"), StartsWith("HTTP/1.1 500 "));
    kept.take().send({.body = "late"});
    EXPECT_EQ(client.receive(), "EOF");
  }
  RawClient client(server.port());
  EXPECT_THAT(client.request("POST", "/body", "Content-Length: 100\r\n"), StartsWith("HTTP/1.1 500 "));
}

TEST_P(CallbackBorder, AnUpgradeWhoseHandlerKeepsItAndThrowsIsAnswered500_RFC9110_15_6_1) {
  Keeper<Upgrade<void>> kept;
  Server server(options());
  server.websocket("/", {.decide = [&](const Request&, Upgrade<void> upgrade) {
                     kept.keep(std::move(upgrade));
                     throw std::runtime_error("after keeping it");
                   }});
  server.http("GET", "/fine", [](const Request&) -> Response { return {.body = "fine"}; });
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  EXPECT_THAT(client.upgrade("/"), StartsWith("HTTP/1.1 500 "));
  kept.take().accept();
  EXPECT_THAT(client.request("GET", "/fine"), HasSubstr("fine"));
  EXPECT_EQ(noted(), 1U);
}

TEST_P(CallbackBorder, AClientWhoseHandlerKeepsItsAttemptAndThrowsGivesUp) {
  std::optional<ConnectAttempt> kept;
  std::promise<std::string> failed;
  Client client({.url = "ws://127.0.0.1:9", .loop = GetParam()},
                {.before_connect =
                     [&](Client&, ConnectAttempt attempt) {
                       kept.emplace(std::move(attempt));
                       throw std::runtime_error("after keeping it");
                     },
                 .failed =
                     [&](Client&, const Error& error, std::optional<std::chrono::milliseconds> again) {
                       EXPECT_FALSE(again);
                       failed.set_value(error.message);
                     }});
  ASSERT_TRUE(client.start());
  client.run();
  EXPECT_THAT(failed.get_future().get(), HasSubstr("gave no answer"));
  std::move(*kept).connect();  // too late
  EXPECT_EQ(noted(), 1U);
}

}  // namespace
}  // namespace fanfare
