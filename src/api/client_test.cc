// The public client against the public server.

#include "fanfare/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "fanfare/server.h"

namespace fanfare {
namespace {

class ClientTest : public testing::Test {
 protected:
  ClientTest() : server_({.port = 0, .threads = 1}) {
    server_.websocket("/",
                      {.subprotocols = {"echo"}, .message = [](Session& session, const Message& message) {
                         if (message.text() == "drop") return session.close(1013, "come back");
                         if (message.text() == "bye") return session.close(1000, "bye");
                         session.send(message);
                       }});
    const auto started = server_.start();
    EXPECT_TRUE(started);
  }
  std::string url(std::string_view path = "/") const {
    return "ws://" + server_.addresses().front() + std::string(path);
  }

  Server server_;
};

TEST_F(ClientTest, SaysWhatIsWrongInsteadOfStarting) {
  const auto error_of = [](const ClientOptions& options) {
    Client client(options, {});
    const auto started = client.start();
    return started ? "it started" : started.error().message;
  };
  EXPECT_EQ(error_of({.url = url(), .deflate = {.level = 10}}), "deflate.level: 1 to 9");
  EXPECT_EQ(error_of({.url = url(), .deflate = {.client_max_window_bits = 8}}),
            "deflate.client_max_window_bits: 9 to 15");
  EXPECT_EQ(error_of({.url = url(), .reconnect = {.wait_min = std::chrono::seconds(0)}}),
            "reconnect.wait_min: more than zero");
  EXPECT_EQ(error_of({.url = url(), .reconnect = {.wait_max = std::chrono::milliseconds(1)}}),
            "reconnect.wait_max: at least reconnect.wait_min");
  EXPECT_EQ(error_of({.url = url(), .reconnect = {.multiplier = 0.5}}), "reconnect.multiplier: at least 1");
  EXPECT_EQ(error_of({.url = url(), .connect_timeout = std::chrono::seconds(-1)}),
            "connect_timeout: more than zero");
}

TEST_F(ClientTest, ConnectsSendsAndClosesFromItsHandlers) {
  std::string seen;
  Client client({.url = url(), .subprotocols = {"echo"}},
                {.open =
                     [&](Client& self, const Opened& opened) {
                       seen += std::string(opened.subprotocol) + (opened.compressed ? " compressed" : "");
                       EXPECT_EQ(self.send(std::string(1000, 'a')), SendResult::queued);
                     },
                 .message =
                     [&](Client& self, const Message& message) {
                       seen += " " + std::to_string(message.text().size());
                       self.close(4000, "enough");
                     },
                 .close =
                     [&](Client&, const Close& close, std::optional<std::chrono::milliseconds> reconnect_in) {
                       EXPECT_EQ(close.cause, Close::Cause::we_closed);
                       EXPECT_FALSE(reconnect_in);
                       seen += " " + std::to_string(close.code);
                     }});
  ASSERT_TRUE(client.start());
  client.run();
  client.run();  // it has ended, so this returns at once
  EXPECT_EQ(seen, "echo compressed 1000 4000");
}

TEST_F(ClientTest, OtherThreadsMaySendPingAndClose) {
  std::promise<void> open;
  std::promise<void> pong;
  std::atomic<int> messages = 0;
  Client client({.url = url(), .deflate = {.enabled = false}},
                {.open = [&](Client&, const Opened&) { open.set_value(); },
                 .message = [&](Client&, const Message&) { ++messages; },
                 .pong = [&](Client&, Bytes) { pong.set_value(); }});
  EXPECT_EQ(client.send("too early"), SendResult::closed);
  ASSERT_TRUE(client.start());
  EXPECT_EQ(client.start().error().kind, Error::Kind::wrong_state);
  open.get_future().wait();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.send("hello"), SendResult::queued);
  EXPECT_EQ(client.ping(), SendResult::queued);
  pong.get_future().wait();
  while (messages < 100) std::this_thread::yield();
  client.close();
  client.run();
}

TEST_F(ClientTest, ComesBackAndSaysSo) {
  int opened_again = 0;
  Client client(
      {.url = url(),
       .reconnect = {.wait_min = std::chrono::milliseconds(1), .wait_max = std::chrono::milliseconds(2)}},
      {.open =
           [&](Client& self, const Opened& opened) {
             if (opened.is_reconnect) ++opened_again;
             self.send(opened_again < 3 ? "drop" : "bye");
           },
       .close =
           [&](Client&, const Close& close, std::optional<std::chrono::milliseconds> reconnect_in) {
             EXPECT_EQ(reconnect_in.has_value(), close.code == 1013);
           }});
  ASSERT_TRUE(client.start());
  client.run();
  EXPECT_EQ(opened_again, 3);
}

TEST_F(ClientTest, SaysWhyItDoesNotConnect) {
  const auto error_of = [](const std::string& url) {
    Error failed;
    Client client({.url = url, .reconnect = {.enabled = false}},
                  {.failed = [&](Client&, const Error& error, std::optional<std::chrono::milliseconds>) {
                    failed = error;
                  }});
    EXPECT_TRUE(client.start());
    client.run();
    return failed;
  };
  EXPECT_EQ(error_of("gopher://x").kind, Error::Kind::bad_option);
  const Error refused = error_of(url("/nowhere"));
  EXPECT_EQ(refused.kind, Error::Kind::refused);
  EXPECT_EQ(refused.http_status, 404);
  server_.stop();
  const Error gone = error_of(url());
  EXPECT_EQ(gone.kind, Error::Kind::system);
  EXPECT_EQ(gone.system_code, ECONNREFUSED) << gone.message;
}

// Both forms of one frame. The second one follows a message of the session itself, which the compressor of a
// session with context takeover must forget.
TEST(Publish, ReachesCompressedAndPlainSessionsAlike) {
  const std::string news = "[" + std::string(2000, 'n') + "]";
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.open = [](Session& session) { session.subscribe("news"); },
                         .message =
                             [&](Session& session, const Message& message) {
                               session.send(message);
                               server.publish("news", news);
                               session.send(message);
                             }});
  ASSERT_TRUE(server.start());
  for (const bool compressed : {true, false}) {
    std::vector<std::string> seen;
    Client client({.url = "ws://" + server.addresses().front(), .deflate = {.enabled = compressed}},
                  {.open =
                       [&](Client& self, const Opened& opened) {
                         EXPECT_EQ(opened.compressed, compressed);
                         self.send(std::string(300, 'x'));
                       },
                   .message =
                       [&](Client& self, const Message& message) {
                         seen.emplace_back(message.text());
                         if (seen.size() == 3) self.send(std::string(300, 'x'));
                         if (seen.size() == 6) self.close();
                       }});
    ASSERT_TRUE(client.start());
    client.run();
    const std::string own(300, 'x');
    EXPECT_EQ(seen, (std::vector<std::string>{own, news, own, own, news, own}));
  }
}

TEST_F(ClientTest, AHandlerMayStartItAnew) {
  std::atomic<int> opens = 0;
  Client client({.url = url()},
                {.open =
                     [&](Client& self, const Opened&) {
                       ++opens;
                       self.close();
                     },
                 .close =
                     [&](Client& self, const Close&, std::optional<std::chrono::milliseconds>) {
                       if (opens < 2) {
                         EXPECT_TRUE(self.start());
                       }
                     }});
  ASSERT_TRUE(client.start());
  while (opens < 2) client.run();
  client.run();
  EXPECT_EQ(opens, 2);
}

TEST_F(ClientTest, MayBeDestroyedWhileItIsOpen) {
  for (int i = 0; i < 5; ++i) {
    std::promise<void> open;
    Client client({.url = url()}, {.open = [&](Client&, const Opened&) { open.set_value(); }});
    ASSERT_TRUE(client.start());
    if (i > 0) open.get_future().wait();
  }
}

}  // namespace
}  // namespace fanfare
