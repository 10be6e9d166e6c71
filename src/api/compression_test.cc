// Compression settings per route and per message.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using testing::HasSubstr;
using testing::Not;

class Compression : public testing::TestWithParam<LoopKind> {};

INSTANTIATE_TEST_SUITE_P(BothLoops, Compression, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

constexpr std::string_view kOffer =
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
constexpr int kCompressed = 0x40;  // RSV1, RFC7692§6

TEST_P(Compression, ARouteHasItsOwnSettingsOrTheServers_RFC7692_7_1) {
  Server server({.port = 0, .threads = 1, .loop = GetParam(), .deflate = {.server_max_window_bits = 11}});
  server.websocket("/plain", {.deflate = Deflate{.enabled = false}});
  server.websocket("/forgetful", {.deflate = Deflate{.server_no_context_takeover = true}});
  server.websocket("/usual", {});
  ASSERT_TRUE(server.start());
  const auto answer = [&](std::string_view path) { return RawClient(server.port()).upgrade(path, kOffer); };
  EXPECT_THAT(answer("/plain"), Not(HasSubstr("permessage-deflate")));
  EXPECT_THAT(answer("/forgetful"), HasSubstr("server_no_context_takeover"));
  EXPECT_THAT(answer("/usual"), HasSubstr("permessage-deflate"));
  EXPECT_THAT(answer("/usual"), Not(HasSubstr("server_no_context_takeover")));
}

TEST_P(Compression, WhatIsWrongWithARoutesSettingsIsSaidByStart) {
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  server.websocket("/x", {.deflate = Deflate{.level = 10}});
  const auto started = server.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, Error::Kind::bad_option);
  EXPECT_EQ(started.error().message, "route '/x': deflate.level: 1 to 9");
}

TEST_P(Compression, AMessageMayBeSentAsItIs_RFC7692_6) {
  const std::string text(2000, 'x');
  const std::vector<std::uint8_t> bytes(2000, 7);
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  server.websocket("/", {.message = [&](Session& session, const Message&) {
                     EXPECT_EQ(session.send(text), SendResult::queued);
                     EXPECT_EQ(session.send(text, {.compress = false}), SendResult::queued);
                     EXPECT_EQ(session.send(Bytes(bytes), {.compress = false}), SendResult::queued);
                     EXPECT_EQ(session.send(text, {.compress = true}), SendResult::queued);
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  client.upgrade("/", kOffer);
  client.send("go");
  EXPECT_LT(client.receive().size(), 100U);
  EXPECT_EQ(client.first_byte(), 0x81 | kCompressed);
  EXPECT_EQ(client.receive(), text);
  EXPECT_EQ(client.first_byte(), 0x81);
  EXPECT_EQ(client.receive(), std::string(bytes.begin(), bytes.end()));
  EXPECT_EQ(client.first_byte(), 0x82);
  EXPECT_LT(client.receive().size(), 100U);  // the compression history is unchanged
  EXPECT_EQ(client.first_byte(), 0x81 | kCompressed);
}

// The server inflates a compressed message after an uncompressed one, so both sides have the same history.
TEST_P(Compression, AClientsMessageMayBeSentAsItIs) {
  std::vector<std::string> seen;
  std::promise<void> all;
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  server.websocket("/", {.message = [&](Session&, const Message& message) {
                     seen.emplace_back(message.text());
                     if (seen.size() == 5) all.set_value();
                   }});
  ASSERT_TRUE(server.start());
  const std::string text(2000, 'x');
  std::promise<std::size_t> plain_bytes;
  std::promise<void> opened;
  Client client({.url = "ws://127.0.0.1:" + std::to_string(server.port()), .loop = GetParam()},
                {.open = [&](Client& self, const Opened& is) {
                  EXPECT_TRUE(is.compressed);
                  EXPECT_EQ(self.send(text), SendResult::queued);
                  const std::size_t before = self.buffered_amount();
                  EXPECT_LT(before, 100U);
                  EXPECT_EQ(self.send(text, {.compress = false}), SendResult::queued);
                  plain_bytes.set_value(self.buffered_amount() - before);
                  EXPECT_EQ(self.send(text), SendResult::queued);
                  opened.set_value();
                }});
  ASSERT_TRUE(client.start());
  opened.get_future().wait();
  EXPECT_GT(plain_bytes.get_future().get(), text.size());
  const std::vector<std::uint8_t> binary(2000, 'y');
  EXPECT_EQ(client.send(Bytes(binary), {.compress = false}), SendResult::queued);  // from the test's thread
  EXPECT_EQ(client.send(text), SendResult::queued);
  all.get_future().wait();
  EXPECT_EQ(seen, (std::vector<std::string>{text, text, text, std::string(2000, 'y'), text}));
}

}  // namespace
}  // namespace fanfare
