#include "devchain/ledger.h"

#include <utility>

#include "base/check.h"
#include "devchain/options.h"

namespace fanfare::devchain {

namespace {

// The approximate memory of a block: its transactions twice (decoded and as sent), and its logs.
std::size_t bytes_of(const Block& block) {
  std::size_t bytes = sizeof(Block) + 2 * static_cast<std::size_t>(block.size);
  for (const Receipt& receipt : block.receipts) {
    bytes += sizeof(Receipt);
    for (const Log& log : receipt.logs)
      bytes += sizeof(Log) + log.topics.size() * sizeof(Hash) + log.data.size();
  }
  return bytes;
}

}  // namespace

Ledger::Ledger(BlockPtr genesis, Limits limits) : limits_(limits), genesis_(std::move(genesis)) {
  by_hash_.emplace(genesis_->hash, genesis_);
  canonical_.push_back(genesis_);
}

void Ledger::append(BlockPtr block) {
  FANFARE_CHECK(block->header.parent_hash == head()->hash);
  FANFARE_CHECK(block->number() == head()->number() + 1);
  by_hash_[block->hash] = block;
  for (std::size_t i = 0; i < block->transactions.size(); ++i) {
    transactions_[block->transactions[i]->hash] = {.number = block->number(), .index = i};
  }
  bytes_ += bytes_of(*block);
  canonical_.push_back(std::move(block));
  if (canonical_.size() > limits_.states) canonical_[canonical_.size() - limits_.states - 1]->state.reset();
  while (canonical_.size() > limits_.blocks || (bytes_ > limits_.bytes && canonical_.size() > kHistoryMin)) {
    forget_oldest();
  }
}

void Ledger::forget_oldest() {
  const BlockPtr oldest = canonical_.front();
  canonical_.pop_front();
  if (oldest != genesis_) bytes_ -= bytes_of(*oldest);
  for (const auto& transaction : oldest->transactions) {
    const auto found = transactions_.find(transaction->hash);
    if (found != transactions_.end() && found->second.number == oldest->number()) transactions_.erase(found);
  }
  if (oldest != genesis_) by_hash_.erase(oldest->hash);
}

BlockPtr Ledger::pop() {
  FANFARE_CHECK(canonical_.size() > 1);
  BlockPtr block = canonical_.back();
  canonical_.pop_back();
  for (const auto& transaction : block->transactions) transactions_.erase(transaction->hash);
  block->state.reset();
  const std::size_t bytes = bytes_of(*block);
  bytes_ -= bytes;
  orphan_bytes_ += bytes;
  orphans_.push_back(block->hash);
  while (orphans_.size() > limits_.orphans || (orphan_bytes_ > limits_.bytes && orphans_.size() > 1)) {
    forget_oldest_orphan();
  }
  return block;
}

void Ledger::forget_oldest_orphan() {
  const auto found = by_hash_.find(orphans_.front());
  orphans_.pop_front();
  if (found == by_hash_.end()) return;
  orphan_bytes_ -= bytes_of(*found->second);
  by_hash_.erase(found);
}

BlockPtr Ledger::by_number(std::uint64_t number) const {
  if (number == 0) return genesis_;
  if (number < oldest() || number > head()->number()) return nullptr;
  return canonical_[number - oldest()];
}

BlockPtr Ledger::by_hash(const Hash& hash) const {
  const auto found = by_hash_.find(hash);
  return found == by_hash_.end() ? nullptr : found->second;
}

Ledger::Place Ledger::find_transaction(const Hash& hash) const {
  const auto found = transactions_.find(hash);
  if (found == transactions_.end()) return {};
  return {.block = by_number(found->second.number), .index = found->second.index};
}

bool Ledger::is_canonical(const Block& block) const {
  const BlockPtr same = by_number(block.number());
  return same != nullptr && same->hash == block.hash;
}

}  // namespace fanfare::devchain
