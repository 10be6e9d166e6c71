// Starting, stopping and destroying a server while its handlers and other threads use it. On both loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using std::chrono_literals::operator""h;
using testing::HasSubstr;
using testing::StartsWith;

class StopTest : public testing::TestWithParam<LoopKind> {
 protected:
  static ServerOptions options(std::size_t threads = 1) {
    return {.port = 0, .threads = threads, .loop = GetParam()};
  }
  static void start(Server& server) {
    const auto started = server.start();
    ASSERT_TRUE(started) << started.error().message;
  }
  // Returns a port that was free just now.
  static std::uint16_t free_port() {
    Server server(options());
    start(server);
    return server.port();
  }
};
using StopDeathTest = StopTest;

// Checks that each of many tasks was run or destroyed: none may be left, run late, or run twice.
class Tasks {
 public:
  auto make() {
    ++alive_;
    const std::shared_ptr<int> held(new int, [this](const int* number) {
      delete number;
      --alive_;
    });
    return [this, held](Session&) { ++run_; };
  }
  int alive() const { return alive_; }
  int run() const { return run_; }

 private:
  std::atomic<int> alive_ = 0;
  std::atomic<int> run_ = 0;
};

TEST_P(StopTest, OthersMayPostAndPublishWhileItStops) {
  constexpr int kRounds = 60;
  for (int round = 0; round < kRounds; ++round) {
    Tasks tasks;
    std::promise<SessionId> opened;
    std::atomic<int> refused = 0;
    {
      Server server(options(2));
      server.websocket("/", {.open = [&](Session& session) {
                         session.subscribe("topic");
                         opened.set_value(session.id());
                       }});
      start(server);
      RawClient client(server.port());
      client.upgrade("/");
      const SessionId id = opened.get_future().get();
      std::vector<std::thread> posters;
      for (int i = 0; i < 2; ++i) {
        posters.emplace_back([&] {
          while (server.post(id, tasks.make()) != PostResult::stopped) server.publish("topic", "news");
          ++refused;
        });
      }
      while (tasks.run() < 10) std::this_thread::yield();
      server.stop(round % 2 == 0 ? std::chrono::milliseconds(0) : std::chrono::milliseconds(1));
      for (std::thread& poster : posters) poster.join();
    }
    EXPECT_EQ(refused, 2);
    EXPECT_EQ(tasks.alive(), 0);
  }
}

TEST_P(StopTest, ATaskMayHoldAResponderOfTheServerThatStops) {
  Server server(options());
  std::promise<SessionId> opened;
  std::promise<Responder> asked;
  std::promise<void> in_handler;
  std::promise<void> go_on;
  server.websocket("/", {.open = [&](Session& session) { opened.set_value(session.id()); },
                         .message =
                             [&](Session&, const Message&) {
                               in_handler.set_value();
                               go_on.get_future().wait();
                             }});
  server.http("GET", "/",
              [&](const Request&, Responder responder) { asked.set_value(std::move(responder)); });
  start(server);
  RawClient client(server.port());
  client.upgrade("/");
  RawClient waiting(server.port());
  waiting.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
  auto responder = std::make_shared<Responder>(asked.get_future().get());
  client.send("hold the loop");
  in_handler.get_future().wait();
  server.post(opened.get_future().get(), [held = std::move(responder)](Session&) { FAIL() << "it was run"; });
  std::thread stopper([&] { server.stop(std::chrono::milliseconds::zero()); });
  while (server.publish("x", "y") != PostResult::stopped) std::this_thread::yield();
  go_on.set_value();
  stopper.join();
}

TEST_P(StopTest, AHandlerMayStopItsServerAndRunReturns) {
  Server server(options(2));
  std::atomic<int> stops = 0;
  server.websocket("/", {.message = [&](Session&, const Message&) {
                     EXPECT_EQ(server.stop(1h), 0U);
                     EXPECT_EQ(server.stop(1h), 0U);
                     ++stops;
                   }});
  start(server);
  std::thread client_thread([&] {
    RawClient client(server.port());
    client.upgrade("/");
    client.send("stop");
    EXPECT_EQ(client.receive(), "close 1012");
    client.send("\x03\xf4", '\x88');
    EXPECT_EQ(client.receive(), "EOF");
  });
  server.run();
  EXPECT_EQ(stops, 1);
  client_thread.join();
  EXPECT_EQ(server.stop(), 0U);
  const auto again = server.start();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, Error::Kind::wrong_state);
  EXPECT_THAT(again.error().message, HasSubstr("a server starts once"));
}

