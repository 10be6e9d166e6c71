// The public server as clients see it: real sockets, several loops, and other threads.

#include "fanfare/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

void start_server(Server& server) {
  const auto started = server.start();
  ASSERT_TRUE(started) << started.error().message;
}

struct Member {
  std::string room;
  int messages = 0;
};

TEST(Server, EchoesTextAndBinary) {
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.message = [](Session& session, const Message& message) { session.send(message); }});
  start_server(server);
  RawClient client(server.port());
  EXPECT_THAT(client.upgrade("/"), StartsWith("HTTP/1.1 101 "));
  client.send("hello");
  EXPECT_EQ(client.receive(), "hello");
  client.send("\x01\x02", '\x82');
  EXPECT_EQ(client.receive(), "\x01\x02");
}

TEST(Server, ASessionHasTheDataThatItsUpgradeMade) {
  Server server({.port = 0, .threads = 1});
  server.websocket<Member>("/chat/{room}",
                           {.subprotocols = {"v2", "v1"},
                            .upgrade = [](const Request& request) -> std::expected<Member, Response> {
                              if (request.parameter("room") == "secret")
                                return std::unexpected(Response{.status = 403, .body = "not you\n"});
                              return Member{.room = std::string(request.parameter("room"))};
                            },
                            .message =
                                [](SessionWith<Member>& session, const Message&) {
                                  Member& member = session.data();
                                  session.send(member.room + " " + std::to_string(++member.messages) + " " +
                                               std::string(session.subprotocol()));
                                }});
  start_server(server);
  RawClient client(server.port());
  EXPECT_THAT(client.upgrade("/chat/one%20two", "Sec-WebSocket-Protocol: v1, v2\r\n"),
              HasSubstr("Sec-WebSocket-Protocol: v2"));
  client.send("");
  EXPECT_EQ(client.receive(), "one two 1 v2");
  client.send("");
  EXPECT_EQ(client.receive(), "one two 2 v2");

  RawClient refused(server.port());
  const std::string answer = refused.upgrade("/chat/secret");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(answer, HasSubstr("not you"));
}

TEST(Server, AnOriginThatIsNotListedIsRefused_RFC6455_10_2) {
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.origins = {"https://good.example"}});
  start_server(server);
  EXPECT_THAT(RawClient(server.port()).upgrade("/", "Origin: https://bad.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(RawClient(server.port()).upgrade("/", "Origin: https://good.example\r\n"),
              StartsWith("HTTP/1.1 101 "));
}

