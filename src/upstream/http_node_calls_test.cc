// How calls share an endpoint, and how they end when the endpoint or its worker is destroyed.

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "base/byte_budget.h"
#include "jsonrpc/value.h"
#include "upstream/http_clients_for_tests.h"
#include "upstream/http_node.h"
#include "upstream/test_calls.h"
#include "upstream/test_server.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::expect_failure;
using testing::HttpClientsTest;
using testing::kAnswer;
using testing::kRead;
using testing::Peer;
using testing::Request;
using testing::TestServer;

class HttpEndpointCalls : public HttpClientsTest {};
INSTANTIATE_TEST_SUITE_P(Clients, HttpEndpointCalls, testing::kHttpSetups, testing::name_of_setup);

// A node, or a proxy in front of it, that answers once more than it was asked.
TEST_P(HttpEndpointCalls, AnAnswerToAnotherCallIsNeverDelivered) {
  const auto answer_to = [](const std::string& request) {
    return R"({"jsonrpc":"2.0","id":)" + std::string(*jsonrpc::member(request, "id")) + R"(,"result":)" +
           std::string(*jsonrpc::member(request, "params")) + "}";
  };
  TestServer server([&](Peer& peer, const Request& request) {
    peer.reply(answer_to(request.body));
    peer.reply(answer_to(request.body));
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .connections_max = 1}));
  std::vector<std::promise<Result>> results(50);
  worker.run([&] {
    for (std::size_t i = 0; i < results.size(); ++i) {
      endpoint.call(R"({"jsonrpc":"2.0","id":0,"method":"a","params":[)" + std::to_string(i) + "]}", kRead,
                    [&results, i](Result result) { results[i].set_value(std::move(result)); });
    }
  });
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Result result = results[i].get_future().get();
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->body, R"({"jsonrpc":"2.0","id":0,"result":[)" + std::to_string(i) + "]}");
  }
}

TEST_P(HttpEndpointCalls, ANodeThatOnlyAnswersOthersIsABadReply) {
  TestServer server([](Peer& peer, const Request&) { peer.reply(R"({"id":77,"result":1})"); });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  for (int i = 0; i < 3; ++i) {
    expect_failure(ask(worker, endpoint, R"({"id":0,"method":"a"})", kRead), FailureKind::bad_reply);
  }
  // The first is asked once, on its new connection. Each further one is asked again, on another.
  EXPECT_EQ(server.requests(), 5);
  EXPECT_EQ(server.connections(), 3);
}

