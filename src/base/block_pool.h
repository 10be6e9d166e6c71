#pragma once
// Memory for objects of one size whose number varies widely. They are packed without malloc's overhead, in
// blocks of pages. All but a few empty blocks are returned to the system immediately. One thread.
//
// Under AddressSanitizer each object has its own allocation, so that a use after free is detected.

#include <cstddef>
#include <cstdint>

namespace fanfare {

class BlockPool {
 public:
  // Blocks are aligned to their size, so a slot's address identifies its block.
  static constexpr std::size_t kBlockBytes = 64 * 1024;
  // Empty blocks kept for reuse by default.
  static constexpr std::size_t kEmptyBlocksMax = 2;
  static constexpr std::size_t kAlignment = 8;

  // Slots of `slot_bytes` bytes, at most a sixteenth of a block. Callers that call release_empty() regularly
  // may keep more empty blocks in between: useful if all slots come and go many times a second.
  explicit BlockPool(std::size_t slot_bytes, std::size_t empty_blocks_max = kEmptyBlocksMax);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  // All slots must have been given back.
  ~BlockPool();

  void* take();
  // Returns the slot to its pool, which must still exist.
  static void give_back(void* slot);
  // Returns all empty blocks to the system; use it when no demand is expected soon.
  void release_empty();

  std::size_t blocks() const { return blocks_; }

 private:
  struct Block;
  struct FreeSlot {
    FreeSlot* next;
  };

  void give_back(Block& block, void* slot);
  bool is_full(const Block& block) const;
  Block& add_block();
  void link(Block& block);
  void unlink(Block& block);
  void release(Block& block);

  const std::size_t slot_bytes_;
  const std::size_t empty_blocks_max_;
  Block* roomy_ = nullptr;  // first block with a free slot
  std::size_t blocks_ = 0;
  std::size_t empty_blocks_ = 0;
};

}  // namespace fanfare
