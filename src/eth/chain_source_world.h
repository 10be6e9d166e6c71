#pragma once
// For tests only: a chain source, the simulated node it calls, and a loop with subscribers fed from it.

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "eth/chain_source.h"
#include "eth/simulated_node.h"
#include "eth/subscription_manager.h"
#include "jsonrpc/value.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

inline std::string simulated_address(std::uint64_t which) {
  return "0x" + std::string(39, '0') + std::to_string(which);
}
inline std::string simulated_topic(std::uint64_t which) {
  return "0x" + std::string(63, '0') + std::to_string(which);
}

// Gives a block up to `logs_max` logs from a few addresses and topics, and a bloom that says whether it has
// any.
inline void fill_with_logs(SimulatedBlock& block, Random& random, std::uint64_t logs_max) {
  const std::uint64_t count = random.below(logs_max + 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string topics;
    const std::uint64_t topic_count = random.below(5);
    for (std::uint64_t k = 0; k < topic_count; ++k) {
      topics += (k > 0 ? ",\"" : "\"") + simulated_topic(random.below(4)) + '"';
    }
    block.logs.push_back(R"({"address":")" + simulated_address(random.below(3)) + R"(","topics":[)" + topics +
                         R"(],"data":"0x","blockNumber":")" + to_quantity(block.number) +
                         R"(","transactionHash":"0x1","transactionIndex":"0x0","blockHash":")" +
                         to_hex(block.hash) + R"(","logIndex":")" + to_quantity(i) + R"("})");
  }
  if (count > 0) block.bloom = "0x" + std::string(512, 'f');
}

// A receipt with all logs that the block has so far, or with none.
inline std::string receipt_of(const SimulatedBlock& block, const std::string& transaction, bool has_logs) {
  std::string receipt =
      R"({"transactionHash":")" + transaction + R"(","blockHash":")" + to_hex(block.hash) + R"(","logs":[)";
  for (std::size_t i = 0; has_logs && i < block.logs.size(); ++i) {
    receipt.append(i > 0 ? "," : "").append(block.logs[i]);
  }
  return receipt + "]}";
}

// Up to `most` receipts of transactions from a small set of hashes; the first one has the block's logs.
inline void fill_with_receipts(SimulatedBlock& block, Random& random, std::uint64_t most) {
  const std::uint64_t least = block.logs.empty() ? 0 : 1;
  const std::uint64_t count = std::max(least, random.below(most + 1));
  for (std::uint64_t i = 0; i < count; ++i) {
    block.receipts.push_back(receipt_of(block, simulated_topic(random.below(4)), i == 0));
  }
}

inline std::string receipts_json(const SimulatedBlock& block) {
  std::string all = "[";
  for (const std::string& receipt : block.receipts) all += (all.size() > 1 ? "," : "") + receipt;
  return all + "]";
}

// One subscription's notifications, in order: the `result` or the `notice` of each, and the last cursor.
struct RecordingSubscriber final : pubsub::Subscriber {
  bool deliver(const SharedBytes& frame) override {
    const std::string_view text = as_text(frame.view());
    const auto params = jsonrpc::member(text, "params").value_or("");
    if (const auto result = jsonrpc::member(params, "result")) results.emplace_back(*result);
    if (const auto notice = jsonrpc::member(params, "notice")) notices.emplace_back(*notice);
    if (const auto raw = jsonrpc::member(params, "cursor")) cursor = jsonrpc::string_copy(*raw).value();
    return true;
  }
  bool is_congested() const override { return congested; }

  std::vector<std::string> results;
  std::vector<std::string> notices;
  std::string cursor;
  bool congested = false;
};

struct ChainSourceWorld {
  // `shared_node` belongs to another world and must outlive this one; without it the world has its own.
  explicit ChainSourceWorld(const ChainSourceOptions& options = {}, std::uint64_t seed = 1,
                            SimulatedNode* shared_node = nullptr)
      : random(seed),
        own_node(random),
        node(shared_node == nullptr ? own_node : *shared_node),
        source(options, random),
        manager({.network = "main/1", .types = kAllSubscriptionTypes}, topics,
                [](std::string_view text) { return SharedBytes(as_bytes(text)); }) {
    own_node.fill_block = [this](SimulatedBlock& block) {
      fill_with_logs(block, random, 3);
      fill_with_receipts(block, random, 2);
    };
  }

