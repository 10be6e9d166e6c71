// Random chains behind a faulty node, gateways that die, and subscribers that resume with their last cursor,
// on this or another instance. The notifications of each subscriber add up to the final chain. Replayed from
// a seed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "eth/chain_source_world.h"

namespace fanfare::eth {
namespace {

constexpr ConnectionKey kFirstOfLogs = 2;
constexpr ConnectionKey kFirstOfReceipts = 10;

struct Client {
  ConnectionKey key = 0;
  std::string params_before_options;  // without the closing bracket
  LogFilter filter;
  ReceiptFilter receipts;
  std::unique_ptr<RecordingSubscriber> subscriber = std::make_unique<RecordingSubscriber>();
  bool is_connected = false;
};

std::string random_filter(Random& random) {
  std::string json = "{";
  if (random.below(2) == 0) json += R"("address":")" + simulated_address(random.below(3)) + "\",";
  json += "\"topics\":[";
  if (random.below(2) == 0) json += '"' + simulated_topic(random.below(4)) + '"';
  return json + "]}";
}

struct ResumeWorld {
  explicit ResumeWorld(std::uint64_t seed) : random(seed), keeper({}, seed) {
    options.heads.stuck_rounds_max = 100'000;
    options.chain.logs_attempts_max = 100'000;
    options.history.attempts_max = 100'000;
    options.history.branch_attempts_max = 100'000;
    options.history.batch_blocks_max = 1 + static_cast<std::uint32_t>(random.below(8));
    options.history.live_blocks_max = 1 + static_cast<std::uint32_t>(random.below(2));
    node().mine(random.below(4));
    start_instance();
    first = instance->source.tip()->number;
    for (ConnectionKey key = 0; key < 12; ++key) {
      Client client{.key = key, .params_before_options = R"(["newHeads")", .filter = {}, .receipts = {}};
      if (key >= kFirstOfReceipts) {
        const std::string json =
            key == kFirstOfReceipts ? "null" : R"({"transactionHashes":[")" + simulated_topic(2) + "\"]}";
        client.receipts = parse_receipt_filter(json).value();
        client.params_before_options = R"(["transactionReceipts",)" + json;
      } else if (key >= kFirstOfLogs) {
        const std::string json = key == kFirstOfLogs ? "{}" : random_filter(random);
        client.filter = parse_log_filter(json).value();
        client.params_before_options = R"(["logs",)" + json;
      }
      clients.push_back(std::move(client));
    }
  }

  SimulatedNode& node() { return keeper.node; }

  void start_instance() {
    const Instant now = instance ? instance->now : keeper.now;
    pending.clear();
    instance = std::make_unique<ChainSourceWorld>(options, random.next_u64(), &keeper.node);
    instance->now = now;
    instance->start();
  }
  void kill_instance() {
    for (Client& client : clients) client.is_connected = false;
    start_instance();
  }
  void connect(Client& client) {
    client.is_connected = true;
    client.subscriber->congested = false;
    const std::string& cursor = client.subscriber->cursor;
    const std::string option = cursor.empty() ? "true" : '"' + cursor + '"';
    instance->subscribe(client.key, *client.subscriber,
                        client.params_before_options + R"(,{"cursor":)" + option + "}]");
  }
  void disconnect(Client& client) {
    client.is_connected = false;
    instance->drop(client.key);
  }
  void collect() {
    instance->publish();
    for (jsonrpc::UpstreamCall& call : instance->source.take_calls()) pending.push_back(std::move(call));
  }

  void answer_one() {
    const std::size_t which = random.below(pending.size());
    const jsonrpc::UpstreamCall call = pending[which];
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(which));
    switch (random.below(16)) {
      case 0:
        instance->source.on_reply(call.id, std::unexpected(jsonrpc::CallFailure{.message = "502"}),
                                  instance->now);
        return;
      case 1:
        instance->reply(call.id, call.method == "eth_getLogs" ? "[]" : "null");
        return;
      case 2:
        instance->reject(call.id, -32000);
        return;
      case 3:
        return;  // never answered
      default:
        instance->reply(call.id, node().answer(call));
    }
  }

  void move_chain() {
    const std::uint64_t above = node().head().number - std::min(first, node().head().number);
    const std::uint64_t move = random.below(12);
    if (move < 2) node().mine(1 + random.below(3));
    if (move == 2 && above > 2) {
      node().reorg(1 + random.below(std::min<std::uint64_t>(above - 1, 10)), random.below(6));
    }
  }

  void move_clients() {
    Client& client = clients[random.below(clients.size())];
    const std::uint64_t move = random.below(40);
    if (move == 0) return kill_instance();
    if (!client.is_connected) {
      if (random.below(3) == 0) connect(client);
    } else if (move < 4) {
      disconnect(client);
    } else if (move < 12) {
      client.subscriber->congested = !client.subscriber->congested;
      if (!client.subscriber->congested) instance->drained(client.key);
    }
  }

  void step() {
    move_chain();
    move_clients();
    if (pending.empty() || random.below(5) == 0) {
      instance->now = std::max(instance->now, instance->source.next_timer().value());
      instance->source.on_timer(instance->now);
    } else {
      answer_one();
    }
    collect();
  }

  void finish() {
    for (Client& client : clients) {
      client.subscriber->congested = false;
      if (!client.is_connected) {
        connect(client);
      } else {
        instance->drained(client.key);
      }
    }
    node().mine(20);
    pending.clear();
    for (int i = 0; i < 1000; ++i) {
      instance->catch_up();
      if (instance->resuming.empty() && instance->source.history_status().receipts_late == 0) return;
      instance->tick();
    }
  }

  SeededRandom random;
  ChainSourceWorld keeper;  // owns the node, which survives every instance
  ChainSourceOptions options;
  std::unique_ptr<ChainSourceWorld> instance;
  std::vector<jsonrpc::UpstreamCall> pending;
  std::vector<Client> clients;
  std::uint64_t first = 0;
};

