// The streams over real connections, on both loops: the WebSocket, Server-Sent Events, and who may connect.

#include "streamserver/server_for_tests.h"

namespace fanfare::streamserver {
namespace {

using session::client_frame;
using streams::Transport;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_P(StreamServerTest, AWebSocketGetsWelcomeAnswersAndValues) {
  begin();
  publish(1);
  const net::Descriptor peer = upgrade();
  EXPECT_THAT(read_until(peer, "\"timestamp\":"),
              HasSubstr(R"({"type":"welcome","message":"Fanfare streams","available_streams":["s"])"));
  say(peer, R"({"type":"subscribe","stream":"s"})");
  EXPECT_THAT(read_until(peer, R"({"n":1})"), HasSubstr(frame_of(R"({"type":"subscribed","stream":"s"})")));
  publish(2);
  read_until(peer, R"({"n":2})");
  say(peer, R"({"type":"ping"})");
  read_until(peer, frame_of(R"({"type":"pong"})"));
  EXPECT_EQ(world_->catalog.connections(Transport::websocket), 1U);
}

TEST_P(StreamServerTest, APlainGetIs426_RFC9110_15_5_22) {
  begin();
  const std::string answer = answer_to("/streams");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 426 "));
  EXPECT_THAT(answer, HasSubstr("\r\nUpgrade: websocket\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nupgrade required\n"));
}

TEST_P(StreamServerTest, AClientThatLeavesIsForgotten) {
  begin();
  {
    const net::Descriptor peer = open();
    say(peer, R"({"type":"subscribe","stream":"s"})");
    read_until(peer, "subscribed");
    EXPECT_EQ(stream_->watchers(), 1U);
  }
  EXPECT_TRUE(run_until([&] { return stream_->watchers() == 0; }));
  EXPECT_TRUE(run_until([&] { return world_->catalog.connections(Transport::websocket) == 0; }));
  publish(1);
}

TEST_P(StreamServerTest, OneConnectionOverTheLimitIs503) {
  begin({.connections_max = 2});
  const net::Descriptor first = open();
  const net::Descriptor events = get("/streams/sse?stream=s");
  read_until(events, "subscribed");
  const net::Descriptor refused = upgrade();
  const std::string answer = read_until(refused, "may have\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("\r\nRetry-After: 1\r\n"));
  const std::string events_answer = answer_to("/streams/sse?stream=s");
  EXPECT_THAT(events_answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(events_answer, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(events_answer,
              EndsWith(R"({"type":"error","message":"the server has all the stream connections it may )"
                       R"(have","code":"limit_reached","retry_after_ms":500})"
                       "\n"));
}

TEST_P(StreamServerTest, AMessageFarTooBigCloses1009) {
  begin({.message_bytes_max = 300});
  const net::Descriptor peer = open();
  say(peer, std::string(300 * streams::kMessageBytesFactor, ' '));
  read_until(peer, "the message is too big: at most 300 bytes");
  say(peer, std::string(300 * streams::kMessageBytesFactor + 1, ' '));
  read_until(peer, "\x03\xf1");
}

TEST_P(StreamServerTest, ABinaryMessageIsAnError) {
  begin();
  const net::Descriptor peer = open();
  write(peer, client_frame(0x82, "\x01\x02"));
  read_until(peer, frame_of(R"({"type":"error","message":"messages must be text"})"));
}

TEST_P(StreamServerTest, EventsBeginWithRetryAndTheAnswer) {
  begin();
  publish(1);
  const net::Descriptor peer = get("/streams/sse?stream=s");
  const std::string answer = read_until(peer, R"({"n":1})");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/event-stream\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-store\r\n"));
  EXPECT_THAT(answer, HasSubstr("retry: 500\n\n"));
  EXPECT_THAT(answer, HasSubstr("data: {\"type\":\"subscribed\",\"stream\":\"s\",\"position\":"));
  EXPECT_THAT(answer, HasSubstr("id: " + position(1) + "\ndata: {\"type\":\"s\",\"data\":{\"n\":1}"));
  publish(2);
  EXPECT_THAT(read_until(peer, "\n\n"), HasSubstr("id: " + position(2) + "\n"));
}

TEST_P(StreamServerTest, EventsGoOnAfterLastEventId) {
  begin();
  for (int i = 1; i <= 3; ++i) publish(i);
  const auto resumed = [&](std::string_view target, std::string_view headers) {
    const net::Descriptor peer = get(target, headers);
    return read_until(peer, R"({"n":3})");
  };
  const std::string by_field = resumed("/streams/sse?stream=s", "Last-Event-ID: " + position(1) + "\r\n");
  EXPECT_THAT(by_field, HasSubstr("\"recovered\":true"));
  EXPECT_THAT(by_field, HasSubstr(R"({"n":2})"));
  EXPECT_THAT(by_field, Not(HasSubstr(R"({"n":1})")));
  EXPECT_THAT(resumed("/streams/sse?stream=s&lastEventId=" + position(2), ""), Not(HasSubstr(R"({"n":2})")));
  EXPECT_THAT(
      resumed("/streams/sse?stream=s&lastEventId=" + position(2), "Last-Event-ID: " + position(1) + "\r\n"),
      HasSubstr(R"({"n":2})"))
      << "the field wins";
  // Another server's id: everything that is there, and a notice.
  const std::string foreign = resumed("/streams/sse?stream=s", "Last-Event-ID: 77\r\n");
  EXPECT_THAT(foreign, HasSubstr("\"recovered\":false"));
  EXPECT_THAT(foreign, HasSubstr(R"({"n":1})"));
}

TEST_P(StreamServerTest, EventsMayBeginWithHistory) {
  begin();
  for (int i = 1; i <= 3; ++i) publish(i);
  const net::Descriptor peer = get("/streams/sse?stream=s&history=2");
  EXPECT_THAT(read_until(peer, "\"history\":[{\"data\":{\"n\":2}"), Not(HasSubstr(R"({"n":1})")));
}

TEST_P(StreamServerTest, WrongEventRequestsSayWhatIsWrong) {
  begin();
  EXPECT_THAT(answer_to("/streams/sse"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer_to("/streams/sse?stream=s&history=x"), HasSubstr("\\\"history\\\" must be an integer"));
  EXPECT_THAT(answer_to("/streams/sse?stream=s&lastEventId=5"),
              HasSubstr("\\\"lastEventId\\\" must be EPOCH-OFFSET"));
  EXPECT_THAT(answer_to("/streams/sse?stream=s&stream=t"), HasSubstr("stands twice"));
  const std::string unknown = answer_to("/streams/sse?stream=t");
  EXPECT_THAT(unknown, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(
      unknown,
      HasSubstr(R"("message":"unknown stream: available are s","code":"unknown_stream","stream":"t")"));
}

TEST_P(StreamServerTest, EventsHaveHeartbeats) {
  begin({.heartbeat = std::chrono::seconds(15)});
  const net::Descriptor peer = get("/streams/sse?stream=s");
  read_until(peer, "subscribed");
  pass(std::chrono::milliseconds(14'900));
  EXPECT_THAT(read_now(peer), Not(HasSubstr("heartbeat")));
  pass(std::chrono::milliseconds(150));
  EXPECT_THAT(read_until(peer, "\n\n"), HasSubstr(": heartbeat\n\n"));
  pass(std::chrono::milliseconds(15'000));
  EXPECT_THAT(read_until(peer, "\n\n"), HasSubstr(": heartbeat\n\n"));
}

TEST_P(StreamServerTest, AnEventsClientThatLeavesIsForgotten) {
  begin();
  {
    const net::Descriptor peer = get("/streams/sse?stream=s");
    read_until(peer, "subscribed");
    EXPECT_EQ(stream_->watchers(), 1U);
  }
  EXPECT_TRUE(run_until([&] { return stream_->watchers() == 0; }));
  EXPECT_EQ(world_->catalog.connections(Transport::events), 0U);
}

TEST_P(StreamServerTest, HeadHasNoBody) {
  begin();
  const net::Descriptor peer = connect();
  write(peer, "HEAD /streams/sse?stream=s HTTP/1.1\r\nHost: here\r\n\r\n");
  EXPECT_THAT(read_until(peer, "\r\n\r\n"), EndsWith("\r\n\r\n"));
  EXPECT_EQ(stream_->watchers(), 0U);
  EXPECT_EQ(world_->catalog.connections(Transport::events), 0U);
}

TEST_P(StreamServerTest, AStreamThatEndsEndsItsEvents) {
  begin();
  const net::Descriptor peer = get("/streams/sse?stream=s");
  read_until(peer, "subscribed");
  world_->catalog.remove("s");
  world_->loops.run_all();
  read_until(peer, R"({"type":"unsubscribed","stream":"s","reason":"the server has ended the stream"})");
}

TEST_P(StreamServerTest, AStoppingServerEndsEventsAndSockets) {
  begin();
  const net::Descriptor events = get("/streams/sse?stream=s");
  read_until(events, "subscribed");
  const net::Descriptor peer = open();
  server_->drain(ws::close_code::service_restart, "restart");
  read_until(events, "0\r\n\r\n");
  read_until(peer, "\x03\xf4");
  EXPECT_TRUE(run_until([&] { return stream_->watchers() == 0; }));
}

TEST_P(StreamServerTest, AWebSocketEndsWithItsPermit) {
  begin_guarded();
  const net::Descriptor peer = open();
  say(peer, R"({"type":"subscribe","stream":"s"})");
  read_until(peer, "subscribed");
  EXPECT_GT(permits_.at(0)->bytes, 80U) << "the welcome, a message and its answer";
  const std::size_t before = permits_.at(0)->bytes;
  publish(1);
  read_until(peer, R"({"n":1})");
  EXPECT_GT(permits_.at(0)->bytes, before) << "values are paid";
  permits_.at(0)->holder->on_permit_ended("the token has expired");
  read_until(peer, "\x03\xf0the token has expired");
}

TEST_P(StreamServerTest, EventsEndWithTheirPermit) {
  begin_guarded();
  const net::Descriptor peer = get("/streams/sse?stream=s");
  read_until(peer, "subscribed");
  permits_.at(0)->holder->on_permit_ended("the token has expired");
  EXPECT_THAT(read_until(peer, "0\r\n\r\n"),
              HasSubstr(R"({"type":"unsubscribed","stream":"s","reason":"the token has expired"})"));
  EXPECT_TRUE(run_until([&] { return world_->catalog.connections(Transport::events) == 0; }));
}

TEST_P(StreamServerTest, APermitThatGrantsLessEndsWhatItDoesNotGrant) {
  begin_guarded();
  const net::Descriptor events = get("/streams/sse?stream=s");
  read_until(events, "subscribed");
  const net::Descriptor peer = open();
  say(peer, R"({"type":"subscribe","stream":"s"})");
  read_until(peer, "subscribed");
  for (streams::TestPermit* permit : permits_) {
    permit->granted.clear();
    permit->holder->on_permit_changed();
  }
  EXPECT_THAT(read_until(events, "0\r\n\r\n"), HasSubstr("do not grant the stream any more"));
  read_until(peer, "do not grant the stream any more");
  say(peer, R"({"type":"ping"})");
  read_until(peer, "pong");
}

TEST_P(StreamServerTest, EventsOfAStreamThatIsNotGrantedAre404AndAUsedUpQuota429) {
  begin_guarded(1);
  EXPECT_THAT(answer_to("/streams/sse?stream=secret"), StartsWith("HTTP/1.1 404 "));
  begin_guarded(0);
  const std::string limited = answer_to("/streams/sse?stream=s");
  EXPECT_THAT(limited, StartsWith("HTTP/1.1 429 "));
  EXPECT_THAT(limited, HasSubstr("\r\nRetry-After: 2\r\n"));
  EXPECT_THAT(limited, HasSubstr("\"retry_after_ms\":2000"));
}

INSTANTIATE_TEST_SUITE_P(Loops, StreamServerTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::streamserver
