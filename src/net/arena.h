#pragma once
// Memory for a loop's outgoing bytes: large chunks that all streams fill in turn, from front to back. So the
// replies of one turn are contiguous in warm cache, without allocations. A chunk returns to the loop when the
// last outbox that points into it releases it. One thread only.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace fanfare::net {

class Arena;

struct Chunk {
  Arena* arena;
  std::uint32_t users;
  std::uint32_t used;
  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  std::uint8_t* end() { return bytes() + used; }
};

// One outbox segment's reference to a chunk.
class ChunkRef {
 public:
  ChunkRef() = default;
  // Only if it points to none.
  void point_to(Chunk* chunk) {
    chunk_ = chunk;
    ++chunk_->users;
  }
  ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}
  ChunkRef& operator=(ChunkRef&& other) noexcept {
    std::swap(chunk_, other.chunk_);
    return *this;
  }
  ChunkRef(const ChunkRef&) = delete;
  ChunkRef& operator=(const ChunkRef&) = delete;
  ~ChunkRef() {
    if (chunk_ != nullptr && --chunk_->users == 0) recycle(chunk_);
  }

  Chunk* get() const { return chunk_; }

 private:
  static void recycle(Chunk* chunk);

  Chunk* chunk_ = nullptr;
};

class Arena {
 public:
  static constexpr std::size_t kChunkBytes = 64 * 1024 - sizeof(Chunk);
  // Larger pieces get their own memory, since they would waste the rest of a chunk.
  static constexpr std::size_t kPieceBytesMax = kChunkBytes / 4;
  // Chunks kept for the next turn; chunks beyond this, from a burst, return to the system.
  static constexpr std::size_t kSpareChunksMax = 64;

  struct Piece {
    std::uint8_t* data = nullptr;
    Chunk* chunk = nullptr;
  };

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // Frees the chunks that have not been needed since the last call.
  void release_unneeded();

  // Returns space for `size` <= kPieceBytesMax bytes, directly after the previous piece if the chunk has
  // space.
  Piece take(std::size_t size);
  // The same without another chunk. Null: there is no space.
  Piece take_in_place(std::size_t size) {
    if (filling_ == nullptr) return {};
    if (filling_->users == 1) filling_->used = 0;  // no pointer into it is left
    if (size > kPieceBytesMax || filling_->used + size > kChunkBytes) return {};
    std::uint8_t* const data = filling_->end();
    filling_->used += static_cast<std::uint32_t>(size);
    return {data, filling_};
  }

 private:
  friend class ChunkRef;
  void recycle(Chunk* chunk);

  Chunk* filling_ = nullptr;  // the arena itself is one of its users
  std::vector<Chunk*> spare_;
  std::size_t unneeded_ = 0;  // the lowest number of spare chunks since release_unneeded()
};

}  // namespace fanfare::net