  void subscribe(ConnectionKey key, RecordingSubscriber& subscriber, const std::string& params) {
    const std::string id = manager.subscribe(key, subscriber, params).value();
    source.set_interest(0, manager.interest(), now);
    if (const auto missing = manager.activate(key, id)) ask_history(*missing);
  }
  void drop(ConnectionKey key) {
    manager.drop(key);
    source.set_interest(0, manager.interest(), now);
  }
  // The subscriber reads again.
  void drained(ConnectionKey key) {
    for (const auto& missing : manager.drained(key)) ask_history(missing);
  }
  void ask_history(const SubscriptionManager::Missing& missing) {
    resuming[source.resume(missing.from, missing.needs, now)] = {missing.connection, missing.id};
  }
  // Does what the gateway does with the source's events.
  void publish() {
    for (SourceEvent& event : source.take_events()) {
      manager.publish(event);
      const std::size_t closed_before = closed.size();
      take_aftermath();
      if (const auto* missing = std::get_if<LogsMissing>(&event); missing && closed.size() > closed_before) {
        missed_logs.push_back(missing->header->number);
      }
      events.push_back(std::move(event));
    }
    for (const History::Answer& answer : source.take_history()) {
      const auto [key, id] = resuming.extract(answer.job).mapped();
      if (const auto missing = manager.replay(key, id, answer.batch)) ask_history(*missing);
      take_aftermath();
    }
  }
  void take_aftermath() {
    const SubscriptionManager::Aftermath aftermath = manager.take_aftermath();
    for (const auto& missing : aftermath.missing) ask_history(missing);
    closed.insert(closed.end(), aftermath.closing.begin(), aftermath.closing.end());
  }
  // Answers calls until none are outstanding.
  void settle() {
    publish();
    for (auto calls = source.take_calls(); !calls.empty(); calls = source.take_calls()) {
      for (const jsonrpc::UpstreamCall& call : calls) {
        if (!held || !held(call)) reply(call.id, node.answer(call));
      }
      publish();
    }
  }
  bool reply(std::uint64_t call_id, const std::string& json) {
    return source.on_reply(call_id, jsonrpc::CallResult(json), now);
  }
  bool reject(std::uint64_t call_id, int code = -32601) {
    return source.on_reply(
        call_id,
        std::unexpected(jsonrpc::CallFailure{
            .kind = jsonrpc::CallFailure::Kind::rejected, .code = code, .message = "rejected"}),
        now);
  }
  void start() {
    source.start(now);
    settle();
  }
  // Advances to the next timer.
  void tick() {
    now = std::max(now, source.next_timer().value());
    source.on_timer(now);
    settle();
  }
  // Runs until the source has announced the node's head.
  void catch_up() {
    for (int i = 0; i < 1000 && (source.tip()->hash != node.head().hash || source.chain_status().pending > 0);
         ++i) {
      tick();
    }
  }
  template <typename Event>
  std::vector<Event> all() const {
    std::vector<Event> found;
    for (const SourceEvent& event : events) {
      if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
    }
    return found;
  }

  SeededRandom random;
  SimulatedNode own_node;
  SimulatedNode& node;
  ChainSource source;
  pubsub::TopicTable topics;
  SubscriptionManager manager;
  Instant now{std::chrono::hours(1)};
  std::vector<SourceEvent> events;
  std::vector<std::uint64_t> missed_logs;  // blocks whose logs connections would be closed for
  std::vector<SubscriptionManager::Aftermath::Closing>
      closed;  // the connections that the gateway would close
  std::map<std::uint64_t, std::pair<ConnectionKey, std::string>> resuming;
  std::function<bool(const jsonrpc::UpstreamCall&)> held;
};

// The logs that a subscriber to this filter holds in the end, of the blocks after `after`, without "removed".
inline std::vector<std::string> expected_logs(const SimulatedNode& node, std::uint64_t after,
                                              const LogFilter& filter) {
  std::vector<std::string> expected;
  for (const SimulatedBlock& block : node.chain()) {
    if (block.number <= after) continue;
    std::string all = "[";
    for (const std::string& log : block.logs) all += (all.size() > 1 ? "," : "") + log;
    const BlockLogs logs = parse_block_logs(all + "]", block.hash).value();
    for (const BlockLogs::Entry& entry : logs.entries) {
      if (filter.matches(entry.key)) expected.push_back(entry.head_json);
    }
  }
  return expected;
}

}  // namespace fanfare::eth
