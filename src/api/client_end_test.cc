// The end of a client: at any time, by any thread, including its own handlers. On both loops.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

class ClientEndTest : public testing::TestWithParam<LoopKind> {
 protected:
  ClientEndTest() : server_({.port = 0, .threads = 1, .loop = GetParam()}) {
    server_.websocket("/", {.message = [](Session& session, const Message& message) {
                        if (message.text() == "end") return session.close(1000);
                        session.send(message);
                      }});
    EXPECT_TRUE(server_.start());
  }
  ClientOptions options(std::string_view path = "/") const {
    return {.url = "ws://" + server_.addresses().front() + std::string(path), .loop = GetParam()};
  }

  Server server_;
};
using ClientEndDeathTest = ClientEndTest;

TEST_P(ClientEndTest, RightAfterAnyCall) {
  const std::vector<std::function<void(Client&)>> calls = {[](Client& client) { client.send("bye"); },
                                                           [](Client& client) { client.close(); },
                                                           [](Client& client) {
                                                             client.send("bye");
                                                             client.close();
                                                           },
                                                           [](Client& client) {
                                                             for (int i = 0; i < 100; ++i) client.send("bye");
                                                           },
                                                           [](Client& client) {
                                                             client.pause();
                                                             client.resume();
                                                             client.ping();
                                                           },
                                                           [](Client&) {}};
  for (int round = 0; round < 20; ++round) {
    for (const auto& call : calls) {
      std::promise<void> opened;
      Client client(options(), {.open = [&](Client&, const Opened&) { opened.set_value(); }});
      ASSERT_TRUE(client.start());
      if (round % 4 != 3) opened.get_future().wait();
      call(client);
    }
  }
}

// Destroys the client in its own handler, and waits for the end of its thread, which destroys the handlers'
// captures.
class SelfDestruction {
 public:
  std::unique_ptr<Client> client;

  std::shared_ptr<void> witness() {
    return {this, [](SelfDestruction* self) { self->gone_.set_value(); }};
  }
  void destroy() {
    client.reset();
    ++destroyed;
  }
  void wait() { gone_.get_future().wait(); }
  std::atomic<int> destroyed = 0;

 private:
  std::promise<void> gone_;
};

TEST_P(ClientEndTest, InAnyOfItsHandlers) {
  const std::vector<std::function<ClientHandlers(SelfDestruction&)>> handlers = {
      [](SelfDestruction& self) -> ClientHandlers {
        return {.open = [&self, held = self.witness()](Client&, const Opened&) { self.destroy(); }};
      },
      [](SelfDestruction& self) -> ClientHandlers {
        return {.open =
                    [](Client& client, const Opened&) {
                      for (int i = 0; i < 10; ++i) client.send("many, in one segment");
                    },
                .message = [&self, held = self.witness()](Client&, const Message&) { self.destroy(); }};
      },
      [](SelfDestruction& self) -> ClientHandlers {
        return {.open = [](Client& client, const Opened&) { client.ping(); },
                .pong = [&self, held = self.witness()](Client&, Bytes) { self.destroy(); }};
      },
      [](SelfDestruction& self) -> ClientHandlers {
        return {.open = [](Client& client, const Opened&) { client.send("end"); },
                .close = [&self, held = self.witness()](Client&, const Close&, auto) { self.destroy(); }};
      },
      [](SelfDestruction& self) -> ClientHandlers {
        return {.open = [](Client& client, const Opened&) { client.close(); },
                .close = [&self, held = self.witness()](Client&, const Close&, auto) { self.destroy(); }};
      }};
  for (const auto& make : handlers) {
    SelfDestruction self;
    self.client = std::make_unique<Client>(options(), make(self));
    ASSERT_TRUE(self.client->start());
    self.wait();
    EXPECT_EQ(self.destroyed, 1);
  }
}

TEST_P(ClientEndTest, InTheHandlerOfAFailedAttempt) {
  SelfDestruction self;
  self.client = std::make_unique<Client>(
      options("/nowhere"), ClientHandlers{.failed = [&self, held = self.witness()](
                                                        Client&, const Error&, auto) { self.destroy(); }});
  ASSERT_TRUE(self.client->start());
  self.wait();
  EXPECT_EQ(self.destroyed, 1);
}

