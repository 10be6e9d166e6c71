// The streams over real connections, on both loops: the WebSocket, Server-Sent Events, and who may connect.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/loop_context.h"
#include "server/router.h"
#include "session/loop_server_for_tests.h"
#include "streams/permit_for_tests.h"
#include "streams/world_for_tests.h"
#include "streamserver/mounts.h"

namespace fanfare::streamserver {
namespace {

using session::client_frame;
using streams::Transport;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// What the server sends as one unmasked text frame.
std::string frame_of(std::string_view payload) {
  std::string frame("\x81");
  if (payload.size() < 126) {
    frame += static_cast<char>(payload.size());
  } else {
    frame += static_cast<char>(126);
    frame += static_cast<char>(payload.size() >> 8U);
    frame += static_cast<char>(payload.size() & 0xffU);
  }
  return frame + std::string(payload);
}

class StreamServerTest : public session::LoopServerTest {
 protected:
  void begin(streams::Limits limits = {}, session::LoopServerOptions options = {},
             const streams::StreamOptions& stream = {}, const MakePermit& make_permit = {}) {
    world_ = std::make_unique<streams::World>(limits);
    stream_ = world_->add("s", stream);
    start(options);
    endpoint_settings_ = session_settings(limits, settings_);
    auto loop =
        std::make_shared<LoopStreams>(world_->catalog, world_->loops.at(0), *server_, endpoint_settings_);
    router_ = std::make_unique<server::Router>(std::make_shared<server::LoopContext>(*loop_, 0));
    router_->mount(*server::PathPattern::parse("/streams"),
                   std::make_shared<WebSocketMount>(loop, ws::UpgradePolicy{}, make_permit));
    router_->mount(*server::PathPattern::parse("/streams/sse"),
                   std::make_shared<EventsMount>(loop, make_permit));
  }
  ~StreamServerTest() override {
    server_.reset();
    // Answers that have ended are destroyed in the next turn.
    loop_->run_once(std::chrono::milliseconds(0));
  }

  net::Descriptor connect() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), *router_);
    return net::Descriptor(ends[1]);
  }
  net::Descriptor upgrade() {
    net::Descriptor peer = connect();
    std::string request(session::kUpgrade);
    request.replace(4, 5, "/streams");
    write(peer, request);
    return peer;
  }
  // After the welcome.
  net::Descriptor open() {
    net::Descriptor peer = upgrade();
    EXPECT_THAT(read_until(peer, "\"timestamp\":"), HasSubstr("101 Switching Protocols"));
    read_until_quiet(peer);
    return peer;
  }
  void read_until_quiet(const net::Descriptor& peer) {
    for (int i = 0; i < 3; ++i) loop_->run_once(std::chrono::milliseconds(0));
    read_now(peer);
  }
  static void say(const net::Descriptor& peer, std::string_view message) {
    write(peer, client_frame(0x81, message));
  }
  net::Descriptor get(std::string_view target, std::string_view headers = {}) {
    net::Descriptor peer = connect();
    write(peer, "GET " + std::string(target) + " HTTP/1.1\r\nHost: here\r\n" + std::string(headers) + "\r\n");
    return peer;
  }
  std::string answer_to(std::string_view target, std::string_view headers = {}) {
    const net::Descriptor peer = get(target, headers);
    return read_until(peer, "\n") + read_now(peer);
  }
  // With access control; permits_ are those of the clients, in their order.
  void begin_guarded(std::uint32_t messages = 100) {
    begin({}, {}, {}, [this, messages](const session::HttpConnection&, const server::Target&) {
      auto permit = std::make_unique<streams::TestPermit>();
      permit->granted = {"s"};
      permit->messages = messages;
      permits_.push_back(permit.get());
      return permit;
    });
    world_->add("secret");
  }
  void publish(int n) { world_->publish(*stream_, R"({"n":)" + std::to_string(n) + "}"); }
  // A value whose message to plain clients has so many bytes.
  void publish_sized(std::size_t bytes) {
    const std::string rest =
        R"({"type":"s","data":{"t":""},"timestamp":)" + std::to_string(world_->seconds()) + "}";
    world_->publish(*stream_, R"({"t":")" + std::string(bytes - rest.size(), 'x') + "\"}");
  }
  std::string position(std::uint64_t offset) const {
    return std::to_string(stream_->topic()->first_epoch) + "-" + std::to_string(offset);
  }

  std::unique_ptr<streams::World> world_;
  std::shared_ptr<streams::Stream> stream_;
  session::SessionSettings endpoint_settings_;
  std::vector<streams::TestPermit*> permits_;
  std::unique_ptr<server::Router> router_;
};

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

