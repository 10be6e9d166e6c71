// The result of Client::send() on threads other than the client's, and what happens to the message. On both
// loops.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

using namespace std::chrono_literals;

// The messages that a server has received, in order.
class Inbox {
 public:
  void add(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    texts_.emplace_back(text);
  }
  std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return texts_.size();
  }
  std::vector<std::string> texts() const {
    const std::scoped_lock lock(mutex_);
    return texts_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

class ClientSendTest : public testing::TestWithParam<LoopKind> {
 protected:
  ClientSendTest() : server_({.port = 0, .threads = 1, .loop = GetParam()}) {
    server_.websocket("/",
                      {.open =
                           [this](Session& session) {
                             if (paused_) session.pause();
                             const std::scoped_lock lock(mutex_);
                             session_ = session.id();
                           },
                       .message = [this](Session&, const Message& message) { inbox_.add(message.text()); },
                       .close = [this](Session&, const Close&) { ++closed_; }});
    EXPECT_TRUE(server_.start());
  }
  ClientOptions options() const {
    return {.url = "ws://" + server_.addresses().front(),
            .reconnect = {.wait_min = 1ms, .wait_max = 2ms},
            .deflate = {.enabled = false},
            .loop = GetParam()};
  }
  void with_session(UniqueFunction<void(Session&)> task) {
    const std::scoped_lock lock(mutex_);
    server_.post(session_, std::move(task));
  }
  void expect_numbers(std::size_t count) const {
    while (inbox_.size() < count) std::this_thread::yield();
    const auto texts = inbox_.texts();
    ASSERT_EQ(texts.size(), count);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(std::stoul(texts[i]), i);
  }

  Inbox inbox_;
  std::atomic<bool> paused_ = false;
  std::atomic<int> closed_ = 0;
  std::mutex mutex_;
  SessionId session_;
  Server server_;
};

TEST_P(ClientSendTest, ItIsClosedBeforeTheConnectionIsOpenAndAfterItsEnd) {
  std::promise<void> opened;
  std::promise<void> ended;
  Client client(options(), {.open = [&](Client&, const Opened&) { opened.set_value(); },
                            .close = [&](Client&, const Close&, auto) { ended.set_value(); }});
  EXPECT_EQ(client.send("before start"), SendResult::closed);
  EXPECT_FALSE(client.is_open());
  ASSERT_TRUE(client.start());
  opened.get_future().wait();
  EXPECT_TRUE(client.is_open());
  EXPECT_EQ(client.send("0"), SendResult::queued);
  expect_numbers(1);
  with_session([](Session& session) { session.close(1000, "enough"); });
  ended.get_future().wait();
  EXPECT_FALSE(client.is_open());
  EXPECT_EQ(client.send("after"), SendResult::closed);
  EXPECT_EQ(client.ping(), SendResult::closed);
  client.run();
  EXPECT_EQ(client.unsent_messages(), 0U);
  EXPECT_EQ(inbox_.size(), 1U);
}

TEST_P(ClientSendTest, WhatWasSentBeforeCloseArrivesAndNothingAfterIt) {
  constexpr std::size_t kMessages = 500;
  std::promise<void> opened;
  Client client(options(), {.open = [&](Client&, const Opened&) { opened.set_value(); }});
  ASSERT_TRUE(client.start());
  opened.get_future().wait();
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_NE(client.send(std::to_string(i) + std::string(1000, ' ')), SendResult::closed);
  }
  client.close();
  EXPECT_EQ(client.send("late"), SendResult::closed);
  client.close(4000, "a second time");
  client.run();
  expect_numbers(kMessages);
  EXPECT_EQ(client.unsent_messages(), 0U);
}

