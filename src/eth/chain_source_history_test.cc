// Random chains with logs behind a faulty node, replayed from a seed. The notifications of every subscriber
// add up to the final chain.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "eth/chain_source_world.h"

namespace fanfare::eth {
namespace {

struct LogSubscription {
  LogFilter filter;
  RecordingSubscriber subscriber;
};

std::string random_filter(Random& random) {
  std::string json = "{";
  if (random.below(2) == 0) {
    json += R"("address":[")" + simulated_address(random.below(3)) + "\",\"" +
            simulated_address(random.below(3)) + "\"],";
  }
  json += "\"topics\":[";
  const std::uint64_t positions = random.below(4);
  for (std::uint64_t i = 0; i < positions; ++i) {
    if (i > 0) json += ',';
    json += random.below(2) == 0 ? std::string("null") : '"' + simulated_topic(random.below(4)) + '"';
  }
  return json + "]}";
}

// Applies notifications to a list of logs and checks the order: a removed log is always the newest.
std::vector<std::string> replay_logs(const std::vector<std::string>& results) {
  static constexpr std::string_view kAdded = ",\"removed\":false}";
  static constexpr std::string_view kRemoved = ",\"removed\":true}";
  std::vector<std::string> logs;
  for (const std::string& result : results) {
    if (result.ends_with(kRemoved)) {
      const std::string head = result.substr(0, result.size() - kRemoved.size());
      EXPECT_FALSE(logs.empty()) << "removed what was never told: " << result;
      if (logs.empty()) return logs;
      EXPECT_EQ(logs.back(), head);
      logs.pop_back();
    } else {
      EXPECT_TRUE(result.ends_with(kAdded)) << result;
      logs.push_back(result.substr(0, result.size() - kAdded.size()));
    }
  }
  return logs;
}

class ChainSourceHistory : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(ChainSourceHistory, EverySubscriberIsToldWhatTheFinalChainSays) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  ChainSourceOptions options;
  options.heads.stuck_rounds_max = 100'000;
  options.chain.logs_attempts_max = 100'000;
  options.chain.logs_wait_max = std::chrono::hours(24 * 365);
  ChainSourceWorld world(options, GetParam());
  Random& random = world.random;
  world.node.mine(random.below(4));
  world.start();
  const std::uint64_t first = world.source.tip()->number;

  std::vector<std::unique_ptr<LogSubscription>> subscriptions;
  for (ConnectionKey key = 0; key < 12; ++key) {
    const std::string json = key == 0 ? "{}" : random_filter(random);
    subscriptions.push_back(std::make_unique<LogSubscription>());
    subscriptions.back()->filter = parse_log_filter(json).value();
    world.subscribe(key, subscriptions.back()->subscriber, R"(["logs",)" + json + "]");
  }
  RecordingSubscriber heads;
  world.subscribe(99, heads, R"(["newHeads"])");

  std::vector<jsonrpc::UpstreamCall> pending;
  const auto collect = [&] {
    for (jsonrpc::UpstreamCall& call : world.source.take_calls()) pending.push_back(std::move(call));
    world.publish();
  };
  const auto answer_one = [&] {
    const std::size_t which = random.below(pending.size());
    const jsonrpc::UpstreamCall call = pending[which];
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(which));
    switch (random.below(14)) {
      case 0:
        world.source.on_reply(call.id, std::unexpected(jsonrpc::CallFailure{.message = "502"}), world.now);
        return;
      case 1:
        world.reply(call.id, "null");
        return;
      case 2:
        world.reply(call.id, call.method == "eth_getLogs" ? "[]" : "{}");
        return;
      case 3:
        world.reject(call.id, -32000);
        return;
      case 4:
        return;  // never answered
      default:
        world.reply(call.id, world.node.answer(call));
    }
  };
  for (int step = 0; step < 500; ++step) {
    const std::uint64_t above = world.node.head().number - std::min(first, world.node.head().number);
    const std::uint64_t move = random.below(10);
    if (move < 2) world.node.mine(1 + random.below(3));
    if (move == 2 && above > 2) {
      world.node.reorg(1 + random.below(std::min<std::uint64_t>(above - 1, 12)), random.below(5));
    }
    if (pending.empty() || random.below(5) == 0) {
      world.now = std::max(world.now, world.source.next_timer().value());
      world.source.on_timer(world.now);
    } else {
      answer_one();
    }
    collect();
  }
  world.node.mine(20);
  world.catch_up();
  ASSERT_EQ(world.source.tip()->hash, world.node.head().hash);
  ASSERT_TRUE(world.all<LogsMissing>().empty());
  ASSERT_TRUE(world.all<Gap>().empty());

  for (const auto& subscription : subscriptions) {
    ASSERT_EQ(replay_logs(subscription->subscriber.results),
              expected_logs(world.node, first, subscription->filter))
        << subscription->filter.canonical();
  }
  // A client that follows heads by their parents ends on the node's chain.
  std::vector<Header> chain;
  for (const std::string& result : heads.results) {
    Header head = parse_header(result).value();
    while (!chain.empty() && chain.back().hash != head.parent_hash) chain.pop_back();
    chain.push_back(std::move(head));
  }
  ASSERT_EQ(chain.size(), world.node.head().number - first);
  for (const Header& head : chain) EXPECT_EQ(head.hash, world.node.at(head.number).hash) << head.number;
  EXPECT_EQ(chain.back().number, world.node.head().number);
}

// FANFARE_HISTORY_SEEDS=2000 runs the seeds 1 to 2000.
std::uint64_t seeds() {
  const char* wanted = std::getenv("FANFARE_HISTORY_SEEDS");
  return wanted == nullptr ? 50 : std::strtoull(wanted, nullptr, 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChainSourceHistory, ::testing::Range<std::uint64_t>(1, 1 + seeds()));

}  // namespace
}  // namespace fanfare::eth
