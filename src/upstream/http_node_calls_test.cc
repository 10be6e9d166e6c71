// How calls share an endpoint, and how they end when the endpoint or its worker is destroyed.

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <memory>
#include <vector>

#include "upstream/http_node.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::expect_failure;
using testing::kAnswer;
using testing::kRead;
using testing::Peer;
using testing::Request;
using testing::TestServer;

TEST(HttpEndpointCalls, CallsBeyondTheConnectionsWaitAndBeyondTheQueueAreRefused) {
  std::latch release(1);
  std::promise<void> arrived;
  TestServer server([&](Peer& peer, const Request& request) {
    if (request.body == "0") arrived.set_value();
    release.wait();
    peer.reply("[" + request.body + "]");
  });
  Worker worker;
  HttpNode endpoint(worker, {.url = server.url(), .connections_max = 1, .queued_calls_max = 2});
  std::vector<std::promise<Result>> results(5);
  worker.run([&] {
    for (int i = 0; i < 4; ++i) {
      endpoint.call(std::to_string(i), kRead,
                    [&, i](Result result) { results[i].set_value(std::move(result)); });
    }
  });
  arrived.get_future().wait();
  expect_failure(results[3].get_future().get(), FailureKind::overloaded);
  EXPECT_EQ(server.requests(), 1);
  release.count_down();
  for (int i = 0; i < 3; ++i) {
    const Result result = results[i].get_future().get();
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->body, "[" + std::to_string(i) + "]");
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpEndpointCalls, AnAnswerSaysWhetherItsConnectionIsNew) {
  TestServer server([](Peer& peer, const Request& request) {
    peer.reply(kAnswer);
    if (request.body == "last") peer.close();
  });
  Worker worker;
  HttpNode endpoint(worker, {.url = server.url()});
  const auto is_new = [&](const char* body) { return ask(worker, endpoint, body, kRead)->new_connection; };
  EXPECT_TRUE(is_new("first"));
  EXPECT_FALSE(is_new("second"));
  EXPECT_FALSE(is_new("last"));
  EXPECT_TRUE(is_new("fourth"));  // the node closed the previous one, as a restarted node does
  EXPECT_FALSE(is_new("fifth"));
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpEndpointCalls, ACallThatWaitsTooLongInTheQueueIsNeverSent) {
  std::latch release(1);
  TestServer server([&](Peer& peer, const Request&) {
    release.wait();
    peer.reply(kAnswer);
  });
  Worker worker;
  HttpNode endpoint(worker, {.url = server.url(), .connections_max = 1});
  std::promise<Result> first;
  worker.run(
      [&] { endpoint.call("first", kRead, [&](Result result) { first.set_value(std::move(result)); }); });
  const Result second = ask(worker, endpoint, "second", {.timeout = 20ms});
  release.count_down();
  expect_failure(second, FailureKind::overloaded);
  EXPECT_FALSE(second.error().sent);
  EXPECT_TRUE(first.get_future().get().has_value());
  EXPECT_EQ(server.requests(), 1);
}

TEST(HttpEndpointCalls, StoppingTheWorkerEndsEveryCallOnce) {
  std::latch release(1);
  std::promise<void> arrived;
  TestServer server([&](Peer&, const Request&) {
    arrived.set_value();
    release.wait();
  });
  std::vector<FailureKind> ends;
  {
    Worker worker;
    HttpNode endpoint(worker, {.url = server.url(), .connections_max = 1});
    worker.run([&] {
      for (int i = 0; i < 3; ++i) {
        endpoint.call("{}", kRead, [&](Result result) {
          ends.push_back(result.error().kind);
          // A call made during the end is ended as well.
          if (ends.size() == 1) {
            endpoint.call("{}", kRead, [&](Result last) { ends.push_back(last.error().kind); });
          }
        });
      }
    });
    arrived.get_future().wait();
    worker.stop();
    EXPECT_EQ(ends, std::vector<FailureKind>(4, FailureKind::shutdown));
    release.count_down();
  }
  EXPECT_EQ(ends.size(), 4U);
}

TEST(HttpEndpointCalls, EndsItsCallsWhenItGoesWhileTheWorkerStays) {
  std::latch release(1);
  TestServer server([&](Peer&, const Request&) { release.wait(); });
  Worker worker;
  auto endpoint = std::make_unique<HttpNode>(worker, HttpOptions{.url = server.url()});
  std::promise<Result> result;
  worker.run([&] { endpoint->call("{}", kRead, [&](Result got) { result.set_value(std::move(got)); }); });
  endpoint.reset();
  expect_failure(result.get_future().get(), FailureKind::shutdown);
  release.count_down();
}

TEST(HttpEndpointCalls, MayBeDestroyedByItsOwnAnswer) {
  TestServer server([](Peer& peer, const Request&) { peer.reply(kAnswer); });
  Worker worker;
  auto endpoint = std::make_unique<HttpNode>(worker, HttpOptions{.url = server.url()});
  std::promise<bool> done;
  worker.run([&] {
    endpoint->call("{}", kRead, [&](const Result& result) {
      endpoint.reset();
      done.set_value(result.has_value());
    });
  });
  EXPECT_TRUE(done.get_future().get());
}

}  // namespace
}  // namespace fanfare::upstream
