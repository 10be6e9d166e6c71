// Reaching sessions from other threads: all of them, all but one, and those of one type.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "api/session_walk.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;

class ReachingSessions : public testing::TestWithParam<LoopKind> {
 protected:
  ServerOptions options(std::size_t threads) const {
    return {.port = 0, .threads = threads, .loop = GetParam()};
  }
};

INSTANTIATE_TEST_SUITE_P(BothLoops, ReachingSessions, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& tested) {
                           return tested.param == LoopKind::uring ? "uring" : "epoll";
                         });

using Clients = std::vector<std::unique_ptr<RawClient>>;

Clients connect(const Server& server, std::size_t count, std::string_view path = "/") {
  Clients clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    EXPECT_TRUE(clients.back()->upgrade(path).starts_with("HTTP/1.1 101 "));
  }
  return clients;
}

TEST_P(ReachingSessions, ForEachSessionReachesEveryOpenOneOnceOnEveryLoop) {
  Server server(options(2));
  server.websocket("/", {});
  EXPECT_EQ(server.for_each_session([](Session&) {}), PostResult::stopped);
  ASSERT_TRUE(server.start());
  // More sessions than one turn handles on at least one of the loops.
  const std::size_t count = 2 * api::SessionWalk::kSessionsPerTurn + 3;
  Clients clients = connect(server, count);
  std::atomic<std::size_t> reached{0};
  EXPECT_EQ(server.for_each_session([&](Session& session) {
    if (++reached % 2 == 0) throw std::runtime_error("the others are reached nevertheless");
    session.subscribe("odd");
  }),
            PostResult::accepted);
  EXPECT_EQ(server.for_each_session([](Session& session) { session.send("once"); }), PostResult::accepted);
  for (const auto& client : clients) EXPECT_EQ(client->receive(), "once");
  EXPECT_EQ(reached, count);
  server.stop(std::chrono::milliseconds(0));
  EXPECT_EQ(server.for_each_session([](Session&) {}), PostResult::stopped);
}

TEST_P(ReachingSessions, ForEachSessionInAHandlerRunsTheTaskLater) {
  Server server(options(1));
  bool in_handler = false;
  server.websocket("/", {.message = [&](Session&, const Message& message) {
                     in_handler = true;
                     server.for_each_session([&, text = std::string(message.text())](Session& each) {
                       EXPECT_FALSE(in_handler);
                       each.send(text);
                     });
                     in_handler = false;
                   }});
  ASSERT_TRUE(server.start());
  Clients clients = connect(server, 3);
  clients[0]->send("to all");
  for (const auto& client : clients) EXPECT_EQ(client->receive(), "to all");
}

// Sessions that the task ends, or that open while it runs, do not disturb the walk.
TEST_P(ReachingSessions, ForEachSessionMayEndSessionsAndSkipsThoseThatHaveEnded) {
  Server server(options(1));
  server.websocket("/", {});
  ASSERT_TRUE(server.start());
  Clients clients = connect(server, 4);
  std::atomic<int> reached{0};
  server.for_each_session([&](Session& session) {
    ++reached;
    session.close(4000);
  });
  server.for_each_session([&](Session&) { ++reached; });  // all of them are closing
  for (const auto& client : clients) EXPECT_EQ(client->receive(), "close 4000");
  EXPECT_EQ(reached, 4);
}

TEST_P(ReachingSessions, ForEachSessionIsRefusedPastTheMailboxLimit) {
  ServerOptions limited = options(1);
  limited.limits.mailbox_tasks_max = 2;
  Server server(limited);
  std::promise<void> in_handler;
  std::promise<void> go_on;
  server.websocket("/", {.open = [&](Session&) {
                     in_handler.set_value();
                     go_on.get_future().wait();
                   }});
  ASSERT_TRUE(server.start());
  RawClient client(server.port());
  std::thread upgrading([&] { client.upgrade("/"); });
  in_handler.get_future().wait();
  EXPECT_EQ(server.for_each_session([](Session&) {}), PostResult::accepted);
  EXPECT_EQ(server.for_each_session([](Session&) {}), PostResult::accepted);
  EXPECT_EQ(server.for_each_session([](Session&) {}), PostResult::full);
  EXPECT_EQ(server.refused_tasks(), 1U);
  go_on.set_value();
  upgrading.join();
}

TEST_P(ReachingSessions, PublishReachesAllButTheExceptedSession) {
  Server server(options(2));
  server.websocket(
      "/", {.open = [](Session& session) { session.subscribe("room"); },
            .message =
                [&](Session& session, const Message& message) {
                  const PublishOptions others{.except = session.id()};
                  EXPECT_EQ(server.publish("room", message.text(), others), PostResult::accepted);
                  EXPECT_EQ(server.publish("room", message.bytes(), others), PostResult::accepted);
                  EXPECT_EQ(server.publish("room", Frame::text("frame"), others), PostResult::accepted);
                  EXPECT_EQ(server.publish("room", "everyone"), PostResult::accepted);
                }});
  ASSERT_TRUE(server.start());
  Clients clients = connect(server, 8);
  clients[0]->send("hello");
  EXPECT_EQ(clients[0]->receive(), "everyone");
  for (std::size_t i = 1; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i]->receive(), "hello");
    EXPECT_EQ(clients[i]->receive(), "hello");
    EXPECT_EQ(clients[i]->receive(), "frame");
    EXPECT_EQ(clients[i]->receive(), "everyone");
  }
}

// From another thread, with ids of no session, of a session without the topic, and of a session with many
// topics.
TEST_P(ReachingSessions, AnExceptedSessionNeedNotBeSubscribedNorBeThere) {
  Server server(options(2));
  std::mutex mutex;
  std::vector<SessionId> ids;
  server.websocket("/", {.open = [&](Session& session) {
                     const std::scoped_lock lock(mutex);
                     ids.push_back(session.id());
                     if (ids.size() == 1) return;
                     for (int i = 0; i < 20; ++i) session.subscribe(std::to_string(i));
                     session.subscribe("room");
                   }});
  ASSERT_TRUE(server.start());
  Clients clients = connect(server, 3);
  const std::scoped_lock lock(mutex);
  for (const SessionId nobody : {ids[0], SessionId{}, SessionId{.loop = 99, .slot = 7, .generation = 7}}) {
    EXPECT_EQ(server.publish("room", "to both", {.except = nobody}), PostResult::accepted);
    EXPECT_EQ(clients[1]->receive(), "to both");
    EXPECT_EQ(clients[2]->receive(), "to both");
  }
  EXPECT_EQ(server.publish("room", "to one", {.except = ids[1]}), PostResult::accepted);
  EXPECT_EQ(clients[2]->receive(), "to one");
  EXPECT_EQ(server.publish("room", "last"), PostResult::accepted);
  EXPECT_EQ(clients[1]->receive(), "last");
}

struct Player {
  std::string name;
};

TEST_P(ReachingSessions, APostWithATypeReachesOnlySessionsOfIt) {
  Server server(options(1));
  std::promise<SessionId> player;
  std::promise<SessionId> plain;
  server.websocket<Player>(
      "/player",
      {.upgrade = [](const Request&) -> Expected<Player, Response> { return Player{.name = "Ada"}; },
       .open = [&](SessionWith<Player>& session) { player.set_value(session.id()); }});
  server.websocket("/plain", {.open = [&](Session& session) { plain.set_value(session.id()); }});
  ASSERT_TRUE(server.start());
  Clients players = connect(server, 1, "/player");
  Clients others = connect(server, 1, "/plain");
  const SessionId player_id = player.get_future().get();
  const SessionId plain_id = plain.get_future().get();
  const auto greet = [](SessionWith<Player>& session) { session.send("hello " + session.data().name); };
  EXPECT_EQ(server.post<Player>(player_id, greet), PostResult::accepted);
  EXPECT_EQ(players[0]->receive(), "hello Ada");
  std::atomic<int> wrong{0};
  EXPECT_EQ(server.post<Player>(plain_id, [&](SessionWith<Player>&) { ++wrong; }), PostResult::accepted);
  EXPECT_EQ(server.post<int>(player_id, [&](SessionWith<int>&) { ++wrong; }), PostResult::accepted);
  EXPECT_EQ(server.post<void>(plain_id, [](Session& session) { session.send("plain"); }),
            PostResult::accepted);
  EXPECT_EQ(others[0]->receive(), "plain");
  EXPECT_EQ(server.for_each_session<Player>(greet), PostResult::accepted);
  EXPECT_EQ(server.for_each_session([](Session& session) { session.send("all"); }), PostResult::accepted);
  EXPECT_EQ(players[0]->receive(), "hello Ada");
  EXPECT_EQ(players[0]->receive(), "all");
  EXPECT_EQ(others[0]->receive(), "all");
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace fanfare
