#pragma once
// The nodes for tests of a pool: they answer as set, count, and live on their own worker.

#include <gtest/gtest.h>

#include <cstdio>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "upstream/pool.h"
#include "upstream/test_calls.h"

namespace fanfare::upstream::testing {

using namespace std::chrono_literals;

inline const CallOptions kWrite{.method = "eth_sendTransaction"};
inline const Failure kRefused{.kind = FailureKind::connect, .message = "refused", .sent = false};
inline const Failure kDropped{.kind = FailureKind::closed, .message = "dropped", .sent = true};

// A node of a test: answers calls with `act`, heads with `head`, and counts. Everything on the worker.
struct Node final : Backend {
  Node(Worker& on, std::string called) : worker(on), id(std::move(called)) {}
  ~Node() override {
    for (Done& done : held) done(std::unexpected(Failure{.kind = FailureKind::shutdown}));
    for (auto& [done, result] : std::exchange(*answering, {}))
      done(std::unexpected(Failure{.kind = FailureKind::shutdown}));
  }
  void call(std::string body, CallOptions options, Done done) override {
    Result result = Reply{.body = "[\"" + id + "\"]"};
    if (body.find("eth_blockNumber") != std::string::npos) {
      ++head_calls;
      if (head == 0) result = std::unexpected(head_failure.value_or(kDropped));
      if (head != 0) result = Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":")" + hex(head) + "\"}"};
    } else {
      ++calls;
      last_timeout = options.timeout;
      if (failure) result = std::unexpected(*failure);
    }
    if (hold) {
      held.push_back(std::move(done));
      return;
    }
    answering->emplace_back(std::move(done), std::move(result));
    worker.post([answering = answering] {
      if (answering->empty()) return;  // ended with the node
      auto [answer, its_result] = std::move(answering->front());
      answering->pop_front();
      answer(std::move(its_result));
    });
  }
  std::string_view name() const override { return id; }
  static std::string hex(std::uint64_t number) {
    char text[24];
    std::snprintf(text, sizeof(text), "0x%lx", static_cast<unsigned long>(number));
    return text;
  }

  Worker& worker;
  std::string id;
  std::optional<Failure> failure;
  std::optional<Failure> head_failure;  // of head requests, while `head` is empty
  bool hold = false;
  std::uint64_t head = 0;
  int calls = 0;
  int head_calls = 0;
  std::optional<Duration> last_timeout;
  std::vector<Done> held;
  // Pending answers; destroying the backend ends them.
  std::shared_ptr<std::deque<std::pair<Done, Result>>> answering =
      std::make_shared<std::deque<std::pair<Done, Result>>>();
};

// Turns the pool's events into something that a test can wait for.
struct Edges final : Observer {
  void call_finished(const CallReport&) override {}
  void availability_changed(std::string_view endpoint, bool available) override {
    changes.push_back(std::string(endpoint) + (available ? " up" : " down"));
    if (available && !std::exchange(has_recovered, true)) recovered.set_value();
  }
  void failed_over(std::string_view from, std::string_view to) override {
    overs.push_back(std::string(from) + " to " + std::string(to));
  }
  std::vector<std::string> changes, overs;
  std::promise<void> recovered;  // for the first time
  bool has_recovered = false;
};

struct PoolTest : ::testing::Test {
  Edges edges;
  Worker worker;
  std::vector<Node*> nodes;
  std::unique_ptr<Pool> pool;

  void make(std::size_t count, PoolOptions options = {.watch_heads_every = 0s}) {
    std::vector<std::unique_ptr<Backend>> members;
    for (std::size_t i = 0; i < count; ++i) {
      auto node = std::make_unique<Node>(worker, std::string(1, static_cast<char>('a' + i)));
      nodes.push_back(node.get());
      members.push_back(std::move(node));
    }
    pool = std::make_unique<Pool>(worker, std::move(members), std::move(options), &edges);
  }
  std::string answer(const CallOptions& options = kRead) {
    const Result result = ask(worker, *pool, "{}", options);
    return result ? result->body : std::string(to_string(result.error().kind));
  }
  void on_worker(Worker::Task task) { worker.run(std::move(task)); }
};

}  // namespace fanfare::upstream::testing
