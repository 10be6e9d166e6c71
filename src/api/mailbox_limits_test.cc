// Tasks that other threads post to a server's loops are bounded, and the result says what happened. On both
// loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;
using std::chrono_literals::operator""h;

constexpr std::size_t kTasksMax = 50;
constexpr std::size_t kBytesMax = 10'000;

// A server whose loop can be blocked in a handler, so that its mailbox fills.
class HeldServer {
 public:
  HeldServer(LoopKind loop, std::size_t threads)
      : server({.port = 0,
                .threads = threads,
                .loop = loop,
                .limits = {.mailbox_tasks_max = kTasksMax, .mailbox_bytes_max = kBytesMax}}) {
    server.websocket("/", {.open = [](Session& session) { session.subscribe("topic"); },
                           .message =
                               [this](Session& session, const Message& message) {
                                 if (message.text() != "hold") {
                                   session.send(message);
                                   return;
                                 }
                                 held.set_value(session.id());
                                 go_on.get_future().wait();
                               }});
    server.http("GET", "/",
                [this](const Request&, Responder responder) { asked.set_value(std::move(responder)); });
    EXPECT_TRUE(server.start());
  }
  // Blocks the loop of the client's session; returns the session's id.
  SessionId hold(const RawClient& client) {
    client.send("hold");
    return held.get_future().get();
  }

  std::promise<Responder> asked;
  std::promise<SessionId> held;
  std::promise<void> go_on;
  Server server;
};

class MailboxLimitsTest : public testing::TestWithParam<LoopKind> {};

TEST_P(MailboxLimitsTest, PostsUpToTheLimitAreRunAndOneMoreIsRefusedAndCounted) {
  HeldServer held(GetParam(), 1);
  Server& server = held.server;
  RawClient client(server.port());
  client.upgrade("/");
  const SessionId id = held.hold(client);
  std::atomic<int> run = 0;
  const auto task = [&](Session&) { ++run; };
  for (std::size_t i = 0; i < kTasksMax; ++i) ASSERT_EQ(server.post(id, task), PostResult::accepted) << i;
  EXPECT_EQ(server.refused_tasks(), 0U);
  EXPECT_EQ(server.post(id, task), PostResult::full);
  EXPECT_EQ(server.publish("topic", "news"), PostResult::full);
  EXPECT_EQ(server.refused_tasks(), 2U);
  held.go_on.set_value();
  while (run < static_cast<int>(kTasksMax)) std::this_thread::yield();
  while (server.post(id, [](Session& session) { session.send("room again"); }) == PostResult::full) {
    std::this_thread::yield();
  }
  EXPECT_EQ(client.receive(), "room again");
  EXPECT_EQ(run, static_cast<int>(kTasksMax));
}

TEST_P(MailboxLimitsTest, PublishedBytesHaveALimitAndOneMessageMayBeLarger) {
  HeldServer held(GetParam(), 1);
  Server& server = held.server;
  RawClient client(server.port());
  client.upgrade("/");
  held.hold(client);
  const std::string small(kBytesMax / 4, 's');
  const std::string large(20 * kBytesMax, 'l');
  for (int i = 0; i < 3; ++i) ASSERT_EQ(server.publish("topic", small), PostResult::accepted);
  EXPECT_EQ(server.publish("topic", large), PostResult::accepted);
  EXPECT_EQ(server.publish("topic", "x"), PostResult::full);
  EXPECT_EQ(server.refused_tasks(), 1U);
  held.go_on.set_value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.receive(), small);
  EXPECT_EQ(client.receive(), large);
  EXPECT_EQ(server.publish("topic", "room again"), PostResult::accepted);
  EXPECT_EQ(client.receive(), "room again");
}