// The server does not read: send() takes a bounded amount, then returns closed. The connection stays open.
TEST_P(ClientSendTest, AtOutboxBytesMaxItIsClosedAndTheConnectionStaysOpen) {
  constexpr std::size_t kMax = 1 << 20;
  constexpr std::size_t kMessage = 10'000;
  paused_ = true;
  std::promise<void> opened;
  std::atomic<int> drains = 0;
  ClientOptions bounded = options();
  bounded.limits.outbox_bytes_max = kMax;
  bounded.limits.outbox_bytes_high = kMax / 4;
  Client client(bounded, {.open = [&](Client&, const Opened&) { opened.set_value(); },
                          .drain = [&](Client&) { ++drains; },
                          .close = [&](Client&, const Close&, auto) { ADD_FAILURE() << "it was closed"; }});
  ASSERT_TRUE(client.start());
  opened.get_future().wait();
  std::size_t taken = 0;
  bool congested = false;
  // The sockets' buffers take some megabytes, with delays: it is full when many attempts in a row are
  // refused.
  for (int refusals = 0; refusals < 2000;) {
    const SendResult result = client.send(std::to_string(taken) + std::string(kMessage, ' '));
    if (result == SendResult::closed) {
      ++refusals;
      std::this_thread::yield();
      continue;
    }
    refusals = 0;
    congested |= result == SendResult::congested;
    ++taken;
    ASSERT_LT(taken * kMessage, std::size_t{256} << 20) << "there is no limit";
  }
  EXPECT_TRUE(congested);
  EXPECT_TRUE(client.is_open());
  EXPECT_GE(client.buffered_amount(), kMax / 4);
  EXPECT_LE(client.buffered_amount(), kMax + 2 * (kMessage + 100));
  with_session([](Session& session) { session.resume(); });
  expect_numbers(taken);
  while (drains == 0 || client.buffered_amount() > 0) std::this_thread::yield();
  EXPECT_EQ(client.send(std::to_string(taken)), SendResult::queued);
  expect_numbers(taken + 1);
  EXPECT_EQ(client.unsent_messages(), 0U);
}

TEST_P(ClientSendTest, OneMessageMayBeLargerThanTheLimit) {
  std::promise<void> opened;
  ClientOptions bounded = options();
  bounded.limits.outbox_bytes_max = 1000;
  bounded.limits.outbox_bytes_high = 1000;
  Client client(bounded, {.open = [&](Client&, const Opened&) { opened.set_value(); }});
  ASSERT_TRUE(client.start());
  opened.get_future().wait();
  EXPECT_EQ(client.send("0" + std::string(1 << 20, ' ')), SendResult::congested);
  expect_numbers(1);
}

TEST_P(ClientSendTest, WhatTheConnectionDidNotTakeIsCounted) {
  constexpr std::size_t kMessage = 50'000;
  paused_ = true;
  std::promise<void> opened;
  std::promise<std::size_t> unsent;
  Client client(options(), {.open = [&](Client&, const Opened&) { opened.set_value(); },
                            .close =
                                [&](Client& self, const Close& close, auto) {
                                  self.close();
                                  unsent.set_value(close.unsent_bytes);
                                }});
  ASSERT_TRUE(client.start());
  opened.get_future().wait();
  std::size_t taken = 0;
  for (int refusals = 0; refusals < 2000;) {
    if (client.send(std::string(kMessage, 'x')) == SendResult::closed) {
      ++refusals;
      std::this_thread::yield();
    } else {
      refusals = 0;
      ++taken;
    }
  }
  server_.stop(std::chrono::milliseconds::zero());
  // The connection gets up to outbox_bytes_high, some of which the kernel may have taken. The rest of
  // outbox_bytes_max was in our own queue.
  EXPECT_GE(unsent.get_future().get(), (std::size_t{3} << 20) - 2 * kMessage);
  EXPECT_GT(client.unsent_messages(), 0U);
  EXPECT_LE(client.unsent_messages(), taken);
}

