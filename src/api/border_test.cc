// Exceptions in a program's handlers: each ends only its own session or request.

#include "api/border.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

void start(Server& server) {
  const auto started = server.start();
  ASSERT_TRUE(started) << started.error().message;
}

class HandlerBorder : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const { return {.port = 0, .threads = 1, .loop = GetParam()}; }
  std::uint64_t noted() const { return api::handler_exceptions() - before_; }

 private:
  const std::uint64_t before_ = api::handler_exceptions();
};

INSTANTIATE_TEST_SUITE_P(BothLoops, HandlerBorder, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

// Throws what the message names: a std::exception, another type, or std::bad_alloc.
void throw_as_told(std::string_view text) {
  if (text == "int") throw 7;
  if (text == "memory") throw std::bad_alloc();
  if (text == "error") throw std::runtime_error("the program's own");
}

TEST_P(HandlerBorder, AMessageHandlerThatThrowsEndsItsSessionOnly_RFC6455_7_4_1) {
  Server server(options());
  std::atomic<int> closed{0};
  std::atomic<int> close_code{0};
  server.websocket("/", {.message =
                             [](Session& session, const Message& message) {
                               throw_as_told(message.text());
                               session.send(message);
                             },
                         .close =
                             [&](Session&, const Close& close) {
                               close_code = close.code;
                               ++closed;
                             }});
  start(server);
  RawClient other(server.port());
  other.upgrade("/");
  for (const std::string_view thrown : {"error", "int", "memory"}) {
    RawClient client(server.port());
    client.upgrade("/");
    client.send(thrown);
    client.send("not handed out any more");
    EXPECT_EQ(client.receive(), "close 1011") << thrown;
    client.send(std::string("\x03\xf3", 2), '\x88');
    EXPECT_EQ(client.receive(), "EOF");
  }
  other.send("still here");
  EXPECT_EQ(other.receive(), "still here");
  EXPECT_EQ(noted(), 3U);
  server.stop(std::chrono::milliseconds(0));
  EXPECT_EQ(closed, 4);
}

TEST_P(HandlerBorder, EveryHandlerOfASessionHasTheBorder) {
  Server server(options());
  std::atomic<int> closed{0};
  const auto throws = [] { throw std::runtime_error("thrown"); };
  server.websocket("/open", {.open = [&](Session&) { throws(); },
                             .close =
                                 [&](Session&, const Close&) {
                                   ++closed;
                                   throws();
                                 }});
  server.websocket("/pong", {.open = [](Session& session) { session.ping(); },
                             .pong = [&](Session&, Bytes) { throws(); },
                             .close = [&](Session&, const Close&) { ++closed; }});
  server.websocket("/drain", {.message =
                                  [](Session& session, const Message&) {
                                    const std::string large(std::size_t{2} << 20, 'x');
                                    EXPECT_EQ(session.send(large), SendResult::congested);
                                  },
                              .drain = [&](Session&) { throws(); },
                              .close = [&](Session&, const Close&) { ++closed; }});
  start(server);
  {
    RawClient client(server.port());
    client.upgrade("/open");
    EXPECT_EQ(client.receive(), "close 1011");
  }
  {
    RawClient client(server.port());
    client.upgrade("/pong");
    EXPECT_EQ(client.receive(), "");  // the ping
    client.send("", '\x8a');
    EXPECT_EQ(client.receive(), "close 1011");
  }
  {
    RawClient client(server.port());
    client.upgrade("/drain");
    client.send("go");
    EXPECT_EQ(client.receive().size(), std::size_t{2} << 20);
    EXPECT_EQ(client.receive(), "close 1011");
  }
  server.stop();
  EXPECT_EQ(closed, 3);
  EXPECT_EQ(noted(), 4U);  // including the close handler of the first session
}

TEST_P(HandlerBorder, ALaggedHandlerThatThrowsEndsItsSession) {
  Server server(options());
  std::promise<SessionId> opened;
  server.websocket(
      "/", {.open =
                [&](Session& session) {
                  session.subscribe("topic", {.when_full = WhenFull::keep_latest});
                  opened.set_value(session.id());
                },
            .lagged = [](Session&, std::string_view, std::uint64_t) { throw std::runtime_error("lagged"); }});
  start(server);
  RawClient client(server.port(), 4096);
  client.upgrade("/");
  const SessionId id = opened.get_future().get();
  std::promise<void> outrun;
  server.post(id, [&](Session& session) {
    const std::string large(std::size_t{3} << 20, 'x');
    EXPECT_EQ(session.send(large), SendResult::congested);
    for (int i = 0; i < 3; ++i) server.publish("topic", std::to_string(i));
    outrun.set_value();
  });
  outrun.get_future().wait();
  EXPECT_EQ(client.receive().size(), std::size_t{3} << 20);
  EXPECT_EQ(client.receive(), "close 1011");
  EXPECT_EQ(noted(), 1U);
}

TEST_P(HandlerBorder, ATaskThatThrowsIsLoggedAndItsSessionGoesOn) {
  Server server(options());
  std::promise<SessionId> opened;
  server.websocket("/", {.open = [&](Session& session) { opened.set_value(session.id()); },
                         .message = [](Session& session, const Message& message) { session.send(message); }});
  start(server);
  RawClient client(server.port());
  client.upgrade("/");
  const SessionId id = opened.get_future().get();
  EXPECT_EQ(server.post(id, [](Session&) { throw std::runtime_error("task"); }), PostResult::accepted);
  EXPECT_EQ(server.post(id, [](Session& session) { session.send("next task"); }), PostResult::accepted);
  EXPECT_EQ(client.receive(), "next task");
  client.send("still here");
  EXPECT_EQ(client.receive(), "still here");
  EXPECT_EQ(noted(), 1U);
}

TEST_P(HandlerBorder, ARequestOrAnUpgradeWhoseHandlerThrowsIsAnswered500_RFC9110_15_6_1) {
  std::vector<Responder> kept;  // outlives the loops, which write to it
  Server server(options());
  const auto throws = [] { throw std::runtime_error("not for the client's eyes"); };
  server.http("GET", "/now", [&](const Request&) -> Response {
    throws();
    return {};
  });
  server.http("GET", "/later", [&](const Request&, const Responder&) { throws(); });
  server.http("GET", "/kept", [&](const Request&, Responder responder) {
    kept.push_back(std::move(responder));
    std::move(kept.back()).send({.body = "answered before it threw"});
    throws();
  });
  server.http("GET", "/fine", [](const Request&) -> Response { return {.body = "fine"}; });
  server.websocket<std::string>("/ws", {.upgrade = [&](const Request&) -> Expected<std::string, Response> {
                                  throws();
                                  return std::string();
                                }});
  start(server);
  RawClient client(server.port());
  for (const std::string_view path : {"/now", "/later"}) {
    const std::string answer = client.request("GET", path);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 ")) << path;
    EXPECT_THAT(answer, testing::Not(HasSubstr("eyes")));
  }
  EXPECT_THAT(client.request("GET", "/kept"), HasSubstr("answered before it threw"));
  EXPECT_THAT(client.upgrade("/ws"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(client.request("GET", "/fine"), HasSubstr("fine"));
  EXPECT_EQ(noted(), 4U);
}

TEST_P(HandlerBorder, AClientWhoseHandlerThrowsEndsWith1011) {
  Server server(options());
  std::promise<int> code;
  server.websocket("/", {.open = [](Session& session) { session.send("hello"); },
                         .close = [&](Session&, const Close& close) { code.set_value(close.code); }});
  start(server);
  std::atomic<int> ends{0};
  Client client({.url = "ws://127.0.0.1:" + std::to_string(server.port()), .loop = GetParam()},
                {.message = [](Client&, const Message&) { throw std::runtime_error("message"); },
                 .close =
                     [&](Client&, const Close& close, std::optional<std::chrono::milliseconds> reconnect_in) {
                       EXPECT_EQ(close.cause, Close::Cause::we_closed);
                       EXPECT_FALSE(reconnect_in);
                       ++ends;
                       throw std::runtime_error("close");
                     }});
  ASSERT_TRUE(client.start());
  client.run();
  EXPECT_EQ(code.get_future().get(), 1011);
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(noted(), 2U);
  EXPECT_EQ(client.send("too late"), SendResult::closed);
}

TEST_P(HandlerBorder, AClientsOpenAndFailedHandlersHaveTheBorder) {
  Server server(options());
  server.websocket("/", {});
  start(server);
  {
    Client client({.url = "ws://127.0.0.1:" + std::to_string(server.port()), .loop = GetParam()},
                  {.open = [](Client&, const Opened&) { throw std::runtime_error("open"); }});
    ASSERT_TRUE(client.start());
    client.run();
  }
  {
    Client client({.url = "not a URL", .loop = GetParam()},
                  {.failed = [](Client&, const Error&, std::optional<std::chrono::milliseconds>) {
                    throw std::runtime_error("failed");
                  }});
    ASSERT_TRUE(client.start());
    client.run();
  }
  EXPECT_EQ(noted(), 2U);
}

// If a handler destroys its client and then throws, the client is no longer accessed.
TEST_P(HandlerBorder, AClientMayBeDestroyedByAHandlerThatThrows) {
  Server server(options());
  server.websocket("/", {.open = [](Session& session) { session.send("hello"); }});
  start(server);
  std::unique_ptr<Client> client;
  auto gone = std::make_shared<std::promise<void>>();
  auto is_gone = gone->get_future();
  client = std::make_unique<Client>(
      ClientOptions{.url = "ws://127.0.0.1:" + std::to_string(server.port()), .loop = GetParam()},
      ClientHandlers{.message = [&client, gone](Client&, const Message&) {
        client.reset();
        gone->set_value();
        throw std::runtime_error("after the end");
      }});
  ASSERT_TRUE(client->start());
  is_gone.wait();
  server.stop();
}

}  // namespace
}  // namespace fanfare
