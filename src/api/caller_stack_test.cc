// No API call runs a handler on its caller's stack. On both loops.

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using api::RawClient;

class CallerStackTest : public testing::TestWithParam<LoopKind> {};

// Long polling: the handler that answers and the handler of the next request use the same lock.
TEST_P(CallerStackTest, AResponderMayBeUsedUnderALockOfItsHandlers) {
  bool locked = false;
  int nested = 0;
  int polls = 0;
  std::vector<Responder> waiting;
  std::promise<void> first_waits;
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  server.http("GET", "/poll", [&](const Request&, Responder responder) {
    if (locked) ++nested;
    waiting.push_back(std::move(responder));
    if (++polls == 1) first_waits.set_value();
  });
  server.http("GET", "/wake", [&](const Request&) {
    locked = true;
    for (Responder& responder : std::exchange(waiting, {})) std::move(responder).send({.body = "news"});
    locked = false;
    return Response{.body = std::to_string(nested)};
  });
  ASSERT_TRUE(server.start());
  const std::string poll = "GET /poll HTTP/1.1\r\nHost: x\r\n\r\n";
  RawClient poller(server.port());
  poller.write(poll + poll);
  first_waits.get_future().wait();
  RawClient waker(server.port());
  EXPECT_TRUE(waker.request("GET", "/wake").ends_with("\r\n\r\n0"));
  EXPECT_TRUE(poller.read_answer(false).ends_with("news"));
}

// The close handler, which may destroy the client, does not run inside the send() that ends the connection.
TEST_P(CallerStackTest, ASendThatEndsTheConnectionLeavesTheClientInPlace) {
  Server server({.port = 0, .threads = 1, .loop = GetParam()});
  server.websocket("/", {.message = [](Session& session, const Message& message) {
                     if (message.text() != "go") return;
                     session.send("one");
                     session.close(4000, "bye");
                   }});
  ASSERT_TRUE(server.start());
  bool in_send = false;
  bool nested = false;
  std::promise<void> gone;
  std::unique_ptr<Client> client;
  client = std::make_unique<Client>(
      ClientOptions{.url = "ws://" + server.addresses().front(),
                    .limits = {.outbox_bytes_max = 1000, .outbox_bytes_high = 10},
                    .deflate = {.enabled = false},
                    .loop = GetParam()},
      ClientHandlers{.open = [](Client& self, const Opened&) { self.send("go"); },
                     .message =
                         [](Client& self, const Message&) {
                           self.pause();
                           self.send(std::string(500, 'x'));
                         },
                     .drain =
                         [&](Client& self) {
                           in_send = true;
                           while (!nested && self.send(std::string(900, 'y')) != SendResult::closed) {
                           }
                           in_send = false;
                         },
                     .close =
                         [&](Client&, const Close&, auto) {
                           nested = in_send;
                           client.reset();
                           gone.set_value();
                         }});
  ASSERT_TRUE(client->start());
  gone.get_future().wait();
  EXPECT_FALSE(nested);
}

INSTANTIATE_TEST_SUITE_P(Loops, CallerStackTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& loop) { return loop.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare
