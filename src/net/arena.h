#pragma once
// Where a loop's outgoing bytes are written: large chunks filled from front to back by all streams in turn,
// so that the replies of one turn lie side by side in warm cache and nobody allocates. A chunk comes back to
// the loop when the last outbox that points into it lets go. One thread only.

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

// One outbox segment's hold on a chunk.
class ChunkRef {
 public:
  ChunkRef() = default;
  explicit ChunkRef(Chunk* chunk) : chunk_(chunk) { ++chunk_->users; }
  ChunkRef(ChunkRef&& other) noexcept : chunk_(std::exchange(other.chunk_, nullptr)) {}
  ChunkRef& operator=(ChunkRef&& other) noexcept {
    std::swap(chunk_, other.chunk_);
    return *this;
  }
  ChunkRef(const ChunkRef&) = delete;
  ChunkRef& operator=(const ChunkRef&) = delete;
  ~ChunkRef();

  Chunk* get() const { return chunk_; }

 private:
  Chunk* chunk_ = nullptr;
};

class Arena {
 public:
  static constexpr std::size_t kChunkBytes = 64 * 1024 - sizeof(Chunk);
  // What is larger gets memory of its own: it would waste the rest of a chunk.
  static constexpr std::size_t kPieceBytesMax = kChunkBytes / 4;
  // Chunks kept for the next turn; what a burst needed beyond this goes back to the system.
  static constexpr std::size_t kSpareChunksMax = 64;

  struct Piece {
    std::uint8_t* data;
    Chunk* chunk;
  };

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // Gives back the chunks that nobody has needed since it was called last.
  void release_unneeded();

  // Room for `size` <= kPieceBytesMax bytes, right behind the piece before it when the chunk has room.
  Piece take(std::size_t size);

 private:
  friend class ChunkRef;
  void recycle(Chunk* chunk);

  Chunk* filling_ = nullptr;  // the arena itself is one of its users
  std::vector<Chunk*> spare_;
  std::size_t unneeded_ = 0;  // the fewest that were spare since release_unneeded()
};

}  // namespace fanfare::net
