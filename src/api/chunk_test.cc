// The chunk handler: messages are delivered in pieces on arrival.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>

#include "api/raw_client_for_tests.h"
#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;

class Chunks : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options() const {
    return {.port = 0, .threads = 1, .loop = GetParam(), .limits = {.message_bytes_max = 1000}};
  }
};

INSTANTIATE_TEST_SUITE_P(BothLoops, Chunks, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

// Marks the first piece with "(" and the last one with ")".
void report(Session& session, const MessageChunk& chunk) {
  session.send(std::string(chunk.is_first() ? (chunk.is_text() ? "(text " : "(binary ") : "") +
               std::string(chunk.text()) + (chunk.is_last() ? ")" : ""));
}

TEST_P(Chunks, ComeAsTheFramesCome_RFC6455_5_4) {
  Server server(options());
  server.websocket("/", {.chunk = report});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("whole");
  EXPECT_EQ(client.receive(), "(text whole)");
  client.send("one", '\x02');
  EXPECT_EQ(client.receive(), "(binary one");
  client.send("?", '\x89');
  EXPECT_EQ(client.receive(), "?");
  client.send("two", '\x00');
  EXPECT_EQ(client.receive(), "two");
  client.send("", '\x80');
  EXPECT_EQ(client.receive(), ")");
  client.send("\xff", '\x01');
  EXPECT_EQ(client.receive(), "close 1007 text_not_utf8");
}

// limits.message_bytes_max applies to messages that are stored; chunks have their own limit, or none.
TEST_P(Chunks, HaveTheirOwnLimit_RFC6455_10_4) {
  Server server(options());
  server.websocket("/any", {.chunk = [](Session& session, const MessageChunk& chunk) {
                     if (chunk.is_last()) session.send("last");
                   }});
  server.websocket("/ten", {.chunked_bytes_max = 10, .chunk = report});
  ASSERT_TRUE(server.start());
  RawClient any(server.port());
  any.upgrade("/any");
  for (int i = 0; i < 100; ++i) any.send(std::string(60'000, 'x'), i == 0 ? '\x02' : '\x00');
  any.send("", '\x80');
  EXPECT_EQ(any.receive(), "last");
  RawClient ten(server.port());
  ten.upgrade("/ten");
  ten.send("12345", '\x02');
  EXPECT_EQ(ten.receive(), "(binary 12345");
  ten.send("67890", '\x00');
  EXPECT_EQ(ten.receive(), "67890");
  ten.send("1", '\x80');
  EXPECT_EQ(ten.receive(), "close 1009 message_too_big");
}

TEST_P(Chunks, OfACompressedMessageAreInflated_RFC7692_6) {
  const std::string text = [] {
    std::string made;
    while (made.size() < 3'000'000) made += std::to_string(made.size() * 7919) + ",";
    return made;
  }();
  std::string seen;
  std::atomic<int> chunks{0};
  std::promise<void> whole;
  Server server(options());
  server.websocket("/", {.chunk = [&](Session&, const MessageChunk& chunk) {
                     EXPECT_EQ(chunk.is_first(), chunks++ == 0);
                     seen.append(chunk.text());
                     if (chunk.is_last()) whole.set_value();
                   }});
  ASSERT_TRUE(server.start());
  Client client({.url = "ws://127.0.0.1:" + std::to_string(server.port()), .loop = GetParam()},
                {.open = [&](Client& self, const Opened& opened) {
                  EXPECT_TRUE(opened.compressed);
                  self.send(text);
                }});
  ASSERT_TRUE(client.start());
  whole.get_future().wait();
  EXPECT_EQ(seen, text);
  EXPECT_GT(chunks, 10);
}

// pause() between two chunks delays the next one; resume() continues from there.
TEST_P(Chunks, MayBePausedInTheMiddle) {
  Server server(options());
  std::promise<SessionId> paused;
  std::atomic<bool> is_paused{false};
  server.websocket("/", {.chunk = [&](Session& session, const MessageChunk& chunk) {
                     EXPECT_FALSE(is_paused);
                     report(session, chunk);
                     if (!chunk.is_first()) return;
                     session.pause();
                     is_paused = true;
                     paused.set_value(session.id());
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("one", '\x01');
  client.send("two", '\x80');
  EXPECT_EQ(client.receive(), "(text one");
  server.post(paused.get_future().get(), [&](Session& session) {
    is_paused = false;
    session.send("resumed");
    session.resume();
  });
  EXPECT_EQ(client.receive(), "resumed");
  EXPECT_EQ(client.receive(), "two)");
}

TEST_P(Chunks, AHandlerThatThrowsEndsItsSession) {
  Server server(options());
  server.websocket("/", {.chunk = [](Session&, const MessageChunk&) { throw std::runtime_error("chunk"); }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/");
  client.send("x", '\x01');
  EXPECT_EQ(client.receive(), "close 1011");
}

TEST_P(Chunks, ARouteHasOneOfTheTwoHandlers) {
  Server server(options());
  server.websocket("/x", {.message = [](Session&, const Message&) {}, .chunk = report});
  const auto started = server.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "route '/x': a message handler or a chunk handler, not both");
}

}  // namespace
}  // namespace fanfare
