#include "base/block_pool.h"

#include <new>

#include "base/check.h"
#include "base/pages.h"

namespace fanfare {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kOneByOne = true;
#elif defined(__has_feature)
constexpr bool kOneByOne = __has_feature(address_sanitizer);
#else
constexpr bool kOneByOne = false;
#endif

}  // namespace

// The header at the start of a block's pages; slots fill the rest.
struct BlockPool::Block {
  BlockPool& pool;
  Block* next = nullptr;  // list of the blocks with a free slot
  Block* before = nullptr;
  FreeSlot* free = nullptr;        // returned slots, the most recent first
  std::size_t fresh = kHeadBytes;  // slots from here on are unused: their pages use no memory yet
  std::size_t used = 0;

  static const std::size_t kHeadBytes;
};

const std::size_t BlockPool::Block::kHeadBytes = sizeof(Block);

BlockPool::BlockPool(std::size_t slot_bytes, std::size_t empty_blocks_max)
    : slot_bytes_(slot_bytes), empty_blocks_max_(empty_blocks_max) {
  FANFARE_CHECK(slot_bytes >= sizeof(FreeSlot) && slot_bytes % kAlignment == 0 &&
                slot_bytes <= kBlockBytes / 16);
}

BlockPool::~BlockPool() {
  release_empty();
  FANFARE_CHECK(blocks_ == 0);
}

bool BlockPool::is_full(const Block& block) const {
  return block.free == nullptr && block.fresh + slot_bytes_ > kBlockBytes;
}

void* BlockPool::take() {
  if constexpr (kOneByOne) return ::operator new(slot_bytes_);
  Block& block = roomy_ == nullptr ? add_block() : *roomy_;
  void* slot = block.free;
  if (slot != nullptr) {
    block.free = block.free->next;
  } else {
    slot = reinterpret_cast<std::uint8_t*>(&block) + block.fresh;
    block.fresh += slot_bytes_;
  }
  if (block.used++ == 0) --empty_blocks_;
  if (is_full(block)) unlink(block);
  return slot;
}

void BlockPool::give_back(void* slot) {
  if constexpr (kOneByOne) return ::operator delete(slot);
  auto* const block = reinterpret_cast<Block*>(reinterpret_cast<std::uintptr_t>(slot) & ~(kBlockBytes - 1));
  block->pool.give_back(*block, slot);
}

void BlockPool::give_back(Block& block, void* slot) {
  const bool was_full = is_full(block);
  block.free = new (slot) FreeSlot{.next = block.free};
  if (was_full) link(block);
  if (--block.used > 0) return;
  ++empty_blocks_;
  if (empty_blocks_ > empty_blocks_max_) release(block);
}

BlockPool::Block& BlockPool::add_block() {
  auto* const block = new (take_pages(kBlockBytes)) Block{.pool = *this};
  ++blocks_;
  ++empty_blocks_;
  link(*block);
  return *block;
}

void BlockPool::link(Block& block) {
  block.next = roomy_;
  block.before = nullptr;
  if (roomy_ != nullptr) roomy_->before = &block;
  roomy_ = &block;
}

void BlockPool::unlink(Block& block) {
  (block.before == nullptr ? roomy_ : block.before->next) = block.next;
  if (block.next != nullptr) block.next->before = block.before;
}

void BlockPool::release(Block& block) {
  unlink(block);
  --blocks_;
  --empty_blocks_;
  return_pages(&block, kBlockBytes);
}

void BlockPool::release_empty() {
  for (Block* block = roomy_; block != nullptr;) {
    Block* const next = block->next;
    if (block->used == 0) release(*block);
    block = next;
  }
}

}  // namespace fanfare
