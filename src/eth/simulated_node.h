#pragma once
// For tests only: an in-process node whose chain the test controls. It answers the calls that the sources
// make, as JSON text, with faults where the test wants them.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "eth/hex.h"
#include "jsonrpc/upstream_call.h"
#include "jsonrpc/value.h"

namespace fanfare::eth {

struct SimulatedBlock {
  std::uint64_t number = 0;
  Hash256 hash;
  Hash256 parent;
  std::uint64_t timestamp_s = 0;
  std::vector<std::string> logs;  // each the object of one log
  std::vector<std::string> receipts = {};
  std::string bloom = "0x" + std::string(512, '0');

  std::string json() const {
    return R"({"number":")" + to_quantity(number) + R"(","hash":")" + to_hex(hash) + R"(","parentHash":")" +
           to_hex(parent) + R"(","timestamp":")" + to_quantity(timestamp_s) + R"(","logsBloom":")" + bloom +
           R"(","uncles":[],"transactions":["0x01"],"size":"0x2a"})";
  }
};

class SimulatedNode {
 public:
  explicit SimulatedNode(Random& random) : random_(random) { restart_with_new_genesis(); }

  void restart_with_new_genesis() {
    chain_.clear();
    by_hash_.clear();
    append(1);
  }
  void mine(std::uint64_t count) { append(count); }
  // Replaces the last `depth` blocks by `length` others.
  void reorg(std::uint64_t depth, std::uint64_t length) {
    revert(depth);
    append(length);
  }
  void revert(std::uint64_t depth) { chain_.resize(chain_.size() - depth); }
  // Returns to an earlier branch.
  void return_to(std::vector<SimulatedBlock> branch) { chain_ = std::move(branch); }

  // Copies the chain of the other node; afterwards each evolves on its own.
  void copy_chain(const SimulatedNode& other) {
    chain_ = other.chain_;
    by_hash_ = other.by_hash_;
  }
  // From now on the node does not know the blocks that its reorgs removed.
  void forget_branches() {
    by_hash_.clear();
    for (const SimulatedBlock& block : chain_) by_hash_.emplace(block.hash, block);
  }

  const std::vector<SimulatedBlock>& chain() const { return chain_; }
  const SimulatedBlock& head() const { return chain_.back(); }
  SimulatedBlock& at(std::uint64_t number) { return chain_.at(number); }

  // The answer of a healthy node; `null` for unknown objects.
  std::string answer(const jsonrpc::UpstreamCall& call) {
    ++asked[std::string(call.method)];
    const auto first = jsonrpc::string_value(jsonrpc::element(call.params_json, 0).value_or(""));
    if (call.method == "eth_getBlockByNumber") {
      if (first == "latest") return head().json();
      if (first == "finalized") {
        if (!finalized_behind) return "null";
        return chain_[head().number - std::min(head().number, *finalized_behind)].json();
      }
      const auto number = parse_quantity(first.value_or(""));
      if (!number || *number >= chain_.size()) return "null";
      return chain_[*number].json();
    }
    if (call.method == "eth_getBlockByHash") {
      const auto found = by_hash_.find(parse_hash(first.value_or("")).value_or(Hash256{}));
      return found == by_hash_.end() ? "null" : found->second.json();
    }
    if (call.method == "eth_getLogs") {
      const auto filter = jsonrpc::element(call.params_json, 0).value_or("");
      const auto text = jsonrpc::string_value(jsonrpc::member(filter, "blockHash").value_or(""));
      const auto from = jsonrpc::string_value(jsonrpc::member(filter, "fromBlock").value_or(""));
      const auto number = from ? parse_quantity(*from) : std::nullopt;
      const bool has_number = number && *number < chain_.size();
      const Hash256 hash =
          has_number ? chain_[*number].hash : parse_hash(text.value_or("")).value_or(Hash256{});
      const auto found = by_hash_.find(hash);
      std::string logs = "[";
      if (found != by_hash_.end()) {
        for (const std::string& log : found->second.logs) logs += (logs.size() > 1 ? "," : "") + log;
      }
      return logs + "]";
    }
    if (call.method == "eth_getBlockReceipts") {
      const auto found = by_hash_.find(parse_hash(first.value_or("")).value_or(Hash256{}));
      if (found == by_hash_.end()) return "null";
      std::string receipts = "[";
      for (const std::string& receipt : found->second.receipts) {
        receipts += (receipts.size() > 1 ? "," : "") + receipt;
      }
      return receipts + "]";
    }
    return "null";
  }

  // Fills a new block beyond its links.
  std::function<void(SimulatedBlock&)> fill_block;
  std::uint64_t seconds_per_block = 1;
  std::optional<std::uint64_t> finalized_behind;  // how far; empty: the node has no finalized block
  std::map<std::string, std::uint64_t> asked;     // by method

 private:
  void append(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      SimulatedBlock block;
      random_.fill(block.hash.bytes);
      block.timestamp_s = 1'700'000'000;
      if (!chain_.empty()) {
        block.number = head().number + 1;
        block.parent = head().hash;
        block.timestamp_s = head().timestamp_s + seconds_per_block;
      }
      if (fill_block) fill_block(block);
      chain_.push_back(block);
      by_hash_.emplace(block.hash, std::move(block));
    }
  }

  Random& random_;
  std::vector<SimulatedBlock> chain_;
  std::map<Hash256, SimulatedBlock> by_hash_;
};

}  // namespace fanfare::eth