// The logs that a client holds in the end. A removed log must be the newest.
std::vector<std::string> folded_logs(const std::vector<std::string>& results) {
  static constexpr std::string_view kAdded = ",\"removed\":false}";
  static constexpr std::string_view kRemoved = ",\"removed\":true}";
  std::vector<std::string> logs;
  for (const std::string& result : results) {
    if (result.ends_with(kAdded)) {
      logs.push_back(result.substr(0, result.size() - kAdded.size()));
      continue;
    }
    const std::string head = result.substr(0, result.size() - kRemoved.size());
    if (logs.empty() || logs.back() != head) {
      ADD_FAILURE() << "removed what was not the last: " << result;
      return logs;
    }
    logs.pop_back();
  }
  return logs;
}

// The receipts a client was sent of blocks that are part of the final chain: each once, in order.
std::vector<std::string> lasting_receipts(const std::vector<std::string>& results, const SimulatedNode& node,
                                          std::uint64_t after) {
  std::vector<std::string> lasting;
  for (const std::string& result : results) {
    const auto first = jsonrpc::element(result, 0).value_or("");
    const auto hash = jsonrpc::string_value(jsonrpc::member(first, "blockHash").value_or("")).value_or("");
    const auto is_it = [&](const SimulatedBlock& block) { return to_hex(block.hash) == hash; };
    const auto block = std::ranges::find_if(node.chain(), is_it);
    if (block != node.chain().end() && block->number > after) lasting.push_back(result);
  }
  return lasting;
}

std::vector<std::string> expected_receipts(const SimulatedNode& node, std::uint64_t after,
                                           const ReceiptFilter& filter) {
  std::vector<std::string> expected;
  for (const SimulatedBlock& block : node.chain()) {
    if (block.number <= after) continue;
    const BlockReceipts receipts = parse_block_receipts(receipts_json(block), block.hash).value();
    if (std::string json = matching_receipts(receipts, filter); !json.empty()) expected.push_back(json);
  }
  return expected;
}

// The final chain of a client that follows heads by their parents.
std::vector<Hash256> folded_heads(const std::vector<std::string>& results) {
  std::vector<Header> chain;
  for (const std::string& result : results) {
    Header head = parse_header(result).value();
    while (!chain.empty() && chain.back().number >= head.number) chain.pop_back();
    EXPECT_TRUE(chain.empty() || chain.back().hash == head.parent_hash) << "a gap before " << head.number;
    chain.push_back(std::move(head));
  }
  std::vector<Hash256> hashes;
  hashes.reserve(chain.size());
  for (const Header& head : chain) hashes.push_back(head.hash);
  return hashes;
}

// Compares element by element: the lists are long, and the first difference matters.
void expect_same(const std::vector<std::string>& told, const std::vector<std::string>& expected) {
  for (std::size_t i = 0; i < std::min(told.size(), expected.size()); ++i) {
    ASSERT_EQ(told[i], expected[i]) << "the " << i << "th of " << expected.size();
  }
  ASSERT_EQ(told.size(), expected.size());
}

class ResumeHistory : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(ResumeHistory, WhoComesBackHasWhatTheFinalChainSays) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  ResumeWorld world(GetParam());
  for (Client& client : world.clients) world.connect(client);
  world.collect();
  for (int step = 0; step < 500; ++step) world.step();
  world.finish();
  ASSERT_EQ(world.instance->source.tip()->hash, world.node().head().hash);
  ASSERT_TRUE(world.instance->resuming.empty());

  for (const Client& client : world.clients) {
    for (const std::string& notice : client.subscriber->notices) {
      EXPECT_TRUE(notice.starts_with(R"({"type":"live")")) << notice;
    }
    if (client.key >= kFirstOfReceipts) {
      expect_same(lasting_receipts(client.subscriber->results, world.node(), world.first),
                  expected_receipts(world.node(), world.first, client.receipts));
      continue;
    }
    if (client.key >= kFirstOfLogs) {
      expect_same(folded_logs(client.subscriber->results),
                  expected_logs(world.node(), world.first, client.filter));
      continue;
    }
    std::vector<Hash256> expected;
    for (const SimulatedBlock& block : world.node().chain()) {
      if (block.number > world.first) expected.push_back(block.hash);
    }
    ASSERT_EQ(folded_heads(client.subscriber->results), expected);
  }
}

// FANFARE_HISTORY_SEEDS=2000 runs the seeds 1 to 2000.
std::uint64_t seeds() {
  const char* wanted = std::getenv("FANFARE_HISTORY_SEEDS");
  return wanted == nullptr ? 50 : std::strtoull(wanted, nullptr, 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ResumeHistory, ::testing::Range<std::uint64_t>(1, 1 + seeds()));

}  // namespace
}  // namespace fanfare::eth
