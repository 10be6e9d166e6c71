// A stop that closes the sessions one after another (StopOptions::spread). On both loops.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""min;

class StopSpreadTest : public testing::TestWithParam<LoopKind> {
 protected:
  static ServerOptions options(std::size_t threads = 1) {
    return {.port = 0, .threads = threads, .loop = GetParam()};
  }
  static void start(Server& server) {
    server.websocket("/",
                     {.open = [](Session& session) { session.subscribe("all"); },
                      .message = [](Session& session, const Message& message) { session.send(message); }});
    const auto started = server.start();
    ASSERT_TRUE(started) << started.error().message;
  }
};

struct ManyClients {
  ManyClients(const Server& server, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      open.push_back(std::make_unique<RawClient>(server.port()));
      EXPECT_TRUE(open.back()->upgrade("/").starts_with("HTTP/1.1 101 "));
    }
  }
  // Sends a message to each of them, which comes back unless the session was closed. Returns how many were.
  std::size_t ask() {
    const std::size_t before = open.size();
    std::erase_if(open, [](const auto& client) {
      client->send("there?");
      const std::string received = client->receive();
      if (received == "there?") return false;
      EXPECT_EQ(received, "close 1012");
      answer_close(*client);
      return true;
    });
    return before - open.size();
  }
  void expect_closes() {
    for (const auto& client : open) {
      EXPECT_EQ(client->receive(), "close 1012");
      answer_close(*client);
    }
    open.clear();
  }
  static void answer_close(RawClient& client) {
    client.send("\x03\xf4", '\x88');
    EXPECT_EQ(client.receive(), "EOF");
  }

  std::vector<std::unique_ptr<RawClient>> open;
};

bool can_connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::close(fd);
  return connected;
}

TEST_P(StopSpreadTest, ClosesOneAfterAnotherAndServesTheOthersMeanwhile) {
  Server server(options());
  std::promise<void> timer_ran;
  start(server);
  ManyClients clients(server, 3);
  // The second one is due after 20 minutes.
  auto stopped = std::async(std::launch::async, [&] { return server.stop({.deadline = 2h, .spread = 1h}); });
  while (clients.ask() == 0) {
  }
  ASSERT_EQ(clients.open.size(), 2U);
  while (can_connect(server.port())) std::this_thread::yield();
  EXPECT_EQ(clients.ask(), 0U);
  EXPECT_EQ(server.publish("all", "news"), PostResult::accepted);
  for (const auto& client : clients.open) EXPECT_EQ(client->receive(), "news");
  EXPECT_TRUE(server.call_after(1ms, [&] { timer_ran.set_value(); }));
  timer_ran.get_future().wait();

  // A call without a spread ends it.
  auto also = std::async(std::launch::async, [&] { return server.stop(2h); });
  clients.expect_closes();
  EXPECT_EQ(stopped.get(), 0U);
  EXPECT_EQ(also.get(), 0U);
  EXPECT_EQ(server.publish("all", "news"), PostResult::stopped);
}

TEST_P(StopSpreadTest, TakesItsTimeOnEveryLoopAndThenStops) {
  Server server(options(2));
  start(server);
  ManyClients clients(server, 8);
  const auto began = std::chrono::steady_clock::now();
  auto stopped =
      std::async(std::launch::async, [&] { return server.stop({.deadline = 2h, .spread = 400ms}); });
  clients.expect_closes();
  EXPECT_EQ(stopped.get(), 0U);
  // At least four of them are on one loop; the last of four is due after three quarters of the time.
  EXPECT_GE(std::chrono::steady_clock::now() - began, 300ms);
}

TEST_P(StopSpreadTest, EndsWithTheLastSession) {
  Server server(options());
  start(server);
  {
    ManyClients clients(server, 3);
    std::thread stopper([&] { EXPECT_EQ(server.stop({.deadline = 2h, .spread = 1h}), 0U); });
    while (clients.ask() == 0) {
    }
    clients.open.clear();  // the others leave by themselves
    stopper.join();
  }
  Server without_sessions(options(2));
  start(without_sessions);
  EXPECT_EQ(without_sessions.stop({.deadline = 2h, .spread = 1h}), 0U);
}

TEST_P(StopSpreadTest, IsAtMostTheDeadline) {
  Server server(options());
  start(server);
  RawClient silent(server.port());
  silent.upgrade("/");
  RawClient other(server.port());
  other.upgrade("/");
  // Neither answers its Close frame; the second one is due after half of the deadline.
  EXPECT_EQ(server.stop({.deadline = 200ms, .spread = 1h}), 2U);
}

TEST_P(StopSpreadTest, TheEarliestDeadlineHolds) {
  Server server(options());
  start(server);
  ManyClients clients(server, 2);
  auto first = std::async(std::launch::async, [&] { return server.stop({.deadline = 3h, .spread = 1h}); });
  while (clients.ask() == 0) {
  }
  // Its deadline comes after the spread of the first call, so that one goes on.
  auto second = std::async(std::launch::async, [&] { return server.stop({.deadline = 2h, .spread = 1ms}); });
  for (int round = 0; round < 10; ++round) EXPECT_EQ(clients.ask(), 0U);
  // This one's does not.
  auto third =
      std::async(std::launch::async, [&] { return server.stop({.deadline = 30min, .spread = 30min}); });
  clients.expect_closes();
  EXPECT_EQ(first.get() + second.get() + third.get(), 0U);
}

TEST_P(StopSpreadTest, AHandlerMayBeginIt) {
  Server server(options(2));
  server.http("POST", "/stop", [&](const Request&) -> Response {
    return {.body = std::to_string(server.stop({.deadline = 2h, .spread = 300ms}))};
  });
  start(server);
  ManyClients clients(server, 2);
  {
    RawClient admin(server.port());
    EXPECT_TRUE(admin.request("POST", "/stop", "Content-Length: 0\r\n").ends_with("\r\n\r\n0"));
  }
  clients.expect_closes();
  server.run();
}

constexpr auto kLoopOfTest = [](const auto& info) {
  return info.param == LoopKind::epoll ? "epoll" : "uring";
};
INSTANTIATE_TEST_SUITE_P(Loops, StopSpreadTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         kLoopOfTest);

}  // namespace
}  // namespace fanfare