// RFC9110§15.5.9: the node closes an idle connection, and says why. A write got a connection of its own.
TEST_P(HttpEndpointCalls, ATimeoutOfAKeptConnectionIsNotTheAnswerToARead) {
  TestServer server([](Peer& peer, const Request& request) {
    if (request.connection == 1 && request.body == R"({"id":2,"method":"a"})") {
      peer.reply("", "408 Request Timeout", "Connection: close\r\n");
    } else {
      peer.reply(R"({"id":)" + std::string(*jsonrpc::member(request.body, "id")) + R"(,"result":1})");
    }
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  for (int i = 0; i < 2; ++i) {
    const Result result = ask(worker, endpoint, R"({"id":0,"method":"a"})", kRead);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->body, R"({"id":0,"result":1})");
  }
  EXPECT_EQ(server.requests(), 3);
}

TEST_P(HttpEndpointCalls, CallsBeyondTheConnectionsWaitAndBeyondTheQueueAreRefused) {
  std::latch release(1);
  std::promise<void> arrived;
  TestServer server([&](Peer& peer, const Request& request) {
    if (request.body == "0") arrived.set_value();
    release.wait();
    peer.reply("[" + request.body + "]");
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .connections_max = 1, .queued_calls_max = 2}));
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

TEST_P(HttpEndpointCalls, AnAnswerSaysWhetherItsConnectionIsNew) {
  TestServer server([](Peer& peer, const Request& request) {
    peer.reply(kAnswer);
    if (request.body == "last") peer.close();
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  const auto is_new = [&](const char* body) { return ask(worker, endpoint, body, kRead)->new_connection; };
  EXPECT_TRUE(is_new("first"));
  EXPECT_FALSE(is_new("second"));
  EXPECT_FALSE(is_new("last"));
  EXPECT_TRUE(is_new("fourth"));  // the node closed the previous one, as a restarted node does
  EXPECT_FALSE(is_new("fifth"));
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(HttpEndpointCalls, ACallThatWaitsTooLongInTheQueueIsNeverSent) {
  std::latch release(1);
  TestServer server([&](Peer& peer, const Request&) {
    release.wait();
    peer.reply(kAnswer);
  });
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url(), .connections_max = 1}));
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

TEST_P(HttpEndpointCalls, StoppingTheWorkerEndsEveryCallOnce) {
  std::latch release(1);
  std::promise<void> arrived;
  TestServer server([&](Peer&, const Request&) {
    arrived.set_value();
    release.wait();
  });
  std::vector<FailureKind> ends;
  {
    Worker worker(on_loop());
    HttpNode endpoint(worker, with_client({.url = server.url(), .connections_max = 1}));
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

TEST_P(HttpEndpointCalls, EndsItsCallsWhenItGoesWhileTheWorkerStays) {
  std::latch release(1);
  TestServer server([&](Peer&, const Request&) { release.wait(); });
  Worker worker(on_loop());
  auto endpoint = std::make_unique<HttpNode>(worker, with_client({.url = server.url()}));
  std::promise<Result> result;
  worker.run([&] { endpoint->call("{}", kRead, [&](Result got) { result.set_value(std::move(got)); }); });
  endpoint.reset();
  expect_failure(result.get_future().get(), FailureKind::shutdown);
  release.count_down();
}

TEST_P(HttpEndpointCalls, MayBeDestroyedByItsOwnAnswer) {
  TestServer server([](Peer& peer, const Request&) { peer.reply(kAnswer); });
  Worker worker(on_loop());
  auto endpoint = std::make_unique<HttpNode>(worker, with_client({.url = server.url()}));
  std::promise<bool> done;
  worker.run([&] {
    endpoint->call("{}", kRead, [&](const Result& result) {
      endpoint.reset();
      done.set_value(result.has_value());
    });
  });
  EXPECT_TRUE(done.get_future().get());
}

// Two answers arrive together, and there is room for one: the other must not keep its part until the turn ends.
TEST_P(HttpEndpointCalls, ARefusedAnswerGivesItsMemoryBackAtOnce) {
  constexpr std::size_t kFirstPart = 45'000;
  constexpr std::size_t kShare = 100'000;
  const std::string answer = R"({"jsonrpc":"2.0","id":1,"result":")" + std::string(60'000, 'x') + "\"}";
  std::latch first_parts_read(1);
  std::latch all_sent(2);
  TestServer server([&](Peer& peer, const Request&) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(answer.size()) + "\r\n\r\n" +
              answer.substr(0, kFirstPart));
    first_parts_read.wait();
    peer.send(answer.substr(kFirstPart));
    all_sent.count_down();
  });
  ByteBudget budget(10 * kShare);
  Worker worker(on_loop());
  HttpNode endpoint(worker, with_client({.url = server.url()}));
  CallOptions options = kRead;
  options.payer = std::make_shared<ByteShare>(budget, kShare);
  std::array<std::promise<Result>, 2> promises;
  for (std::promise<Result>& promise : promises) {
    worker.post([&endpoint, &options, &promise] {
      endpoint.call("{}", options, [&promise](Result got) { promise.set_value(std::move(got)); });
    });
  }
  while (budget.used() < 2 * kFirstPart) std::this_thread::yield();
  // Both are there before the worker reads more of either.
  worker.post([&] {
    first_parts_read.count_down();
    all_sent.wait();
  });
  const Result first = promises[0].get_future().get();
  const Result second = promises[1].get_future().get();
  ASSERT_NE(first.has_value(), second.has_value());
  expect_failure(first.has_value() ? second : first, FailureKind::no_room);
  EXPECT_EQ((first.has_value() ? first : second)->body, answer);
}

}  // namespace
}  // namespace fanfare::upstream
