#include "net/arena.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/pages.h"

namespace fanfare::net {

namespace {

constexpr std::size_t kPagesBytes = sizeof(Chunk) + Arena::kChunkBytes;

}  // namespace

void ChunkRef::recycle(Chunk* chunk) {
  chunk->arena->recycle(chunk);
}

Arena::~Arena() {
  if (filling_ != nullptr) {
    // All outboxes must be destroyed before their loop.
    FANFARE_CHECK(filling_->users == 1);
    return_pages(filling_, kPagesBytes);
  }
  for (Chunk* chunk : spare_) return_pages(chunk, kPagesBytes);
}

Arena::Piece Arena::take(std::size_t size) {
  FANFARE_CHECK(size <= kPieceBytesMax);
  if (const Piece piece = take_in_place(size); piece.data != nullptr) return piece;
  // Reset the member before the new chunk exists, since its allocation may fail.
  Chunk* const full = std::exchange(filling_, nullptr);
  if (full != nullptr && --full->users == 0) recycle(full);
  if (spare_.empty()) {
    filling_ = new (take_pages(kPagesBytes)) Chunk{.arena = this, .users = 1, .used = 0};
  } else {
    filling_ = spare_.back();
    spare_.pop_back();
    unneeded_ = std::min(unneeded_, spare_.size());
    filling_->users = 1;
    filling_->used = 0;
  }
  return take_in_place(size);
}

void Arena::recycle(Chunk* chunk) {
  if (spare_.size() < kSpareChunksMax) {
    spare_.push_back(chunk);
  } else {
    return_pages(chunk, kPagesBytes);
  }
}

void Arena::release_unneeded() {
  for (; unneeded_ > 0; --unneeded_) {
    return_pages(spare_.back(), kPagesBytes);
    spare_.pop_back();
  }
  unneeded_ = spare_.size();
  if (filling_ != nullptr && filling_->users == 1) forget_pages(filling_->bytes(), kChunkBytes);
}

}  // namespace fanfare::net
