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

INSTANTIATE_TEST_SUITE_P(Loops, SlowReaderTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::streamserver
