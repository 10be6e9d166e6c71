// Random use of the whole public API: several servers and clients in one process, and any call in any handler
// and on other threads at any time. The same seed gives the same calls, but not the same thread order. The
// sanitizers find the faults; the test itself only checks what must hold at the end.
//
//   FANFARE_MONKEY_SEED=7     only this seed
//   FANFARE_MONKEY_SEEDS=500  the number of seeds, for a long run

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/monkey_parts_for_tests.h"
#include "base/random.h"
#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using namespace std::chrono_literals;
using api::Balance;
using api::Graves;
using api::number_from;
using api::Slot;

constexpr std::size_t kServers = 2;
constexpr std::size_t kClients = 4;
constexpr std::size_t kThreads = 2;
constexpr int kSteps = 150;          // for each thread
constexpr int kHandlerSteps = 4000;  // for all handlers together; after that they only count
constexpr std::size_t kIdsKept = 16;

class Monkey {
 public:
  Monkey(std::uint64_t seed, LoopKind loop) : seed_(seed), loop_(loop) {}

  void live() {
    for (std::size_t i = 0; i < kServers; ++i) renew_server(i);
    for (std::size_t i = 0; i < kClients; ++i) renew_client(i);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([this] {
        for (int step = 0; step < kSteps; ++step) act(nullptr);
      });
    }
    for (int step = 0; step < kSteps; ++step) {
      act(nullptr);
      if (step % 10 == 0) renew_server(random().below(kServers));
      if (step % 5 == 0) renew_client(random().below(kClients));
      graves_.bury();
    }
    for (std::thread& thread : threads) thread.join();
    handler_steps_ = 0;
    for (auto& client : clients_) client.take();
    for (auto& server : servers_) server.take();
    // Some may still be in use by a handler, which releases them.
    while (balance.servers > 0 || balance.clients > 0) {
      graves_.bury();
      std::this_thread::yield();
    }
    responders_.clear();
  }

  Balance balance;

 private:
  SeededRandom& random() {
    thread_local std::optional<std::pair<std::uint64_t, SeededRandom>> mine;
    if (!mine || mine->first != seed_) {
      mine.emplace(seed_, SeededRandom(seed_ * 1000 + static_cast<std::uint64_t>(++randoms_)));
    }
    return mine->second;
  }
  bool chance(std::uint64_t in) { return random().below(in) == 0; }
  std::string text() { return std::string(random().below(chance(20) ? 300'000 : 300), 'm'); }
  std::string topic() { return "topic " + std::to_string(random().below(12)); }

  void renew_server(std::size_t index) {
    std::shared_ptr<Server> made(new Server({.port = 0,
                                             .threads = 1 + index,
                                             .loop = loop_,
                                             .limits = {.outbox_bytes_max = 1 << 20,
                                                        .outbox_bytes_high = 1 << 16,
                                                        .topics_per_session_max = 10,
                                                        .mailbox_tasks_max = 64}}),
                                 [this](Server* server) {
                                   graves_.dig([this, server] {
                                     delete server;
                                     --balance.servers;
                                   });
                                 });
    ++balance.servers;
    Server& server = *made;
    server.websocket("/", route());
    server.http("GET", "/now", [this](const Request& request) -> Response {
      act_in_handler(nullptr);
      return {.body = request.peer()};
    });
    server.http("GET", "/later", [this](const Request&, Responder responder) {
      const std::scoped_lock lock(mutex_);
      responders_.push_back(std::move(responder));
    });
    const auto started = server.start();
    ASSERT_TRUE(started) << started.error().message;
    servers_[index].take(std::move(made));
  }

  WebSocket<> route() {
    return {.upgrade = [this](const Request&) -> std::expected<void, Response> {
              act_in_handler(nullptr);
              if (chance(20)) return std::unexpected(Response{.status = 503});
              return {};
            },
            .open =
                [this](Session& session) {
                  ++balance.sessions;
                  keep(session.id());
                  act_in_handler(&session);
                },
            .message =
                [this](Session& session, const Message& message) {
                  if (chance(4)) session.send(message);
                  act_in_handler(&session);
                },
            .drain = [this](Session& session) { act_in_handler(&session); },
            .pong = [this](Session& session, Bytes) { act_in_handler(&session); },
            .lagged = [this](Session& session, std::string_view, std::uint64_t) { act_in_handler(&session); },
            .close =
                [this](Session& session, const Close&) {
                  --balance.sessions;
                  act_in_handler(&session);
                }};
  }

  // Destroyed together with the client's handlers, on any thread.
  struct ClientLife {
    explicit ClientLife(Balance& its_balance) : balance(its_balance) { ++balance.clients; }
    ~ClientLife() { --balance.clients; }
    ClientLife(const ClientLife&) = delete;
    ClientLife& operator=(const ClientLife&) = delete;
    void set_open(bool open) {
      EXPECT_NE(is_open, open);
      is_open = open;
    }
    Balance& balance;
    bool is_open = false;
  };

  void renew_client(std::size_t index) {
    const auto server = servers_[random().below(kServers)].get();
    const auto life = std::make_shared<ClientLife>(balance);
    ClientOptions options{
        .url = "ws://127.0.0.1:" + std::to_string(server == nullptr ? 1 : server->port()) +
               (chance(10) ? "/now" : "/"),
        .reconnect = {.wait_min = 1ms, .wait_max = 4ms, .attempts_max = 20},
        .limits = {.outbox_bytes_max = 1 << 20, .outbox_bytes_high = 1 << 16, .close_timeout = 20ms},
        .queue_bytes_max = chance(2) ? std::size_t{0} : std::size_t{10'000},
        .loop = loop_};
    ClientHandlers handlers{
        .open =
            [this, index, life](Client& client, const Opened&) {
              life->set_open(true);
              act_as_client(client, index);
            },
        .message = [this, index](Client& client, const Message&) { act_as_client(client, index); },
        .drain = [this, index](Client& client) { act_as_client(client, index); },
        .pong = [this, index](Client& client, Bytes) { act_as_client(client, index); },
        .close =
            [this, index, life](Client& client, const Close&, auto) {
              life->set_open(false);
              act_as_client(client, index);
            },
        .failed = [this, index](Client& client, const Error&, auto) { act_as_client(client, index); }};
    std::shared_ptr<Client> made(new Client(options, handlers), [this](Client* client) {
      if (client == in_handler_of()) {
        delete client;
        in_handler_of() = nullptr;
      } else {
        graves_.dig([client] { delete client; });
      }
    });
    if (!chance(10)) {
      EXPECT_TRUE(made->start());
    }
    clients_[index].take(std::move(made));
  }

  // The client whose handler runs on the calling thread.
  static Client*& in_handler_of() {
    thread_local Client* client = nullptr;
    return client;
  }

  void act_as_client(Client& client, std::size_t index) {
    in_handler_of() = &client;
    if (handler_steps_ > 0 && chance(15)) {
      const auto self = clients_[index].get();
      if (self.get() == &client) clients_[index].take();
      // Destroyed here, unless it is still in use.
    } else {
      act_in_handler(nullptr);
      if (in_handler_of() != nullptr && chance(2)) use(client);
    }
    in_handler_of() = nullptr;
  }

  // Called in a handler, with its session if there is one.
  void act_in_handler(Session* session) {
    if (--handler_steps_ < 0 || chance(3)) return;
    act(session);
  }

  void act(Session* session) {
    if (session != nullptr && !chance(3)) return use(*session);
    switch (random().below(12)) {
      case 0:
        if (const auto server = servers_[random().below(kServers)].get(); server != nullptr && chance(4)) {
          server->stop(std::chrono::milliseconds(random().below(6)));
        }
        break;
      case 1:
        return answer_one();
      case 2:
      case 3:
      case 4:
      case 5:
        if (const auto server = servers_[random().below(kServers)].get()) use(*server);
        break;
      default:
        if (const auto client = clients_[random().below(kClients)].get()) use(*client);
        break;
    }
  }

  void answer_one() {
    std::optional<Responder> responder;
    {
      const std::scoped_lock lock(mutex_);
      if (responders_.empty()) return;
      responder.emplace(std::move(responders_.back()));
      responders_.pop_back();
    }
    if (!chance(3)) std::move(*responder).send({.body = text()});
  }

  void use(Session& session) {
    switch (random().below(12)) {
      case 0:
        session.send(text());
        break;
      case 1:
        session.send(Frame::text(text()));
        break;
      case 2:
        session.ping();
        break;
      case 3:
        session.pause();
        if (const auto server = servers_[random().below(kServers)].get()) {
          server->post(session.id(), [](Session& same) { same.resume(); });
        }
        if (chance(2)) session.resume();
        break;
      case 4:
        if (chance(4)) session.close(chance(2) ? 1012 : 1006, chance(2) ? "enough" : "");
        break;
      case 5:
        session.unsubscribe(topic());
        break;
      case 6:
        EXPECT_LE(session.peer().size(), std::size_t{100});
        EXPECT_TRUE(session.subprotocol().empty());
        break;
      case 7:
        session.buffered_amount();
        keep(session.id());
        break;
      default:
        session.subscribe(topic(), {.when_full = static_cast<WhenFull>(random().below(3)),
                                    .waiting_max = random().below(4)});
        break;
    }
  }

  void use(Server& server) {
    switch (random().below(10)) {
      case 0:
        EXPECT_FALSE(server.start());
        break;
      case 1:
        server.session_count();
        EXPECT_EQ(server.addresses().size(), std::size_t{1});
        break;
      case 2:
        EXPECT_FALSE(server.loop_name().empty());
        EXPECT_FALSE(server.refused_connections().empty());
        server.refused_tasks();
        break;
      case 3:
        EXPECT_FALSE(server.reload_certificates());
        break;
      case 4:
      case 5:
      case 6: {
        ++balance.tasks;
        const std::shared_ptr<Monkey> held(this, [](Monkey* monkey) { --monkey->balance.tasks; });
        server.post(some_id(), [this, held](Session& session) { act_in_handler(&session); });
        break;
      }
      default:
        for (std::uint64_t i = random().below(20); i > 0; --i) server.publish(topic(), text());
        break;
    }
  }

  void use(Client& client) {
    switch (random().below(12)) {
      case 0:
        client.pause();
        client.resume();
        break;
      case 1:
        client.ping();
        break;
      case 2:
        if (chance(4)) client.close(chance(2) ? 1000 : 1005);
        break;
      case 3:
        (void)client.start();
        break;
      case 4:
        EXPECT_LE(client.buffered_amount(), std::size_t{4} << 20);
        client.is_open();
        client.unsent_messages();
        break;
      default:
        for (std::uint64_t i = random().below(10); i > 0; --i) client.send(text());
        break;
    }
  }

  void keep(SessionId id) {
    const std::scoped_lock lock(mutex_);
    ids_[++ids_kept_ % kIdsKept] = id;
  }
  SessionId some_id() {
    const std::uint64_t which = random().below(kIdsKept);
    const std::scoped_lock lock(mutex_);
    return ids_[which];
  }

  const std::uint64_t seed_;
  const LoopKind loop_;
  std::atomic<int> randoms_ = 0;
  std::atomic<int> handler_steps_ = kHandlerSteps;
  std::mutex mutex_;  // guards the three below
  std::array<SessionId, kIdsKept> ids_{};
  std::size_t ids_kept_ = 0;
  std::vector<Responder> responders_;
  Graves graves_;
  std::array<Slot<Server>, kServers> servers_;
  std::array<Slot<Client>, kClients> clients_;
};

class MonkeyTest : public testing::TestWithParam<LoopKind> {};

TEST_P(MonkeyTest, LeavesNothingBehind) {
  const std::uint64_t first = number_from("FANFARE_MONKEY_SEED", 1);
  const std::uint64_t seeds =
      std::getenv("FANFARE_MONKEY_SEED") != nullptr ? 1 : number_from("FANFARE_MONKEY_SEEDS", 4);
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("FANFARE_MONKEY_SEED=" + std::to_string(seed));
    std::printf("monkey: seed %llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    auto monkey = std::make_unique<Monkey>(seed, GetParam());
    monkey->live();
    EXPECT_EQ(monkey->balance.sessions, 0);
    EXPECT_EQ(monkey->balance.tasks, 0);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Loops, MonkeyTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& loop) { return loop.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare
