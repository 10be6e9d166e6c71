// Distinct log subscriptions against blocks of 1,000 logs: the time per block depends on its matches, not on
// the number of subscriptions. Every match is encoded and passed to its subscriber. `bytes_each` is the total
// heap per subscription.
//
//   cmake --preset bench && cmake --build build/bench --target eth_logs_bench &&
//   build/bench/bench/eth_logs_bench

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "eth/block_logs.h"
#include "eth/subscription_manager.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {
namespace {

constexpr std::uint64_t kLogs = 1000;
constexpr std::uint64_t kContracts = 50;
constexpr std::uint64_t kSubscriptionsPerConnection = 100;
constexpr std::uint64_t kFirstAccount = 1000;

struct Taker final : pubsub::Subscriber {
  bool deliver(const SharedBytes& frame) override {
    benchmark::DoNotOptimize(frame.view().data());
    return true;
  }
};

std::string padded(std::uint64_t value, std::size_t digits) {
  const std::string text = to_quantity(value).substr(2);
  return "0x" + std::string(digits - text.size(), '0') + text;
}

std::string contract_of(std::uint64_t account) {
  return padded(1 + account % kContracts, 40);
}

std::string quoted_topic(std::uint64_t value) {
  return '"' + padded(value, 64) + '"';
}

// Allocated heap bytes, including large blocks from mmap.
double allocated_bytes() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
}

// 1,000 transfers; `matching` of them go to accounts with a subscription.
BlockLogs block_of(std::uint64_t matching, std::uint64_t subscriptions) {
  SeededRandom random(1);
  const std::string block = "0x" + std::string(64, 'c');
  std::string json = "[";
  for (std::uint64_t i = 0; i < kLogs; ++i) {
    const std::uint64_t account = i < matching ? random.below(subscriptions) : 10'000'000 + i;
    json +=
        (i > 0 ? "," : "") +
        (R"({"address":")" + contract_of(account) + R"(","topics":[)" + quoted_topic(1)) + "," +
        quoted_topic(2) + "," + quoted_topic(kFirstAccount + account) +
        R"(],"data":"0x","blockNumber":"0x5","transactionHash":"0x1","transactionIndex":"0x0","blockHash":")" +
        block + R"(","logIndex":")" + to_quantity(i) + "\"}";
  }
  return parse_block_logs(json + "]", *parse_hash(block)).value();
}

void match_block(benchmark::State& state) {
  const auto subscriptions = static_cast<std::uint64_t>(state.range(0));
  const auto matching = static_cast<std::uint64_t>(state.range(1));
  const double before = allocated_bytes();
  pubsub::TopicTable topics;
  SubscriptionManager manager({.network = "main/1", .types = kAllSubscriptionTypes}, topics,
                              [](std::string_view text) { return SharedBytes(as_bytes(text)); });
  Taker taker;
  for (std::uint64_t i = 0; i < subscriptions; ++i) {
    const ConnectionKey connection = i / kSubscriptionsPerConnection;
    const std::string params = R"(["logs",{"address":")" + contract_of(i) + R"(","topics":[)" +
                               quoted_topic(1) + ",null," + quoted_topic(kFirstAccount + i) + "]}]";
    manager.activate(connection, manager.subscribe(connection, taker, params).value());
  }
  state.counters["bytes_each"] = (allocated_bytes() - before) / static_cast<double>(subscriptions);
  const auto logs = std::make_shared<const BlockLogs>(block_of(matching, subscriptions));
  Header header{.number = 5, .hash = {}, .parent_hash = {}, .json = {}};
  std::uint64_t delivered = 0;
  for ([[maybe_unused]] auto _ : state) {
    const std::uint64_t delivered_before = manager.counters().delivered;
    manager.publish(BlockAdded{.header = std::make_shared<const Header>(header), .logs = logs});
    delivered = manager.counters().delivered - delivered_before;
    ++header.number;
  }
  state.counters["matches"] = static_cast<double>(delivered);
}

BENCHMARK(match_block)
    ->ArgNames({"subscriptions", "matching"})
    ->ArgsProduct({{1'000, 10'000, 100'000}, {0, 100, 1'000}})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fanfare::eth
