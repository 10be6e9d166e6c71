// Streams through the public API, on both loops.

#include "fanfare/streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "api/raw_client_for_tests.h"
#include "fanfare/hub.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::StartsWith;

class PublicStreamsTest : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const { return {.port = 0, .threads = 2, .loop = GetParam()}; }
};

TEST_P(PublicStreamsTest, AProgramPublishesInThreeLines) {
  Server server(options());
  const Hub hub(server);
  const Streams streams(server);
  const auto load = *streams.add("load", {.interval = std::chrono::seconds(1)});
  ASSERT_TRUE(server.start());
  EXPECT_EQ(load.publish(R"({ "percent" : 71 })"), StreamResult::published);

  RawClient client(server.port());
  client.upgrade("/streams");
  EXPECT_THAT(client.receive(),
              StartsWith(R"({"type":"welcome","message":"Fanfare streams","available_streams":["load"])"));
  client.send(R"({"type":"subscribe","stream":"load"})");
  EXPECT_EQ(client.receive(), R"({"type":"subscribed","stream":"load"})");
  EXPECT_THAT(client.receive(), StartsWith(R"({"type":"load","data":{"percent":71},"timestamp":)"));
  EXPECT_EQ(load.subscribers(), 1U);
  load.interrupt("no sensor");
  EXPECT_THAT(client.receive(),
              StartsWith(R"({"type":"notice","stream":"load","state":"interrupted","reason":"no sensor")"));
  load.restore();
  EXPECT_THAT(client.receive(), StartsWith(R"({"type":"notice","stream":"load","state":"restored")"));
  EXPECT_THAT(client.receive(), StartsWith(R"({"type":"load","data":{"percent":71},"timestamp":)"));
  client.send(R"({"type":"hello"})");
  EXPECT_THAT(client.receive(), HasSubstr(R"("streams":[{"name":"load","interval_ms":1000,"history":300}])"));

  EXPECT_THAT(RawClient(server.port()).request("GET", "/streams"), StartsWith("HTTP/1.1 426 "));
  RawClient events(server.port());
  events.write("GET /streams/sse?stream=load HTTP/1.1\r\nHost: x\r\n\r\n");
  events.read_until("\"percent\":71");

  EXPECT_TRUE(streams.remove("load"));
  EXPECT_FALSE(streams.remove("load"));
  EXPECT_THAT(client.receive(), StartsWith(R"({"type":"unsubscribed","stream":"load")"));
  EXPECT_EQ(load.publish("1"), StreamResult::refused);
}

TEST_P(PublicStreamsTest, TheirClientsGetTheHeartbeatOfTheServer) {
  ServerOptions often = options();
  often.heartbeat.ping_interval = std::chrono::milliseconds(50);
  Server server(often);
  const Hub hub(server);
  const Streams streams(server);
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/streams");
  EXPECT_THAT(client.receive(), StartsWith(R"({"type":"welcome")"));
  EXPECT_EQ(client.receive(), "");  // a ping
}

TEST_P(PublicStreamsTest, AReasonThatIsNotTextIsNotSent_RFC6455_8_1) {
  Server server(options());
  const Hub hub(server);
  const Streams streams(server, {.messages_per_second = 0});
  const auto made = *streams.add("s");
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/streams");
  client.receive();
  client.send(R"({"type":"subscribe","stream":"s"})");
  EXPECT_EQ(client.receive(), R"({"type":"subscribed","stream":"s"})");
  made.interrupt("\xff\xc0");
  EXPECT_THAT(client.receive(),
              StartsWith(R"({"type":"notice","stream":"s","state":"interrupted","reason":"","timestamp":)"));
}

TEST_P(PublicStreamsTest, StreamsMayBeElsewhere) {
  Server server(options());
  const Hub hub(server);
  const Streams streams(server, {.path = "/live/values", .origins = {"https://ours.example"}});
  server.http("GET", "/streams", [](const Request&) { return Response{.body = "mine\n"}; });
  ASSERT_TRUE(server.start());
  EXPECT_THAT(RawClient(server.port()).request("GET", "/streams"), HasSubstr("mine"));
  EXPECT_THAT(RawClient(server.port()).upgrade("/live/values", "Origin: https://other.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(RawClient(server.port()).upgrade("/live/values", "Origin: https://ours.example\r\n"),
              StartsWith("HTTP/1.1 101 "));
}

TEST_P(PublicStreamsTest, WhatCannotBePublishedIsSaid) {
  Server server(options());
  const Hub hub(server);
  const Streams streams(server);
  const auto made = *streams.add("s", {.history_messages = 2, .history_bytes = 65536});
  EXPECT_EQ(made.publish("1"), StreamResult::refused) << "the server does not run yet";
  EXPECT_EQ(JsonStream().publish("1"), StreamResult::refused);
  ASSERT_TRUE(server.start());
  EXPECT_EQ(made.publish("{"), StreamResult::not_json);
  const std::string longest = '"' + std::string(65536 / 8 - 2, 'x') + '"';
  EXPECT_EQ(made.publish(longest), StreamResult::published);
  EXPECT_EQ(made.publish(longest.substr(0, longest.size() - 1) + "x\""), StreamResult::too_long);
  for (const std::string name : {"", "pong", "a b"}) EXPECT_FALSE(streams.add(name)) << name;
  EXPECT_FALSE(streams.add("s")) << "in use";
  EXPECT_FALSE(streams.add("t", {.history_messages = 1}));
  server.stop();
  EXPECT_EQ(made.publish("1"), StreamResult::refused);
}

TEST(PublicStreamsDeathTest, StreamsNeedAHub) {
  EXPECT_DEATH(
      {
        Server server({.port = 0});
        const Streams streams(server);
      },
      "fanfare::Streams");
}

INSTANTIATE_TEST_SUITE_P(Loops, PublicStreamsTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare
