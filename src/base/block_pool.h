#pragma once
// Room for many objects of one size, of which there are sometimes a great many and sometimes hardly any: side
// by side, without malloc's words between them, in blocks of pages. A block that is empty goes back to the
// system at once, but for a few. One thread.
//
// Under AddressSanitizer each has memory of its own, so that it sees who uses what is gone.

#include <cstddef>
#include <cstdint>

namespace fanfare {

class BlockPool {
 public:
  // Where a slot lies says which block it is in.
  static constexpr std::size_t kBlockBytes = 64 * 1024;
  // Kept for who comes next, if nobody says otherwise.
  static constexpr std::size_t kEmptyBlocksMax = 2;
  static constexpr std::size_t kAlignment = 8;

  // Slots of so many bytes, at most a sixteenth of a block. Who calls release_empty() now and then may keep
  // more empty blocks until then: all of them come and go many times a second.
  explicit BlockPool(std::size_t slot_bytes, std::size_t empty_blocks_max = kEmptyBlocksMax);
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  // Every slot is back.
  ~BlockPool();

  void* take();
  // To the pool that it is from, which lives.
  static void give_back(void* slot);
  // Nobody is expected to need one soon: the empty blocks go back, too.
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
  Block* roomy_ = nullptr;  // the first of those with a free slot
  std::size_t blocks_ = 0;
  std::size_t empty_blocks_ = 0;
};

}  // namespace fanfare