TEST_P(StopTest, AHandlerMayStopItsServerThatIsDestroyedNext) {
  for (int round = 0; round < 20; ++round) {
    std::promise<void> stopping;
    Server server(options(2));
    server.http("GET", "/stop", [&](const Request&) -> Response {
      server.stop(1h);
      stopping.set_value();
      return {.body = "stopping"};
    });
    start(server);
    RawClient client(server.port());
    client.write("GET /stop HTTP/1.1\r\nHost: test\r\n\r\n");
    stopping.get_future().wait();
  }
}

TEST_P(StopTest, TwoServersMayStopEachOtherInTheirHandlers) {
  Server one(options());
  Server two(options());
  std::atomic<int> inside = 0;
  const auto stop_other = [&](Server& other) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
    other.stop(1h);
  };
  one.websocket("/", {.message = [&](Session&, const Message&) { stop_other(two); }});
  two.websocket("/", {.message = [&](Session&, const Message&) { stop_other(one); }});
  start(one);
  start(two);
  {
    RawClient to_one(one.port());
    RawClient to_two(two.port());
    to_one.upgrade("/");
    to_two.upgrade("/");
    to_one.send("stop");
    to_two.send("stop");
    EXPECT_EQ(to_one.receive(), "close 1012");
    EXPECT_EQ(to_two.receive(), "close 1012");
  }
  one.run();
  two.run();
}

TEST_P(StopTest, TheEarliestOfSeveralDeadlinesHolds) {
  Server server(options());
  server.websocket("/", {});
  start(server);
  RawClient client(server.port());
  client.upgrade("/");
  // A client that does not answer the Close frame: an hour would be too long for the test.
  std::atomic<std::size_t> dropped = 0;
  std::vector<std::thread> stoppers;
  stoppers.emplace_back([&] { dropped += server.stop(std::chrono::milliseconds::max()); });
  EXPECT_EQ(client.receive(), "close 1012");
  stoppers.emplace_back([&] { dropped += server.stop(std::chrono::milliseconds::min()); });
  stoppers.emplace_back([&] { server.run(); });
  for (std::thread& stopper : stoppers) stopper.join();
  EXPECT_EQ(dropped, 1U);
}

TEST_P(StopTest, AnswersGivenWhileItStopsAreDeliveredAndNothingElseIsWaitedFor) {
  constexpr int kRequests = 5;
  Server server(options(2));
  std::mutex mutex;
  std::vector<Responder> responders;
  std::promise<void> all_there;
  server.http("GET", "/", [&](const Request&, Responder responder) {
    const std::scoped_lock lock(mutex);
    responders.push_back(std::move(responder));
    if (responders.size() == kRequests) all_there.set_value();
  });
  start(server);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kRequests; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
  }
  all_there.get_future().wait();
  std::promise<std::size_t> stopped;
  std::thread stopper([&] { stopped.set_value(server.stop(1h)); });
  while (server.publish("x", "y") != PostResult::stopped) std::this_thread::yield();
  for (int i = 0; i < kRequests; ++i) {
    std::move(responders[static_cast<std::size_t>(i)]).send({.body = "answer " + std::to_string(i)});
  }
  // The server ends although the clients stay connected, without waiting for the hour.
  EXPECT_EQ(stopped.get_future().get(), 0U);
  stopper.join();
  int answers = 0;
  for (const auto& client : clients) {
    answers += client->read_answer(false).find("answer ") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(answers, kRequests);
}

TEST_P(StopTest, AnAnswerOnItsWayIsNotCutByTheStop) {
  constexpr std::size_t kSize = std::size_t{20} << 20;
  Server server(options());
  std::promise<void> answered;
  server.http("GET", "/", [&](const Request&) -> Response {
    answered.set_value();
    return {.body = std::string(kSize, 'b')};
  });
  start(server);
  RawClient client(server.port(), 4096);
  client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");  // it stays connected (keep-alive)
  answered.get_future().wait();
  std::thread stopper([&] { EXPECT_EQ(server.stop(1h), 0U); });
  while (server.publish("x", "y") != PostResult::stopped) std::this_thread::yield();
  EXPECT_GT(client.read_answer(false).size(), kSize);
  stopper.join();
}

TEST_P(StopTest, WhatWasPublishedBeforeItIsDeliveredBeforeTheClose) {
  Server server(options());
  std::promise<void> opened;
  server.websocket("/", {.open = [&](Session& session) {
                     session.subscribe("topic");
                     opened.set_value();
                   }});
  start(server);
  RawClient client(server.port());
  client.upgrade("/");
  opened.get_future().wait();
  for (int i = 0; i < 3000; ++i) server.publish("topic", std::to_string(i));  // several turns of the mailbox
  std::thread stopper([&] { server.stop(1h); });
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(client.receive(), std::to_string(i));
  EXPECT_EQ(client.receive(), "close 1012");
  client.send("\x03\xf4", '\x88');
  stopper.join();
}

