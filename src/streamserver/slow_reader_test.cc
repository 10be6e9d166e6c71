// Clients of streams that read too slowly, over real connections, on both loops: who pays, and what the others notice.

#include "streamserver/server_for_tests.h"

namespace fanfare::streamserver {
namespace {

using session::client_frame;
using streams::Transport;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class SlowReaderTest : public StreamServerTest {};

// A reader of Server-Sent Events that stops reading gets the newest value and the number of those it missed.
TEST_P(SlowReaderTest, ASlowEventsReaderIsPaced) {
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

TEST_P(SlowReaderTest, AnOutboxMayHoldOutboxBytesMax) {
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
TEST_P(SlowReaderTest, OneValuePastOutboxBytesMaxEndsTheSlowClientAlone) {
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
TEST_P(SlowReaderTest, AnEventsClientIsCutOffPastOutboxBytesMax) {
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
TEST_P(SlowReaderTest, AnEventsClientIsPacedFromAQuarterOfOutboxBytesMax) {
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

// Both transports, by a client that never reads, and one that does.
class StalledReaderTest : public StreamServerTest {
 protected:
  static constexpr Duration kSlowTimeout = std::chrono::seconds(2);

  void begin_stalling(WhenFull when_full = WhenFull::keep_latest, std::size_t outbox_bytes_max = kOutboxMax) {
    // The HTTP server's own deadline must not be what ends them.
    session::LoopServerOptions options;
    options.http.idle_timeout = std::chrono::hours(1);
    begin({.outbox_bytes_max = outbox_bytes_max, .slow_timeout = kSlowTimeout}, options,
          {.slow_readers = {.when_full = when_full}});
  }
  net::Descriptor subscribed(Transport transport) {
    net::Descriptor peer = transport == Transport::events ? get("/streams/sse?stream=s") : open();
    if (transport == Transport::websocket) say(peer, R"({"type":"subscribe","stream":"s"})");
    read_until(peer, "subscribed");
    read_until_quiet(peer);
    return peer;
  }
  // More than the system keeps for a client, so that at least a quarter of kOutboxMax waits here.
  void stall() {
    for (int i = 0; i < 40; ++i) {
      publish_sized(30'000);
      loop_->run_once(std::chrono::milliseconds(0));
    }
  }
};

constexpr std::array kTransports{Transport::websocket, Transport::events};

TEST_P(StalledReaderTest, AClientThatTakesNothingIsClosedAfterSlowTimeout) {
  for (const Transport transport : kTransports) {
    SCOPED_TRACE(transport == Transport::events ? "events" : "websocket");
    begin_stalling();
    const net::Descriptor reader = subscribed(Transport::events);
    const net::Descriptor slow = subscribed(transport);
    stall();
    const Instant stalled_at = clock_.now();
    read_until(reader, "x\"}");
    pass(kSlowTimeout - std::chrono::milliseconds(100));
    EXPECT_EQ(stream_->watchers(), 2U) << "it still has some time";
    EXPECT_TRUE(run_until([&] {
      // A WebSocket has close_timeout to answer.
      pass(std::chrono::milliseconds(100));
      return stream_->watchers() == 1 && world_->catalog.connections(Transport::websocket) == 0;
    }));
    EXPECT_EQ(world_->catalog.connections(Transport::events), 1U);
    EXPECT_LE(clock_.now() - stalled_at, kSlowTimeout + kSlowTimeout / 2 + 2 * settings_.close_timeout);
    // Without the chunk that ends an answer.
    EXPECT_THAT(read_now(slow), Not(EndsWith("0\r\n\r\n")));
    publish(7);
    read_until(reader, R"("data":{"n":7})");
    server_.reset();
    loop_->run_once(std::chrono::milliseconds(0));
  }
}

// A client may answer pings, or say anything, without reading.
TEST_P(StalledReaderTest, PongsDoNotKeepAClientThatTakesNothing) {
  begin_stalling();
  const net::Descriptor slow = subscribed(Transport::websocket);
  stall();
  for (int i = 0; i < 6; ++i) {
    write(slow, client_frame(0x8a, ""));
    pass(kSlowTimeout / 4);
  }
  EXPECT_THAT(read_until(slow, "reading too slowly"), HasSubstr("\x03\xf5"));
}

// Decision 0092: a client that takes something now and then stays.
TEST_P(StalledReaderTest, AClientThatTakesSomethingStays) {
  for (const Transport transport : kTransports) {
    SCOPED_TRACE(transport == Transport::events ? "events" : "websocket");
    constexpr std::size_t kOutbox = std::size_t{4} << 20;
    begin_stalling(WhenFull::close, kOutbox);
    const net::Descriptor slow = subscribed(transport);
    for (int i = 0; i < 60; ++i) publish_sized(50'000);
    // It is congested all the time: 3 MB wait, and it takes 0.3 MB in each time.
    for (int i = 0; i < 5; ++i) {
      std::size_t taken = 0;
      ASSERT_TRUE(run_until([&] {
        std::array<char, 16'384> piece;
        const ssize_t got = ::recv(slow.get(), piece.data(), piece.size(), 0);
        return (taken += got > 0 ? static_cast<std::size_t>(got) : 0) >= 300'000;
      }));
      pass(kSlowTimeout - std::chrono::milliseconds(600));
      ASSERT_EQ(stream_->watchers(), 1U);
    }
    pass(2 * kSlowTimeout);
    if (transport == Transport::events) EXPECT_TRUE(run_until([&] { return stream_->watchers() == 0; }));
    if (transport == Transport::websocket) read_until(slow, "reading too slowly");
    server_.reset();
    loop_->run_once(std::chrono::milliseconds(0));
  }
}

INSTANTIATE_TEST_SUITE_P(Loops, StalledReaderTest,
                         testing::Values(net::LoopKind::epoll, net::LoopKind::uring), [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

INSTANTIATE_TEST_SUITE_P(Loops, SlowReaderTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::streamserver
