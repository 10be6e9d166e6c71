// A program without exceptions whose handlers call a library that throws. Its functions are left without destroying
// their objects, so none of the answers that its handlers owe comes from a destructor. Every client is answered all the
// same, and the program goes on. The program is a process of its own: it leaks those objects.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <string_view>
#include <utility>

#include "api/raw_client_for_tests.h"
#include "fanfare/chain.h"
#include "fanfare/fanfare.h"
#include "fanfare/store.h"

#ifdef __cpp_exceptions
#error "this test shows what a program without exceptions gets"
#endif

namespace fanfare {

void throw_from_a_library();

namespace {

using api::RawClient;

// Ends the process with a message, as the parent expects.
void expect(bool holds, std::string_view what, std::string_view got = {}) {
  if (holds) return;
  std::fprintf(stderr, "failed: %s: %s\n", std::string(what).c_str(), std::string(got).c_str());
  std::_Exit(1);
}
void expect_start(const std::string& got, std::string_view start, std::string_view what) {
  expect(got.starts_with(start), what, got);
}

void add_routes(Server& server) {
  server.admit([](const Request& request) -> std::optional<Response> {
    if (request.path() == "/admit") throw_from_a_library();
    return std::nullopt;
  });
  server.http("GET", "/admit", [](const Request&) -> Response { return {}; });
  server.http("GET", "/now", [](const Request&) -> Response {
    throw_from_a_library();
    return {};
  });
  server.http("GET", "/later", [](const Request&, Responder responder) {
    throw_from_a_library();
    std::move(responder).send({});
  });
  server.http("POST", "/body", [](const Request&, Responder responder, BodyReader body) {
    throw_from_a_library();
    body.read([](const BodyPiece&) {});
    std::move(responder).send({});
  });
  server.http("GET", "/fine", [](const Request&) -> Response { return {.body = "fine"}; });
  server.websocket<int>("/upgrade", {.upgrade = [](const Request&) -> Expected<int, Response> {
                          throw_from_a_library();
                          return 1;
                        }});
  server.websocket("/decide", {.decide = [](const Request&, Upgrade<void> upgrade) {
                     throw_from_a_library();
                     std::move(upgrade).accept();
                   }});
  server.websocket("/message", {.message = [](Session&, const Message&) { throw_from_a_library(); }});
}

void check_http(const Server& server) {
  for (const std::string_view path : {"/admit", "/now", "/later"}) {
    expect_start(RawClient(server.port()).request("GET", path), "HTTP/1.1 500 ", path);
  }
  expect_start(RawClient(server.port()).request("POST", "/body", "Content-Length: 9\r\n"), "HTTP/1.1 500 ",
               "body");
  for (const std::string_view path : {"/upgrade", "/decide"}) {
    expect_start(RawClient(server.port()).upgrade(path), "HTTP/1.1 500 ", path);
  }
  RawClient session(server.port());
  session.upgrade("/message");
  session.send("go");
  expect(session.receive() == "close 1011", "a session ends with 1011");
}

void check_rpc(const Server& server) {
  for (const std::string_view method : {"now", "later", "worker"}) {
    RawClient client(server.port());
    client.upgrade("/rpc");
    client.send(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":[]})");
    const std::string answer = client.receive();
    expect(answer.find("-32603") != std::string::npos, method, answer);
  }
}

void check_hub(Server& server, const HubTopic& topic) {
  std::promise<bool> told;
  expect(topic.publish("x",
                       [&](std::optional<Position> at) {
                         told.set_value(at.has_value());
                         throw_from_a_library();
                       }) == PublishResult::accepted,
         "an event is accepted");
  expect(!told.get_future().get(), "an encoder that throws gives no position");
  std::promise<void> next;
  server.for_each_session([](Session&) { throw_from_a_library(); });
  server.call_after(std::chrono::milliseconds(0), [] { throw_from_a_library(); });
  server.call_after(std::chrono::milliseconds(1), [&] { next.set_value(); });
  next.get_future().wait();
}

void check_client() {
  bool has_failed = false;
  Client client({.url = "ws://127.0.0.1:9"},
                {.before_connect =
                     [](Client&, ConnectAttempt attempt) {
                       throw_from_a_library();
                       std::move(attempt).connect();
                     },
                 .failed =
                     [&](Client&, const Error&, std::optional<std::chrono::milliseconds>) {
                       has_failed = true;
                       throw_from_a_library();
                     }});
  expect(static_cast<bool>(client.start()), "a client starts");
  client.run();
  expect(has_failed, "an attempt without an answer fails");
}

[[noreturn]] void run_program() {
  set_log_sink([](const LogRecord&) { throw_from_a_library(); });
  Server server({.port = 0, .threads = 2});
  add_routes(server);
  const Hub hub(server);
  const HubTopic topic = *hub.add_topic("t", {.encode = [](Position, std::string_view payload) {
                                          throw_from_a_library();
                                          return Frame::text(payload);
                                        }});
  Rpc rpc({.workers = 1, .allowed_hosts = {"test"}});
  const auto fails = [](const RpcCall&) -> bool {
    throw_from_a_library();
    return true;
  };
  rpc.method("now", {}, fails);
  rpc.method("worker", {.run = RpcRun::worker}, fails);
  rpc.method_later<bool>("later", {}, [](const RpcCall&, RpcReply<bool> reply) {
    throw_from_a_library();
    std::move(reply).send(true);
  });
  rpc.serve(server, "/rpc");
  expect(static_cast<bool>(server.start()), "the server starts");
  check_http(server);
  check_rpc(server);
  check_hub(server, topic);
  check_client();
  const std::string fine = RawClient(server.port()).request("GET", "/fine");
  expect(fine.ends_with("fine"), "the program goes on", fine);
  std::fputs("all answered\n", stderr);
  std::_Exit(0);
}

TEST(NoExceptionsDeathTest, WhatALibraryThrowsThroughTheProgramEndsAtTheBorder) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_program(), testing::ExitedWithCode(0), "all answered");
}

}  // namespace
}  // namespace fanfare
