#pragma once
// The stored blocks: the last ones of the canonical chain, the genesis block, and some that a reorg
// abandoned, which are found only by hash.

#include <deque>
#include <unordered_map>

#include "devchain/block.h"

namespace fanfare::devchain {

class Ledger {
 public:
  struct Limits {
    std::uint64_t blocks = 4096;  // canonical, behind the head
    std::uint64_t states = 256;   // of those, with their state
    std::uint64_t orphans = 512;
    // Of canonical blocks, and of orphans: beyond it fewer are kept, but at least kHistoryMin canonical ones.
    std::size_t bytes = std::size_t{256} << 20;
  };
  Ledger(BlockPtr genesis, Limits limits);

  const BlockPtr& head() const { return canonical_.back(); }
  const BlockPtr& genesis() const { return genesis_; }
  // The oldest block after which every canonical one is kept.
  std::uint64_t oldest() const { return canonical_.front()->number(); }

  // Its parent must be the head.
  void append(BlockPtr block);
  // Removes the head; it stays available by hash. Never removes the oldest block.
  BlockPtr pop();

  BlockPtr by_number(std::uint64_t number) const;
  BlockPtr by_hash(const Hash& hash) const;
  std::size_t kept() const { return canonical_.size(); }
  std::size_t bytes() const { return bytes_ + orphan_bytes_; }

  struct Place {
    BlockPtr block;
    std::size_t index = 0;
  };
  // The position of a transaction in the canonical chain; a null block if it is not in it.
  Place find_transaction(const Hash& hash) const;
  bool is_canonical(const Block& block) const;

 private:
  struct Position {
    std::uint64_t number;
    std::size_t index;
  };

  void forget_oldest();
  void forget_oldest_orphan();

  Limits limits_;
  std::size_t bytes_ = 0;  // of canonical_
  std::size_t orphan_bytes_ = 0;
  BlockPtr genesis_;
  std::deque<BlockPtr> canonical_;
  std::deque<Hash> orphans_;
  std::unordered_map<Hash, BlockPtr, FirstBytesHasher> by_hash_;
  std::unordered_map<Hash, Position, FirstBytesHasher> transactions_;
};

}  // namespace fanfare::devchain
