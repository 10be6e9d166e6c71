// An upgrade decision that is destroyed without an answer: the client gets 500, whichever thread destroys it and
// in whatever state client and server are. Compiled without exceptions, as such programs are. On both loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "api/raw_client_for_tests.h"
#include "fanfare/server.h"

#ifdef __cpp_exceptions
#error "this test shows what a program without exceptions gets"
#endif

namespace fanfare {
namespace {

using api::RawClient;
using testing::EndsWith;
using testing::StartsWith;

class DroppedUpgrade : public testing::TestWithParam<LoopKind> {
 protected:
  ~DroppedUpgrade() override { server_.reset(); }  // before what its handlers name

  // `decide` gets every upgrade, on the loop's thread.
  template <typename Decide>
  void serve(Decide decide) {
    server_->websocket("/ws", {.decide = decide, .open = [](Session& session) { session.send("open"); }});
    server_->http("GET", "/plain", [](const Request&) -> Response { return {.body = "plain"}; });
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  void serve_and_keep() {
    serve([this](const Request&, Upgrade<void> upgrade) {
      const std::scoped_lock lock(mutex_);
      kept_.push_back(std::move(upgrade));
      came_.notify_all();
    });
  }
  Upgrade<void> take() {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return !kept_.empty(); });
    Upgrade<void> upgrade = std::move(kept_.front());
    kept_.pop_front();
    return upgrade;
  }
  static void shake_hands(const RawClient& client) {
    client.write(
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  }
  static void expect_500(RawClient& client) {
    EXPECT_THAT(client.read_answer(false), StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(client.request("GET", "/plain"), EndsWith("plain"));  // the connection continues
  }

  std::unique_ptr<Server> server_ =
      std::make_unique<Server>(ServerOptions{.port = 0, .threads = 1, .loop = GetParam()});

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Upgrade<void>> kept_;
};

INSTANTIATE_TEST_SUITE_P(Loops, DroppedUpgrade, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

TEST_P(DroppedUpgrade, InTheHandlerItself) {
  serve([](const Request&, const Upgrade<void>&) {});
  RawClient client(server_->port());
  shake_hands(client);
  expect_500(client);
}

TEST_P(DroppedUpgrade, ByAThreadThatEnds) {
  serve_and_keep();
  RawClient client(server_->port());
  shake_hands(client);
  std::thread([held = take()] {}).join();
  expect_500(client);
}

TEST_P(DroppedUpgrade, WithAnUnreadTaskOfTheLoop) {
  serve_and_keep();
  RawClient client(server_->port());
  shake_hands(client);
  auto held = std::make_shared<Upgrade<void>>(take());
  ASSERT_TRUE(server_->call_after(std::chrono::hours(1), [held] {}));
  server_->stop(std::chrono::milliseconds::zero());  // destroys the timer
  held.reset();
  EXPECT_EQ(client.receive(), "EOF");
}

TEST_P(DroppedUpgrade, ByAssigningAnotherToIt) {
  serve_and_keep();
  RawClient first(server_->port());
  shake_hands(first);
  Upgrade<void> held = take();
  RawClient second(server_->port());
  shake_hands(second);
  held = take();
  expect_500(first);
  std::move(held).accept();
  EXPECT_THAT(second.read_answer(true), StartsWith("HTTP/1.1 101 "));
  EXPECT_EQ(second.receive(), "open");
}

TEST_P(DroppedUpgrade, AfterTheClientHasLeft) {
  serve_and_keep();
  {
    const RawClient left(server_->port());
    shake_hands(left);
  }
  {
    const Upgrade<void> dropped = take();
  }
  RawClient other(server_->port());
  EXPECT_THAT(other.request("GET", "/plain"), EndsWith("plain"));
}

TEST_P(DroppedUpgrade, AfterTheServerHasGone) {
  serve_and_keep();
  RawClient client(server_->port());
  shake_hands(client);
  {
    const Upgrade<void> dropped = take();
    server_->stop(std::chrono::milliseconds::zero());
    server_.reset();
  }
  EXPECT_EQ(client.receive(), "EOF");
}

}  // namespace
}  // namespace fanfare