// Otherwise a retry would reach the subscribers of the other loops twice.
TEST_P(MailboxLimitsTest, WhatOneLoopRefusesReachesNobodyOnTheOthers) {
  HeldServer held(GetParam(), 2);
  Server& server = held.server;
  RawClient holding(server.port());
  holding.upgrade("/");
  const SessionId id = held.hold(holding);
  // Finds a client on the other loop: it gets answers although the first loop is blocked.
  std::vector<std::unique_ptr<RawClient>> clients;
  RawClient* other = nullptr;
  std::promise<void> found;
  while (other == nullptr) {
    auto& client = clients.emplace_back(std::make_unique<RawClient>(server.port()));
    if (!client->is_answered_soon("/")) continue;
    client->send("are you there");
    EXPECT_EQ(client->receive(), "are you there");
    other = client.get();
  }
  std::size_t accepted = 0;
  while (server.publish("topic", std::to_string(accepted)) == PostResult::accepted) ++accepted;
  EXPECT_EQ(accepted, kTasksMax);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(server.publish("topic", "refused"), PostResult::full);
  for (std::size_t i = 0; i < accepted; ++i) EXPECT_EQ(other->receive(), std::to_string(i));
  EXPECT_EQ(server.post(id, [](Session&) {}), PostResult::full);
  held.go_on.set_value();
  while (server.publish("topic", "accepted") != PostResult::accepted) std::this_thread::yield();
  EXPECT_EQ(other->receive(), "accepted");
}

TEST_P(MailboxLimitsTest, StoppingWithoutTimeDropsWhatWaits) {
  HeldServer held(GetParam(), 1);
  Server& server = held.server;
  RawClient client(server.port());
  client.upgrade("/");
  const SessionId id = held.hold(client);
  std::atomic<int> run = 0;
  const auto counted = std::make_shared<int>();
  for (std::size_t i = 0; i < kTasksMax; ++i) server.post(id, [&run, counted](Session&) { ++run; });
  std::thread stopper([&] { EXPECT_EQ(server.stop(std::chrono::milliseconds::zero()), 1U); });
  while (server.post(id, [](Session&) {}) != PostResult::stopped) std::this_thread::yield();
  held.go_on.set_value();
  stopper.join();
  EXPECT_EQ(run, 0);
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_EQ(client.receive(), "close 1012");
}

// Stopping and answers also use the mailbox, but no limit refuses them.
TEST_P(MailboxLimitsTest, AFullMailboxRefusesNeitherAnswersNorTheStop) {
  HeldServer held(GetParam(), 1);
  Server& server = held.server;
  RawClient waiting(server.port());
  waiting.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
  Responder responder = held.asked.get_future().get();
  RawClient client(server.port());
  client.upgrade("/");
  const SessionId id = held.hold(client);
  while (server.post(id, [](Session&) {}) == PostResult::accepted) {
  }
  std::move(responder).send({.body = "the answer"});
  std::thread stopper([&] { EXPECT_EQ(server.stop(1h), 0U); });
  while (server.post(id, [](Session&) {}) != PostResult::stopped) std::this_thread::yield();
  held.go_on.set_value();
  EXPECT_THAT(waiting.read_answer(false), testing::HasSubstr("the answer"));
  EXPECT_EQ(client.receive(), "close 1012");
  client.send("\x03\xf4", '\x88');
  stopper.join();
}

TEST(MailboxLimits, AreCheckedByStart) {
  const auto error_of = [](const Limits& limits) {
    Server server({.port = 0, .limits = limits});
    const auto started = server.start();
    return started ? "it started" : started.error().message;
  };
  EXPECT_EQ(error_of({.mailbox_tasks_max = 0}), "limits.mailbox_tasks_max: at least 1");
  EXPECT_EQ(error_of({.mailbox_bytes_max = 0}), "limits.mailbox_bytes_max: at least 1");
  EXPECT_EQ(error_of({.mailbox_tasks_max = SIZE_MAX, .mailbox_bytes_max = SIZE_MAX}), "it started");
}

const auto kLoopOfMailbox = [](const auto& loop) {
  return loop.param == LoopKind::epoll ? "epoll" : "uring";
};
INSTANTIATE_TEST_SUITE_P(Loops, MailboxLimitsTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         kLoopOfMailbox);

}  // namespace
}  // namespace fanfare