// Whether a thread of this process waits for something.
bool is_asleep(pid_t thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string word; status >> word;) {
    if (word == "State:" && status >> word) return word == "S";
  }
  return false;
}

TEST_P(ClientEndTest, ByAHandlerWhileAnotherThreadIsInRun) {
  SelfDestruction self;
  const pid_t caller = ::gettid();
  std::atomic<bool> calls_run = false;
  self.client = std::make_unique<Client>(
      options(), ClientHandlers{.open =
                                    [](Client& client, const Opened&) {
                                      client.send("one");
                                      client.send("two");
                                    },
                                .message =
                                    [&, held = self.witness()](Client& client, const Message&) {
                                      while (!calls_run || !is_asleep(caller)) std::this_thread::yield();
                                      client.send("not any more");
                                      self.destroy();
                                    }});
  Client& client = *self.client;
  ASSERT_TRUE(client.start());
  calls_run = true;
  client.run();
  self.wait();
}

// The client waits for the end of its last connection only until it has a new one.
TEST_P(ClientEndTest, AClientThatItsCloseHandlerStartedAgainSleeps) {
  std::promise<pid_t> opened_again;
  int opens = 0;
  Client client(options(), {.open =
                                [&](Client& self, const Opened&) {
                                  if (++opens == 1) {
                                    self.send("end");
                                  } else {
                                    opened_again.set_value(::gettid());
                                  }
                                },
                            .close =
                                [&](Client& self, const Close&, auto) {
                                  if (opens == 1) EXPECT_TRUE(self.start());
                                }});
  ASSERT_TRUE(client.start());
  const pid_t thread = opened_again.get_future().get();
  // A sleeping thread wakes a few times per second for its deadlines. A thread that polls every 5 ms wakes 20
  // times in 100 ms.
  const auto wakes = [thread] {
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    for (std::string word; status >> word;) {
      int count = 0;
      if (word == "voluntary_ctxt_switches:" && status >> count) return count;
    }
    return -1;
  };
  std::promise<void> never;
  const auto nothing = never.get_future();
  bool sleeps = false;
  for (int look = 0; look < 100 && !sleeps; ++look) {
    const int before = wakes();
    nothing.wait_for(std::chrono::milliseconds(100));
    sleeps = wakes() - before <= 2;
  }
  EXPECT_TRUE(sleeps);
}

TEST_P(ClientEndTest, InAHandlerOfTheServer) {
  std::promise<void> opened;
  Client client(options(), {.open = [&](Client&, const Opened&) { opened.set_value(); }});
  auto other = std::make_unique<Client>(options(), ClientHandlers{});
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  std::promise<void> done;
  std::promise<void> started;
  server.websocket("/", {.open = [&](Session&) {
                     started.get_future().wait();
                     other.reset();
                     done.set_value();
                   }});
  ASSERT_TRUE(server.start());
  ASSERT_TRUE(other->start());
  Client asking({.url = "ws://" + server.addresses().front(), .loop = GetParam()}, {});
  ASSERT_TRUE(asking.start());
  started.set_value();
  done.get_future().wait();
}

TEST_P(ClientEndDeathTest, RunInAHandlerSaysWhatToDo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Client client(options(), {.open = [](Client& self, const Opened&) { self.run(); }});
        if (client.start()) client.run();
      },
      "Client::run\\(\\) in one of its handlers: .* call it on another thread");
}

const auto kName = [](const auto& loop) { return loop.param == LoopKind::epoll ? "epoll" : "uring"; };
INSTANTIATE_TEST_SUITE_P(Loops, ClientEndTest, testing::Values(LoopKind::epoll, LoopKind::uring), kName);
INSTANTIATE_TEST_SUITE_P(Loops, ClientEndDeathTest, testing::Values(LoopKind::epoll, LoopKind::uring), kName);

}  // namespace
}  // namespace fanfare
