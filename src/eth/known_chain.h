#pragma once
// The blocks that the history knows: the announced chain of its window, and removed blocks, each with its logs and
// receipts as far as they are known. No I/O. One thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "eth/block_logs.h"
#include "eth/block_receipts.h"
#include "eth/chain_view.h"
#include "eth/cursor.h"
#include "eth/header.h"

namespace fanfare::eth {

class KnownChain {
 public:
  struct Block {
    HeaderPtr header;
    BlockLogsPtr logs;  // null: unknown
    BlockReceiptsPtr receipts = {};
    std::uint64_t removal = 0;   // of a removed block: how many had been removed before
    bool has_come_back = false;  // it was removed once
  };

  // At most this many blocks of each kind are kept.
  KnownChain(std::size_t blocks_max, std::size_t removed_max)
      : blocks_max_(blocks_max), removed_max_(removed_max) {}

  // --- the announced chain: linked, the last one is the announced head ---
  bool is_empty() const { return chain_.empty(); }
  // Not of an empty chain.
  std::uint64_t first() const { return chain_.front().header->number; }
  std::uint64_t tip() const { return chain_.back().header->number; }
  const Block& back() const { return chain_.back(); }
  const Block& at(std::uint64_t number) const { return chain_[number - first()]; }
  bool ends_with(const Hash256& hash) const { return !chain_.empty() && chain_.back().header->hash == hash; }
  bool contains(std::uint64_t number, const Hash256& hash) const;
  // The position of a reader that has everything up to this block.
  Position position_at(std::uint64_t number) const;
  // Whether a reader at `from` may have seen more of this chain. Not of an empty chain.
  bool may_be_below(const Position& from) const;
  // The last common block of the reader's branch and the chain, as far as the position itself shows it.
  std::optional<std::uint64_t> named_ancestor(const Position& from) const;

  // The block is the child of the last one, or the chain is empty.
  void push(const HeaderPtr& header, const BlockLogsPtr& logs);
  // The last block is no longer part of the chain: it becomes a removed block.
  void remove_tip();
  void clear() { chain_.clear(); }

  // --- blocks below it, from answers ---
  // False: it cannot be the parent of the first block, as far as is known.
  bool add_older(HeaderPtr header);
  // Puts those that link in front of the chain.
  void link_older();
  bool has_older(std::uint64_t number) const { return older_.contains(number); }
  // The chain's block of this number, also one below that does not link yet. Null: unknown. Valid until the next change.
  const Header* header_at(std::uint64_t number) const;
  void forget_older() { older_.clear(); }

  // --- removed blocks ---
  // If it is known already, its logs are added.
  void remember_removed(Block block);
  // Null: unknown. Valid until the next change.
  const Block* find_removed(const Hash256& hash) const;

  // Where a reader at `from` would be without the blocks of the last `depth` up to it that were removed once, and are part of the chain
  // again. Empty: there are none, or `from` is not part of the chain.
  std::optional<Position> below_what_came_back(const Position& from, std::uint64_t depth) const;
  // How many blocks were removed so far.
  std::uint64_t removals() const { return removals_; }
  // Those with at least this number that were removed since then, the highest first. Valid until the next change.
  std::vector<const Block*> removed_from(std::uint64_t number, std::uint64_t since) const;

  // In either. Null: unknown. Valid until the next change.
  Block* find(const Hash256& hash);

 private:
  Block with_what_is_known(Block block);

  const std::size_t blocks_max_;
  const std::size_t removed_max_;
  std::deque<Block> chain_;
  std::map<std::uint64_t, HeaderPtr> older_;  // that do not link yet
  std::map<Hash256, Block> removed_;
  std::deque<Hash256> removed_by_age_;
  std::uint64_t removals_ = 0;
};

}  // namespace fanfare::eth