// A reader of Server-Sent Events that stops reading gets the newest value and the number of those it missed.
TEST_P(StreamServerTest, ASlowEventsReaderIsPaced) {
  session::LoopServerOptions options;
  options.http.outbox_bytes_high = 40'000;
  begin({}, options);
  const net::Descriptor peer = get("/streams/sse?stream=s");
  read_until(peer, "subscribed");
  const std::string text(30'000, 'x');
  for (int i = 1; i <= 30; ++i) {
    world_->publish(*stream_, R"({"t":")" + text + R"(","n":)" + std::to_string(i) + "}");
    loop_->run_once(std::chrono::milliseconds(0));
  }
  const std::string got = read_until(peer, "\"n\":30}");
  EXPECT_THAT(got, HasSubstr(R"("state":"missed")"));
  EXPECT_LT(got.size(), 25 * text.size());
}

// outboxBytesMax: values of streams with slowReaders: close wait in the outbox, here 16 frames of 4096 bytes.
constexpr std::size_t kOutboxMax = 65'536;
const streams::StreamOptions kEverythingOrTheEnd{.slow_readers = {.when_full = WhenFull::close}};

TEST_P(StreamServerTest, AnOutboxMayHoldOutboxBytesMax) {
  begin({.outbox_bytes_max = kOutboxMax}, {}, kEverythingOrTheEnd);
  const net::Descriptor peer = open();
  say(peer, R"({"type":"subscribe","stream":"s"})");
  read_until(peer, "subscribed");
  read_until_quiet(peer);
  // No turn of the loop passes, so nothing is written meanwhile.
  for (int i = 0; i < 16; ++i) publish_sized(4092);
  std::string got;
  ASSERT_TRUE(run_until([&] { return (got += read_now(peer)).size() >= kOutboxMax; }));
  EXPECT_EQ(got.size(), kOutboxMax);
  say(peer, R"({"type":"ping"})");
  read_until(peer, frame_of(R"({"type":"pong"})"));
}

// The client that does not read pays: 1013. Other subscribers and other streams go on.
TEST_P(StreamServerTest, OneValuePastOutboxBytesMaxEndsTheSlowClientAlone) {
  begin({.outbox_bytes_max = kOutboxMax}, {}, kEverythingOrTheEnd);
  const auto calm = world_->add("calm");
  const net::Descriptor slow = open();
  say(slow, R"({"type":"subscribe","stream":"s"})");
  read_until(slow, "subscribed");
  const net::Descriptor other = open();
  say(other, R"({"type":"subscribe","stream":"calm"})");
  read_until(other, "subscribed");
  read_until_quiet(slow);
  streams::TestClient reader(*world_, 1);
  reader.say(R"({"type":"subscribe","stream":"s"})");

  for (int i = 0; i < 17; ++i) publish_sized(4092);
  EXPECT_EQ(reader.frames.size(), 17U);
  const std::string got = read_until(slow, "reading too slowly");
  EXPECT_THAT(got, EndsWith("\x88\x14\x03\xf5reading too slowly"));
  EXPECT_EQ(got.size(), kOutboxMax + 22) << "16 values and the close frame";
  write(slow, client_frame(0x88, "\x03\xf5"));
  EXPECT_TRUE(run_until([&] { return stream_->watchers() == 1; })) << "only the reader is left";
  world_->publish(*calm, R"({"n":1})");
  read_until(other, R"("data":{"n":1})");
}

// Chunks of 4096 bytes: three digits, two line ends, 4089 bytes.
TEST_P(StreamServerTest, AnEventsClientIsCutOffPastOutboxBytesMax) {
  for (const int values : {16, 17}) {
    begin({.outbox_bytes_max = kOutboxMax}, {}, kEverythingOrTheEnd);
    const net::Descriptor peer = get("/streams/sse?stream=s");
    read_until(peer, "subscribed");
    read_until_quiet(peer);
    for (int i = 1; i <= values; ++i) {
      const std::string rest = "id: " + position(static_cast<std::uint64_t>(i)) +
                               "\ndata: " + R"({"type":"s","data":{"t":""},"timestamp":)" +
                               std::to_string(world_->seconds()) + R"(,"offset":)" + std::to_string(i) +
                               "}\n\n";
      world_->publish(*stream_, R"({"t":")" + std::string(4089 - rest.size(), 'x') + "\"}");
    }
    std::string got;
    if (values == 16) {
      ASSERT_TRUE(run_until([&] { return (got += read_now(peer)).size() >= kOutboxMax; }));
      EXPECT_EQ(got.size(), kOutboxMax);
      publish(17);
      read_until(peer, R"("data":{"n":17})");
    } else {
      EXPECT_TRUE(run_until([&] { return world_->catalog.connections(Transport::events) == 0; }));
      EXPECT_EQ(stream_->watchers(), 0U);
      // Without the chunk that ends an answer: the client knows that it was cut off, and resumes.
      EXPECT_THAT(read_now(peer), Not(EndsWith("0\r\n\r\n")));
    }
    server_.reset();
    loop_->run_once(std::chrono::milliseconds(0));
  }
}

// Without it a small outboxBytesMax would end readers that should only miss values.
TEST_P(StreamServerTest, AnEventsClientIsPacedFromAQuarterOfOutboxBytesMax) {
  begin({.outbox_bytes_max = kOutboxMax});
  const net::Descriptor peer = get("/streams/sse?stream=s");
  read_until(peer, "subscribed");
  read_until_quiet(peer);
  for (int i = 1; i <= 40; ++i) publish_sized(4092);
  publish(41);
  const std::string got = read_until(peer, R"("data":{"n":41})");
  EXPECT_THAT(got, HasSubstr(R"("state":"missed")"));
  EXPECT_LT(got.size(), kOutboxMax / 2);
}

INSTANTIATE_TEST_SUITE_P(Loops, StreamServerTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::streamserver
