#pragma once
// For tests only: a world with one final chain: a tree of blocks, one of which is the valid head.

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "eth/chain_source_world.h"
#include "eth/simulated_node.h"

namespace fanfare::gateway::simulated {

// A block that knows its parent.
struct WorldBlock {
  eth::SimulatedBlock block;
  const WorldBlock* parent = nullptr;
};

class World {
 public:
  explicit World(Random& random) : random_(random) { head_ = add(nullptr); }

  const WorldBlock& head() const { return *head_; }
  void mine() { head_ = add(head_); }
  // Replaces the last `depth` blocks by `length` others.
  void reorg(std::uint64_t depth, std::uint64_t length) {
    for (; depth > 0 && head_->parent != nullptr; --depth) head_ = head_->parent;
    for (; length > 0; --length) mine();
  }
  // A block that only one node has.
  const WorldBlock& fork(const WorldBlock& parent) { return *add(&parent); }

  const WorldBlock* find(const eth::Hash256& hash) const {
    const auto found = by_hash_.find(hash);
    return found == by_hash_.end() ? nullptr : found->second;
  }
  static const WorldBlock* at(const WorldBlock& head, std::uint64_t number) {
    const WorldBlock* block = &head;
    while (block != nullptr && block->block.number > number) block = block->parent;
    return block != nullptr && block->block.number == number ? block : nullptr;
  }

 private:
  const WorldBlock* add(const WorldBlock* parent) {
    auto made = std::make_unique<WorldBlock>();
    random_.fill(made->block.hash.bytes);
    made->parent = parent;
    made->block.timestamp_s = 1'700'000'000;
    if (parent != nullptr) {
      made->block.number = parent->block.number + 1;
      made->block.parent = parent->block.hash;
      made->block.timestamp_s = parent->block.timestamp_s + 2;
    }
    eth::fill_with_logs(made->block, random_, 3);
    eth::fill_with_receipts(made->block, random_, 2);
    by_hash_.emplace(made->block.hash, made.get());
    blocks_.push_back(std::move(made));
    return blocks_.back().get();
  }

  Random& random_;
  std::vector<std::unique_ptr<WorldBlock>> blocks_;
  std::map<eth::Hash256, const WorldBlock*> by_hash_;
  const WorldBlock* head_ = nullptr;
};

}  // namespace fanfare::gateway::simulated