// Every accepted publish of another thread reaches the sessions of every loop.
TEST_P(StopTest, WhatIsAcceptedBesideItArrivesOnEveryLoop) {
  constexpr int kSessions = 4;
  ServerOptions patient = options(2);
  patient.limits.close_timeout = 1h;  // the clients are read one after another, however slowly
  for (int round = 0; round < 20; ++round) {
    Server server(patient);
    std::atomic<int> open = 0;
    server.websocket("/", {.open = [&](Session& session) {
                       session.subscribe("topic");
                       ++open;
                     }});
    start(server);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < kSessions; ++i) {
      clients.push_back(std::make_unique<RawClient>(server.port()));
      clients.back()->upgrade("/");
    }
    while (open < kSessions) std::this_thread::yield();
    std::atomic<int> accepted = 0;
    std::vector<std::thread> publishers;
    for (int i = 0; i < 2; ++i) {
      publishers.emplace_back([&] {
        for (int k = 0; k < 2000 && server.publish("topic", "x") == PostResult::accepted; ++k) ++accepted;
      });
    }
    while (accepted < 100) std::this_thread::yield();
    std::thread stopper([&] { server.stop(1h); });
    for (std::thread& publisher : publishers) publisher.join();
    for (const auto& client : clients) {
      int arrived = 0;
      std::string next = client->receive();
      for (; next == "x"; next = client->receive()) ++arrived;
      EXPECT_EQ(next, "close 1012");
      EXPECT_EQ(arrived, accepted) << "round " << round;
      client->send("\x03\xf4", '\x88');
    }
    stopper.join();
  }
}

// With eight loops, time passes between the start of the first and the last. No client may be accepted
// meanwhile.
TEST_P(StopTest, WhoConnectsWhileItStartsIsServedByAServerThatIsThere) {
  const std::uint16_t port = free_port();
  for (int round = 0; round < 10; ++round) {
    ServerOptions eight = options(8);
    eight.port = port;
    Server server(eight);
    std::atomic<int> refused = 0;
    server.http("GET", "/", [&](const Request&) -> Response { return {.body = "hello"}; });
    server.websocket("/", {.open = [&](Session& session) {
                       session.subscribe("topic");
                       if (server.publish("topic", "welcome") != PostResult::accepted) ++refused;
                       server.post(session.id(), [](Session& same) { same.send("posted"); });
                     }});
    std::atomic<bool> tried = false;
    std::thread early([&] {
      for (;;) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
        ::close(fd);
        tried = true;
        if (connected) break;
      }
      RawClient client(port);
      EXPECT_THAT(client.upgrade("/"), StartsWith("HTTP/1.1 101 "));
      EXPECT_EQ(client.receive(), "welcome");
      EXPECT_EQ(client.receive(), "posted");
      EXPECT_THAT(RawClient(port).request("GET", "/"), HasSubstr("hello"));
    });
    while (!tried) std::this_thread::yield();
    start(server);
    early.join();
    EXPECT_EQ(refused, 0);
  }
}

void expect_death_in_handler(LoopKind loop, const std::function<void(std::unique_ptr<Server>&)>& call,
                             const std::string& message) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto server = std::make_unique<Server>(ServerOptions{.port = 0, .threads = 1, .loop = loop});
        server->websocket("/", {.open = [&](Session&) { call(server); }});
        if (!server->start()) return;
        RawClient client(server->port());
        client.upgrade("/");
        client.receive();
      },
      message);
}

TEST_P(StopDeathTest, RunInAHandlerSaysWhatToDo) {
  expect_death_in_handler(
      GetParam(), [](auto& server) { server->run(); },
      "Server::run\\(\\) in one of its handlers: .* call it on another thread");
}

TEST_P(StopDeathTest, DestroyingItInAHandlerSaysWhatToDo) {
  expect_death_in_handler(
      GetParam(), [](auto& server) { server.reset(); },
      "~Server\\(\\) in one of its handlers: .* call stop\\(\\) there");
}

TEST_P(StopDeathTest, RoutesAfterStartSayWhatToDo) {
  expect_death_in_handler(
      GetParam(), [](auto& server) { server->websocket("/late", {}); }, "routes are set up before start");
}

const auto kLoopName = [](const auto& loop) { return loop.param == LoopKind::epoll ? "epoll" : "uring"; };
INSTANTIATE_TEST_SUITE_P(Loops, StopTest, testing::Values(LoopKind::epoll, LoopKind::uring), kLoopName);
INSTANTIATE_TEST_SUITE_P(Loops, StopDeathTest, testing::Values(LoopKind::epoll, LoopKind::uring), kLoopName);

}  // namespace
}  // namespace fanfare
