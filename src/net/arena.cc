#include "net/arena.h"

#include <cstdlib>
#include <new>

#include "base/check.h"

namespace fanfare::net {

ChunkRef::~ChunkRef() {
  if (chunk_ != nullptr && --chunk_->users == 0) chunk_->arena->recycle(chunk_);
}

Arena::~Arena() {
  if (filling_ != nullptr) {
    // Every outbox is gone before its loop.
    FANFARE_CHECK(filling_->users == 1);
    std::free(filling_);
  }
  for (Chunk* chunk : spare_) std::free(chunk);
}

Arena::Piece Arena::take(std::size_t size) {
  FANFARE_CHECK(size <= kPieceBytesMax);
  if (filling_ != nullptr && filling_->users == 1) filling_->used = 0;  // nobody points into it any more
  if (filling_ == nullptr || filling_->used + size > kChunkBytes) {
    if (filling_ != nullptr && --filling_->users == 0) recycle(filling_);
    if (spare_.empty()) {
      void* memory = std::malloc(sizeof(Chunk) + kChunkBytes);
      FANFARE_CHECK(memory != nullptr);
      filling_ = new (memory) Chunk{.arena = this, .users = 1, .used = 0};
    } else {
      filling_ = spare_.back();
      spare_.pop_back();
      filling_->users = 1;
      filling_->used = 0;
    }
  }
  std::uint8_t* data = filling_->bytes() + filling_->used;
  filling_->used += static_cast<std::uint32_t>(size);
  return {data, filling_};
}

void Arena::recycle(Chunk* chunk) {
  if (spare_.size() < kSpareChunksMax) {
    spare_.push_back(chunk);
  } else {
    std::free(chunk);
  }
}

}  // namespace fanfare::net