TEST_P(ClientSendTest, WithAQueueMessagesWaitForTheConnection) {
  constexpr std::size_t kMax = 100'000;
  std::promise<void> opened;
  ClientOptions queueing = options();
  queueing.queue_bytes_max = kMax;
  std::atomic<bool> in_open = false;
  Client client(queueing, {.open = [&](Client& self, const Opened&) {
                  in_open = true;
                  self.send("0 first of all");
                }});
  EXPECT_EQ(client.send("before start"), SendResult::closed);
  // No server listens there yet: attempts fail until the queue is full.
  server_.stop(std::chrono::milliseconds::zero());
  ASSERT_TRUE(client.start());
  std::size_t taken = 1;
  while (client.send(std::to_string(taken) + std::string(1000, ' ')) != SendResult::closed) ++taken;
  EXPECT_GT(taken, kMax / 1100);
  EXPECT_LE(taken, kMax / 1000 + 1);
  EXPECT_EQ(client.ping(), SendResult::closed);  // never queued
  EXPECT_FALSE(in_open);
  EXPECT_FALSE(client.is_open());
  ServerOptions again{.port = server_.port(), .threads = 1, .loop = GetParam()};
  Server successor(again);
  successor.websocket("/",
                      {.message = [this](Session&, const Message& message) { inbox_.add(message.text()); }});
  ASSERT_TRUE(successor.start());
  expect_numbers(taken);
  while (client.send("last") != SendResult::queued) std::this_thread::yield();
  client.close();
  client.run();
  EXPECT_EQ(client.unsent_messages(), 0U);
  EXPECT_EQ(inbox_.size(), taken + 1);
}

TEST_P(ClientSendTest, WithAQueueMessagesSurviveTheLossOfTheConnection) {
  constexpr std::size_t kMessage = 50'000;
  paused_ = true;
  std::promise<void> opened;
  std::atomic<int> opens = 0;
  std::atomic<std::size_t> unsent_bytes = 0;
  ClientOptions queueing = options();
  queueing.queue_bytes_max = 1;
  Client client(queueing,
                {.open =
                     [&](Client&, const Opened&) {
                       if (++opens == 1) opened.set_value();
                     },
                 .close = [&](Client&, const Close& close, auto) { unsent_bytes = close.unsent_bytes; }});
  ASSERT_TRUE(client.start());
  opened.get_future().wait();
  std::size_t taken = 0;
  for (int refusals = 0; refusals < 2000;) {
    if (client.send(std::to_string(taken) + std::string(kMessage, ' ')) == SendResult::closed) {
      ++refusals;
      std::this_thread::yield();
    } else {
      refusals = 0;
      ++taken;
    }
  }
  paused_ = false;
  with_session([](Session& session) { session.close(1012); });
  while (opens < 2) std::this_thread::yield();
  while (client.send(std::to_string(taken)) == SendResult::closed) std::this_thread::yield();
  ++taken;
  // Only the messages that the first connection had taken are lost, and none after them.
  std::size_t expected = 0;
  const auto last = [&] {
    const auto texts = inbox_.texts();
    return texts.empty() ? std::size_t{0} : std::stoul(texts.back());
  };
  while (last() != taken - 1) std::this_thread::yield();
  const auto texts = inbox_.texts();
  for (std::size_t i = texts.size(); i-- > 0;) ASSERT_EQ(std::stoul(texts[i]), taken - 1 - expected++);
  EXPECT_GT(texts.size(), std::size_t{10});
  EXPECT_GT(unsent_bytes, 0U);
  EXPECT_EQ(client.unsent_messages(), 0U);
}

TEST_P(ClientSendTest, ManyThreadsMaySendAndCloseAtOnce) {
  for (int round = 0; round < 20; ++round) {
    std::promise<void> opened;
    std::atomic<std::size_t> taken = 0;
    const std::size_t before = inbox_.size();
    Client client(options(), {.open = [&](Client&, const Opened&) { opened.set_value(); }});
    ASSERT_TRUE(client.start());
    opened.get_future().wait();
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          if (client.send("x") != SendResult::closed) ++taken;
          if (t == 0 && i == 25) client.close();
          client.pause();
          client.resume();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    client.run();
    while (inbox_.size() < before + taken) std::this_thread::yield();
    EXPECT_EQ(inbox_.size(), before + taken);
  }
}

const auto kSendLoopName = [](const auto& loop) { return loop.param == LoopKind::epoll ? "epoll" : "uring"; };
INSTANTIATE_TEST_SUITE_P(Loops, ClientSendTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         kSendLoopName);

}  // namespace
}  // namespace fanfare
