#pragma once
// For tests only: a pool of nodes that report their chain. Time is simulated.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "upstream/pool.h"
#include "upstream/time_for_tests.h"

namespace fanfare::upstream::testing {

using namespace std::chrono_literals;

inline const CallOptions kChainRead{.method = "eth_getBalance", .repeat = Repeat::always};
inline const CallOptions kChainWrite{.method = "eth_sendRawTransaction"};
inline const Failure kChainRefused{.kind = FailureKind::connect, .message = "refused"};
inline const Failure kLost{.kind = FailureKind::closed, .message = "dropped", .sent = true};
inline const Failure kBadGateway{
    .kind = FailureKind::http_status, .http_status = 502, .message = "502", .sent = true};
inline const std::string kOne = "0x" + std::string(63, '0') + "1";
inline const std::string kTwo = "0x" + std::string(63, '0') + "2";

// Every call takes a millisecond.
struct ChainNode final : Backend {
  ChainNode(SimulatedTime& its_time, std::string called) : time(its_time), id(std::move(called)) {}
  void call(std::string body, CallOptions options, Done done) override {
    asked.push_back(options.method);

    // The answer reflects the state at the time of answering.
    time.call_after(latency, [this, here = std::weak_ptr(alive), body = std::move(body),
                              done = std::move(done)]() mutable {
      if (here.expired() || silent) return;
      Result result = answer(body);
      if (!said_before.empty() && body.contains("eth_chainId")) {
        result = Reply{.body = std::exchange(said_before, {})};
      }
      if (result && !body.contains("eth_chainId")) {
        result->new_connection = all_are_new || std::exchange(next_is_new, false);
      }
      done(std::move(result));
    });
  }
  Result answer(const std::string& body) const {
    if (failure) return std::unexpected(*failure);
    if (body.contains("eth_chainId")) {
      if (!knows_chain_id)
        return Reply{.body = R"({"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}})"};
      return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":"0x)" + std::to_string(chain_id) + "\"}"};
    }
    if (body.contains("\"0x0\"")) {
      if (loses_genesis) return std::unexpected(kLost);
      if (genesis.empty()) return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":null})"};
      return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":{"number":"0x0","hash":")" + genesis + "\"}}"};
    }
    if (body.contains("eth_blockNumber")) return Reply{.body = R"({"jsonrpc":"2.0","id":0,"result":"0x5"})"};
    return Reply{.body = "[\"" + id + "\"]"};
  }
  std::optional<std::uint64_t> connection() const override { return its_connection; }
  void on_reconnect(std::function<void()> reconnected) override { when_reconnected = std::move(reconnected); }
  std::string_view name() const override { return id; }
  std::size_t count(std::string_view method) const {
    return static_cast<std::size_t>(std::ranges::count(asked, method));
  }

  SimulatedTime& time;
  std::string id;
  std::uint64_t chain_id = 1;
  bool knows_chain_id = true;
  std::string genesis = kOne;
  std::optional<Failure> failure;
  bool silent = false;
  Duration latency = 1ms;
  std::string said_before;     // replaces the next answer to eth_chainId
  bool loses_genesis = false;  // the request for it fails
  bool next_is_new = false;    // the next answer comes over a new connection
  bool all_are_new = false;    // every answer does
  std::optional<std::uint64_t> its_connection;
  std::function<void()> when_reconnected;
  std::vector<std::string> asked;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

struct Changes final : Observer {
  void call_finished(const CallReport&) override {}
  void chain_changed(std::string_view endpoint, bool right) override {
    told.push_back(std::string(endpoint) + (right ? " right" : " wrong"));
  }
  std::vector<std::string> told;
};

struct PoolChainTest : ::testing::Test {
  void make(std::size_t count, ChainCheckOptions chain = {.chain_id = 1}) {
    chain.enabled = true;
    chain.learnt = [this](std::uint64_t chain_id) { learnt.push_back(chain_id); };
    std::vector<std::unique_ptr<Backend>> members;
    for (std::size_t i = 0; i < count; ++i) {
      auto node = std::make_unique<ChainNode>(time, std::string(1, static_cast<char>('a' + i)));
      nodes.push_back(node.get());
      members.push_back(std::move(node));
    }
    pool = std::make_unique<Pool>(
        time, std::move(members),
        PoolOptions{.watch_heads_every = 0s, .chain = std::move(chain), .random = &random}, &changes);
  }
  // The caller's result, which must come within a second: no call waits for an unusable node.
  std::string answer(const CallOptions& options = kChainRead, Duration most = 1s) {
    const auto end = std::make_shared<std::optional<Result>>();
    pool->call("{}", options, [end](Result result) { *end = std::move(result); });
    EXPECT_FALSE(*end) << "ended inside call()";
    if (!time.run_until([&] { return end->has_value(); }, most, 1ms)) return "nothing in time";
    return **end ? (**end)->body : std::string(to_string((*end)->error().kind));
  }

  SimulatedTime time;
  SeededRandom random{1};
  Changes changes;
  std::vector<std::uint64_t> learnt;
  std::vector<ChainNode*> nodes;
  std::unique_ptr<Pool> pool;
};

}  // namespace fanfare::upstream::testing