// A handler may look up an account, or count, so it must not run for clients that may not connect anyway.
TEST(Server, TheUpgradeHandlerIsOnlyAskedAboutHandshakesThatHold_RFC6455_4_2_1) {
  Server server({.port = 0, .threads = 1});
  std::atomic<int> asked{0};
  server.websocket("/", {.subprotocols = {"v1"},
                         .subprotocol_required = true,
                         .origins = {"https://good.example"},
                         .upgrade = [&](const Request&) -> std::expected<void, Response> {
                           ++asked;
                           return {};
                         }});
  start_server(server);
  const auto answer = [&](std::string_view headers) {
    return RawClient(server.port()).upgrade("/", headers);
  };
  EXPECT_THAT(answer("Sec-WebSocket-Protocol: v1\r\nOrigin: https://bad.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(answer("Sec-WebSocket-Protocol: v2\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer("Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Key: again\r\n"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(asked, 0);
  EXPECT_THAT(answer("Sec-WebSocket-Protocol: v1\r\n"), StartsWith("HTTP/1.1 101 "));
  EXPECT_EQ(asked, 1);
}

TEST(Server, CompressionIsAgreedOnByDefaultAndCanBeOff_RFC7692_7_1) {
  for (const bool enabled : {true, false}) {
    Server server({.port = 0, .threads = 1, .deflate = {.enabled = enabled}});
    server.websocket("/", {});
    start_server(server);
    const std::string answer =
        RawClient(server.port()).upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    EXPECT_EQ(answer.find("permessage-deflate") != std::string::npos, enabled) << answer;
  }
}

TEST(Server, AnswersRequestsByRouteAndMethod) {
  Server server({.port = 0, .threads = 1});
  server.websocket("/ws", {});
  server.http("GET", "/hello/{name}", [](const Request& request) -> Response {
    return {.body = "hello " + std::string(request.parameter("name")) + " " +
                    std::string(request.query_parameter("q").value_or("-")),
            .headers = {{.name = "X-Seen", .value = std::string(request.header("x-test").value_or("-"))}}};
  });
  start_server(server);
  RawClient client(server.port());
  const std::string hello = client.request("GET", "/hello/W%C3%B6rld?q=a+b", "X-Test: yes\r\n");
  EXPECT_THAT(hello, HasSubstr("hello Wörld a b"));
  EXPECT_THAT(hello, HasSubstr("X-Seen: yes"));
  EXPECT_THAT(client.request("HEAD", "/hello/x"), StartsWith("HTTP/1.1 200 "));
  const std::string not_allowed = client.request("DELETE", "/hello/x");
  EXPECT_THAT(not_allowed, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(not_allowed, HasSubstr("Allow: GET"));
  EXPECT_THAT(client.request("GET", "/hello"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(client.request("GET", "/ws"), StartsWith("HTTP/1.1 426 "));
  EXPECT_THAT(client.request("POST", "/ws"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(client.request("GET", "/hello/%zz"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(RawClient(server.port()).upgrade("/nowhere"), StartsWith("HTTP/1.1 404 "));
}

TEST(Server, OnlyAGetCanAskForAWebSocket_RFC6455_4_2_1) {
  Server server({.port = 0, .threads = 1});
  server.websocket("/ws", {});
  server.http("POST", "/form", [](const Request&) -> Response { return {.body = "posted"}; });
  start_server(server);
  constexpr std::string_view kPostedUpgrade =
      "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n";
  RawClient client(server.port());
  EXPECT_THAT(client.request("POST", "/form", kPostedUpgrade), HasSubstr("posted"));
  const std::string refused = client.request("POST", "/ws", kPostedUpgrade);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(refused, HasSubstr("Allow: GET\r\n"));
  EXPECT_THAT(refused, HasSubstr("broken rule: the handshake is a GET request (RFC6455§4.2.1)"));
}

TEST(Server, AnAnswerMayComeLaterFromAnotherThreadOrNever) {
  Server server({.port = 0, .threads = 2});
  std::vector<std::thread> workers;
  std::mutex mutex;
  server.http("GET", "/later", [&](const Request&, Responder responder) {
    const std::scoped_lock lock(mutex);
    workers.emplace_back([responder = std::move(responder)]() mutable {
      std::move(responder).send({.status = 202, .body = "done"});
    });
  });
  server.http("GET", "/never", [](const Request&, const Responder&) {});
  start_server(server);
  RawClient client(server.port());
  EXPECT_THAT(client.request("GET", "/later"), HasSubstr("done"));
  EXPECT_THAT(client.request("GET", "/never"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(client.request("GET", "/later"), StartsWith("HTTP/1.1 202 "));
  const std::scoped_lock lock(mutex);
  for (std::thread& worker : workers) worker.join();
}

TEST(Server, AResponderMayOutliveItsServer) {
  std::optional<Responder> kept;
  std::promise<void> asked;
  {
    Server server({.port = 0, .threads = 1});
    server.http("GET", "/", [&](const Request&, Responder responder) {
      kept.emplace(std::move(responder));
      asked.set_value();
    });
    start_server(server);
    RawClient client(server.port());
    client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    asked.get_future().wait();
  }
  std::move(*kept).send({.body = "too late"});
}

TEST(Server, WhatIsPublishedReachesTheSubscribersOfEveryLoop) {
  constexpr int kClientsAtOnce = 16;
  constexpr int kPublishers = 3;
  constexpr int kMessages = 100;
  Server server({.port = 0, .threads = 2});
  server.websocket("/", {.message = [](Session& session, const Message& message) {
                     session.subscribe(message.text());
                     session.send("subscribed");
                   }});
  start_server(server);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kClientsAtOnce; ++i) {
    auto& client = clients.emplace_back(std::make_unique<RawClient>(server.port()));
    client->upgrade("/");
    client->send(i % 2 == 0 ? "even" : "odd");
    EXPECT_EQ(client->receive(), "subscribed");
  }
  EXPECT_EQ(server.session_count(), static_cast<std::size_t>(kClientsAtOnce));
  std::vector<std::thread> publishers;
  for (int p = 0; p < kPublishers; ++p) {
    publishers.emplace_back([&server, p] {
      for (int i = 0; i < kMessages; ++i) {
        server.publish("even", std::to_string(p) + " " + std::to_string(i));
        server.publish("nobody", "x");
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  server.publish("odd", "only odd");
  for (int i = 0; i < kClientsAtOnce; ++i) {
    if (i % 2 == 1) {
      EXPECT_EQ(clients[i]->receive(), "only odd");
      continue;
    }
    std::vector<int> next(kPublishers, 0);
    for (int n = 0; n < kPublishers * kMessages; ++n) {
      const std::string text = clients[i]->receive();
      const int p = std::stoi(text);
      ASSERT_EQ(text, std::to_string(p) + " " + std::to_string(next[p]++));  // each publisher in its order
    }
  }
}

TEST(Server, ASessionMayPublishToItsOwnTopicAndLeaveIt) {
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.open = [](Session& session) { session.subscribe("room"); },
                         .message =
                             [&server](Session& session, const Message& message) {
                               server.publish("room", message.text());
                               if (message.text() == "leave") {
                                 EXPECT_TRUE(session.unsubscribe("room"));
                                 EXPECT_FALSE(session.unsubscribe("room"));
                                 server.publish("room", "after");
                                 session.send("left");
                               }
                             }});
  start_server(server);
  RawClient one(server.port());
  RawClient two(server.port());
  one.upgrade("/");
  two.upgrade("/");
  two.send("hi");
  EXPECT_EQ(one.receive(), "hi");
  EXPECT_EQ(two.receive(), "hi");
  one.send("leave");
  EXPECT_EQ(one.receive(), "leave");
  EXPECT_EQ(one.receive(), "left");
  EXPECT_EQ(two.receive(), "leave");
  EXPECT_EQ(two.receive(), "after");
}

TEST(Server, PostReachesTheSessionOnItsLoopAndNobodyWhenItIsGone) {
  std::mutex mutex;
  std::vector<SessionId> ids;
  std::atomic<int> closed = 0;
  Server server({.port = 0, .threads = 2});
  server.websocket("/", {.open =
                             [&](Session& session) {
                               const std::scoped_lock lock(mutex);
                               ids.push_back(session.id());
                               session.send("open");
                             },
                         .close = [&](Session&, const Close&) { ++closed; }});
  start_server(server);
  const auto id_of = [&](std::size_t i) {
    const std::scoped_lock lock(mutex);
    return ids.at(i);
  };
  {
    RawClient client(server.port());
    client.upgrade("/");
    EXPECT_EQ(client.receive(), "open");
    server.post(id_of(0), [](Session& session) { session.send("posted"); });
    EXPECT_EQ(client.receive(), "posted");
  }
  while (closed == 0) std::this_thread::yield();
  RawClient second(server.port());  // may reuse the same slot
  second.upgrade("/");
  EXPECT_EQ(second.receive(), "open");
  server.post(id_of(0), [](Session&) { ADD_FAILURE() << "the session is gone"; });
  server.post(id_of(1), [](Session& session) { session.send("last"); });
  EXPECT_EQ(second.receive(), "last");
  EXPECT_NE(id_of(0), id_of(1));
}

TEST(Server, TellsHowASessionEnded) {
  std::promise<std::string> end;
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.close = [&](Session& session, const Close& close) {
                     EXPECT_FALSE(session.is_open());
                     EXPECT_EQ(session.send("late"), SendResult::closed);
                     end.set_value(std::to_string(static_cast<int>(close.cause)) + " " +
                                   std::to_string(close.code) + " " + std::string(close.reason));
                   }});
  start_server(server);
  RawClient client(server.port());
  client.upgrade("/");
  client.send("\x0f\xa1good night", '\x88');
  EXPECT_EQ(end.get_future().get(), "0 4001 good night");
  EXPECT_EQ(client.receive(), "close 4001");
  EXPECT_EQ(client.receive(), "EOF");
}

TEST(Server, ACloseFrameSaysAsMuchAsItCan_RFC6455_7_4_1) {
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.message = [](Session& session, const Message& message) {
                     if (message.text() == "1006") session.close(1006, "no");
                     if (message.text() == "utf-8") session.close(1000, "no\xffmore");
                     if (message.text() == "long") session.close(4000, std::string(200, 'x'));
                     if (message.text() == "cut") session.close(4000, std::string(122, 'x') + "é");
                     session.close(1001, std::string(123, 'x'));
                   }});
  start_server(server);
  for (const auto& [order, expected] : {std::pair<std::string, std::string>{"1006", "close"},
                                        {"utf-8", "close 1000 no"},
                                        {"long", "close 4000 " + std::string(123, 'x')},
                                        {"cut", "close 4000 " + std::string(122, 'x')},
                                        {"fine", "close 1001 " + std::string(123, 'x')}}) {
    RawClient client(server.port());
    client.upgrade("/");
    client.send(order);
    EXPECT_EQ(client.receive(), expected);
  }
}

TEST(Server, StopsWith1012AndRunReturns) {
  Server server({.port = 0, .threads = 2});
  server.websocket("/", {});
  start_server(server);
  std::thread runner([&] { server.run(); });
  std::thread stopper;
  {
    RawClient client(server.port());
    client.upgrade("/");
    stopper = std::thread([&] { EXPECT_EQ(server.stop(std::chrono::seconds(20)), 0U); });
    EXPECT_EQ(client.receive(), "close 1012");
    client.send("\x03\xf4", '\x88');
    EXPECT_EQ(client.receive(), "EOF");
  }
  stopper.join();
  runner.join();
  server.publish("topic", "to nobody");
  EXPECT_FALSE(server.start());
}

TEST(Server, TellsWhomItTurnedAway) {
  Server server({.port = 0, .limits = {.connections_max = 1}});
  server.websocket("/", {});
  start_server(server);
  const auto refused = [&](std::string_view reason) {
    for (const auto& [name, count] : server.refused_connections()) {
      if (name == reason) return count;
    }
    return std::uint64_t{999};
  };
  EXPECT_EQ(refused("server_connections"), 0U);
  RawClient one(server.port());
  one.upgrade("/");
  RawClient two(server.port());
  EXPECT_EQ(two.receive(), "EOF");
  EXPECT_EQ(refused("server_connections"), 1U);
  EXPECT_EQ(refused("address_rate"), 0U);
}

TEST(Server, OnAUnixSocketWithSeveralLoops) {
  const std::string path = testing::TempDir() + "fanfare-api-" + std::to_string(::getpid()) + ".sock";
  Server server({.unix_path = path, .threads = 2});
  server.websocket("/", {.message = [](Session& session, const Message& message) { session.send(message); }});
  start_server(server);
  EXPECT_EQ(server.addresses().front(), "unix:" + path);
  for (int i = 0; i < 4; ++i) {
    RawClient client(path);
    client.upgrade("/");
    client.send("hi");
    EXPECT_EQ(client.receive(), "hi");
  }
  ::unlink(path.c_str());
}

TEST(Server, SaysWhatIsWrongInsteadOfStarting) {
  const auto error_of = [](Server& server) {
    const auto started = server.start();
    return started ? Error{.message = "it started"} : started.error();
  };
  {
    Server server({.host = "no.such.name.example", .port = 0});
    EXPECT_EQ(error_of(server).kind, Error::Kind::bad_option);
  }
  {
    Server server({.port = 0});
    server.websocket("chat", {});
    EXPECT_THAT(error_of(server).message, HasSubstr("path 'chat'"));
  }
  {
    Server server({.port = 0, .deflate = {.server_max_window_bits = 8}});
    EXPECT_THAT(error_of(server).message, HasSubstr("window_bits"));
  }
  {
    Server server({.port = 0, .limits = {.request_header_count_max = 0}});
    EXPECT_EQ(error_of(server).message, "limits.request_header_count_max: at least 1");
  }
  {
    Server server({.port = 0, .heartbeat = {.ping_interval = std::chrono::seconds(-1)}});
    EXPECT_EQ(error_of(server).message, "heartbeat.ping_interval: not below zero");
  }
  {
    Server server({.port = 0});
    server.websocket("/", {.origins = {"https://a.example", "b.example"}});
    EXPECT_THAT(error_of(server).message, HasSubstr("route '/': origin 'b.example'"));
  }
  {
    Server server({.port = 0});
    server.websocket("/", {.subprotocols = {"v1", "v 2"}});
    EXPECT_THAT(error_of(server).message, HasSubstr("subprotocol 'v 2'"));
  }
  {
    Server server({.host = "192.0.2.1", .port = 1});
    const Error error = error_of(server);
    EXPECT_EQ(error.kind, Error::Kind::system);
    EXPECT_NE(error.system_code, 0);
    EXPECT_THAT(error.message, HasSubstr("192.0.2.1"));
  }
}

}  // namespace
}  // namespace fanfare
