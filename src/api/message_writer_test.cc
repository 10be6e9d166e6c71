// Messages in pieces: their frames, the messages that wait for them, and their end.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;

class MessageWriterTest : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const { return {.port = 0, .threads = 1, .loop = GetParam()}; }
};

INSTANTIATE_TEST_SUITE_P(BothLoops, MessageWriterTest, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

// Returns the next frame: its first byte in hexadecimal, then its payload.
std::string frame(RawClient& client) {
  const std::string payload = client.receive();
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto first = static_cast<unsigned>(client.first_byte());
  return std::string() + kHex[first >> 4U] + kHex[first & 0xfU] + " " + payload;
}

using Writing = SessionWith<std::optional<MessageWriter>>;

TEST_P(MessageWriterTest, SendsFramesOfOneMessage_RFC6455_5_4) {
  Server server(options());
  server.websocket("/", {.message = [](Session& session, const Message& message) {
                     auto writer = session.begin_message(message.kind());
                     ASSERT_TRUE(writer);
                     EXPECT_TRUE(writer->is_open());
                     EXPECT_EQ(writer->write("Hel"), SendResult::queued);
                     EXPECT_EQ(writer->write(""), SendResult::queued);
                     EXPECT_EQ(writer->write("lo"), SendResult::queued);
                     EXPECT_EQ(writer->finish(), SendResult::queued);
                     EXPECT_FALSE(writer->is_open());
                     EXPECT_EQ(writer->write("more"), SendResult::closed);
                     EXPECT_EQ(writer->finish(), SendResult::closed);
                     session.send("next");
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  // Pieces are not compressed even if compression was negotiated.
  client.upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  for (const char kind : {'\x81', '\x82'}) {
    client.send("go", kind);
    EXPECT_EQ(frame(client), kind == '\x81' ? "01 " : "02 ");
    EXPECT_EQ(frame(client), "00 Hel");
    EXPECT_EQ(frame(client), "00 lo");
    EXPECT_EQ(frame(client), "80 ");
    EXPECT_EQ(frame(client), "81 next");
  }
}

// All messages sent meanwhile follow it in order; control frames do not wait.
TEST_P(MessageWriterTest, WhatOthersSendFollowsTheMessage_RFC6455_5_4) {
  Server server(options());
  server.websocket<std::optional<MessageWriter>>(
      "/", {.open =
                [](Writing& session) {
                  session.subscribe("whole");
                  session.subscribe("newest", {.when_full = WhenFull::keep_latest});
                },
            .message =
                [&](Writing& session, const Message& message) {
                  if (message.text() == "begin") {
                    session.data() = session.begin_message(Message::Kind::text);
                    EXPECT_FALSE(session.begin_message(Message::Kind::text));  // one at a time
                    session.send("sent");
                    session.send("as it is", {.compress = false});
                    session.send(Frame::text("a frame"));
                    server.publish("whole", "published");
                    server.publish("newest", "old");
                    server.publish("newest", "new");
                    session.ping();
                    session.data()->write("piece");
                  } else {
                    EXPECT_EQ(session.data()->finish(), SendResult::queued);
                    session.send("after");
                  }
                },
            .lagged = [](Writing& session, std::string_view,
                         std::uint64_t missed) { session.send("missed " + std::to_string(missed)); }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("begin");
  client.send("?", '\x89');
  EXPECT_EQ(frame(client), "01 ");
  EXPECT_EQ(frame(client), "89 ");
  EXPECT_EQ(frame(client), "00 piece");
  EXPECT_EQ(frame(client), "8a ?");
  client.send("finish");
  for (const std::string_view next :
       {"80 ", "81 sent", "81 as it is", "81 a frame", "81 published", "81 after", "81 missed 1", "81 new"}) {
    EXPECT_EQ(frame(client), next);
  }
}

// Sends 64 MiB through an outbox that never holds more than its high mark and a piece, using the drain
// handler.
TEST_P(MessageWriterTest, ALargeMessageNeedsNoMoreMemoryThanItsPieces) {
  constexpr std::size_t kPiece = 64 * 1024;
  constexpr std::size_t kPieces = 1024;
  struct Upload {
    std::optional<MessageWriter> writer = {};
    std::size_t written = 0;
  };
  Server server(options());
  std::atomic<std::size_t> most{0};
  std::atomic<int> drains{0};
  const auto go_on = [&](SessionWith<Upload>& session) {
    Upload& upload = session.data();
    while (upload.writer) {
      if (upload.written == kPieces) {
        upload.writer->finish();
        upload.writer.reset();
        return;
      }
      const std::string piece(kPiece, static_cast<char>('a' + upload.written++ % 26));
      const SendResult result = upload.writer->write(piece);
      most = std::max<std::size_t>(most, session.buffered_amount());
      ASSERT_NE(result, SendResult::closed);
      if (result == SendResult::congested) return;
    }
  };
  server.websocket<Upload>("/", {.message =
                                     [&](SessionWith<Upload>& session, const Message&) {
                                       session.subscribe("value", {.when_full = WhenFull::keep_latest});
                                       session.data().writer = session.begin_message(Message::Kind::binary);
                                       // This waits for the end of the message; the drain handler does not
                                       // wait for it.
                                       server.publish("value", "a topic's");
                                       go_on(session);
                                     },
                                 .drain =
                                     [&](SessionWith<Upload>& session) {
                                       ++drains;
                                       go_on(session);
                                     }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  EXPECT_EQ(frame(client), "02 ");
  for (std::size_t i = 0; i < kPieces; ++i) {
    const std::string piece = client.receive();
    ASSERT_EQ(client.first_byte(), 0x00);
    ASSERT_EQ(piece, std::string(kPiece, static_cast<char>('a' + i % 26)));
  }
  EXPECT_EQ(frame(client), "80 ");
  EXPECT_EQ(frame(client), "81 a topic's");
  EXPECT_GT(drains, 1);
  EXPECT_LE(most, (std::size_t{1} << 20) + 2 * kPiece);
}

// Messages that wait for the end of a message count like those in the outbox.
TEST_P(MessageWriterTest, TooMuchBehindAMessageEndsTheSession) {
  ServerOptions limited = options();
  limited.limits.outbox_bytes_max = 1000;
  limited.limits.outbox_bytes_high = 500;
  Server server(limited);
  std::promise<std::size_t> unsent;
  server.websocket<std::optional<MessageWriter>>(
      "/", {.message =
                [](Writing& session, const Message&) {
                  session.data() = session.begin_message(Message::Kind::text);
                  EXPECT_EQ(session.send(std::string(100, 'x')), SendResult::queued);
                  EXPECT_EQ(session.send(std::string(400, 'x')), SendResult::congested);
                  EXPECT_EQ(session.send(std::string(600, 'x')), SendResult::congested);
                  EXPECT_EQ(session.send("one too many"), SendResult::closed);
                  EXPECT_EQ(session.data()->write("a piece"), SendResult::closed);
                },
            .close =
                [&](Writing&, const Close& close) {
                  EXPECT_EQ(close.cause, Close::Cause::slow_consumer);
                  unsent.set_value(close.unsent_bytes);
                }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  EXPECT_EQ(frame(client), "01 ");
  EXPECT_EQ(client.receive(), "close 1013 reading too slowly");
  client.send(std::string("\x03\xf5", 2), '\x88');
  EXPECT_GE(unsent.get_future().get(), 1100U);
}

TEST_P(MessageWriterTest, AWriterThatDiesUnfinishedEndsItsSession_RFC6455_7_4_1) {
  Server server(options());
  std::optional<MessageWriter> kept;
  std::promise<void> begun;
  server.websocket("/", {.message = [&](Session& session, const Message& message) {
                     auto writer = session.begin_message(Message::Kind::text);
                     writer->write("begun");
                     if (message.text() == "keep") {
                       kept.emplace(*std::move(writer));
                       begun.set_value();
                     }
                   }});
  ASSERT_TRUE(server.start());
  RawClient here(server.port());
  here.upgrade("/");
  here.send("drop");
  EXPECT_EQ(frame(here), "01 ");
  EXPECT_EQ(frame(here), "00 begun");
  EXPECT_EQ(here.receive(), "close 1011 a message was not finished");

  RawClient elsewhere(server.port());
  elsewhere.upgrade("/");
  elsewhere.send("keep");
  begun.get_future().wait();
  kept.reset();  // on the test's thread
  EXPECT_EQ(frame(elsewhere), "01 ");
  EXPECT_EQ(frame(elsewhere), "00 begun");
  EXPECT_EQ(elsewhere.receive(), "close 1011 a message was not finished");
}

// A writer in its session's data, a writer whose peer disconnects, and a writer that outlives its server.
TEST_P(MessageWriterTest, AWriterMayOutliveItsSessionAndItsServer) {
  std::optional<MessageWriter> kept;
  {
    Server server(options());
    std::promise<void> closed;
    server.websocket<std::optional<MessageWriter>>(
        "/data",
        {.open = [](Writing& session) { session.data() = session.begin_message(Message::Kind::text); },
         .close =
             [&](Writing& session, const Close&) {
               EXPECT_FALSE(session.data()->is_open());
               EXPECT_EQ(session.data()->write("late"), SendResult::closed);
               closed.set_value();
             }});
    std::promise<void> begun;
    server.websocket("/kept", {.open = [&](Session& session) {
                       kept = session.begin_message(Message::Kind::text);
                       EXPECT_EQ(kept->write("x"), SendResult::queued);
                       begun.set_value();
                     }});
    ASSERT_TRUE(server.start());
    {
      RawClient(server.port()).upgrade("/data");
    }
    closed.get_future().wait();
    RawClient client(server.port());
    client.upgrade("/kept");
    begun.get_future().wait();
    server.stop(std::chrono::milliseconds(0));
    EXPECT_EQ(frame(client), "01 ");
    EXPECT_EQ(frame(client), "00 x");
  }
  kept.reset();
}

TEST_P(MessageWriterTest, ASessionThatIsClosingBeginsNone) {
  Server server(options());
  server.websocket("/", {.message = [](Session& session, const Message&) {
                     auto writer = session.begin_message(Message::Kind::text);
                     ASSERT_TRUE(writer);
                     session.close(4001);  // RFC6455§5.4: a control frame in the middle of a message
                     EXPECT_FALSE(writer->is_open());
                     EXPECT_EQ(writer->write("x"), SendResult::closed);
                     EXPECT_FALSE(session.begin_message(Message::Kind::text));
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("go");
  EXPECT_EQ(frame(client), "01 ");
  EXPECT_EQ(client.receive(), "close 4001");
}

}  // namespace
}  // namespace fanfare
