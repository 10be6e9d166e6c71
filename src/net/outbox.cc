#include "net/outbox.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::net {
namespace {

// Enough for a few simultaneous broadcasts without growing the vector.
constexpr std::size_t kMoreAtFirst = 7;

}  // namespace

// Count the bytes only after the allocation, which may fail.
std::uint8_t* Outbox::add(std::size_t size, Arena& arena) {
  stop_growing();
  if (size > Arena::kPieceBytesMax) {
    std::uint8_t* room = nullptr;
    SharedBytes own = SharedBytes::filled(size, [&](MutableBytes bytes) { room = bytes.data(); });
    add_shared(std::move(own));
    return room;
  }
  const Arena::Piece piece = arena.take(size);
  Segment& segment = segments_.add();
  note_piece(segment, piece, size);
  return piece.data;
}

void Outbox::push(SharedBytes bytes) {
  if (bytes.empty()) return;
  stop_growing();
  add_shared(std::move(bytes));
}

void Outbox::add_shared(SharedBytes bytes) {
  const Bytes view = bytes.view();
  Segment& segment = segments_.add();
  segment.data = view.data();
  segment.size = view.size();
  segment.shared = std::move(bytes);
  bytes_ += view.size();
}

std::size_t Outbox::gather(std::span<iovec> parts, std::size_t bytes_max) {
  measure_last();
  std::size_t count = 0;
  for (std::size_t i = first_; i < segments_.size() && count < parts.size() && bytes_max > 0; ++i, ++count) {
    const std::size_t size = std::min(segments_[i].size, bytes_max);
    // sendmsg only reads from it, but iovec has no const.
    parts[count] = {.iov_base = const_cast<std::uint8_t*>(segments_[i].data), .iov_len = size};
    bytes_max -= size;
  }
  return count;
}

void Outbox::consume(std::size_t size) {
  FANFARE_CHECK(size <= bytes_);
  measure_last();
  bytes_ -= size;
  consumed_ += static_cast<std::uint32_t>(size);
  while (size > 0) {
    Segment& segment = segments_[first_];
    if (size < segment.size) {
      segment.data += size;
      segment.size -= size;
      return;
    }
    size -= segment.size;
    segment.shared = {};
    segment.chunk = {};
    ++first_;
  }
  if (empty()) {
    clear();
  } else if (first_ >= 64 && first_ * 2 >= segments_.size()) {
    segments_.remove_first(first_);
    first_ = 0;
  }
}

void Outbox::settle() {
  stop_growing();
  for (std::size_t i = first_; i < segments_.size(); ++i) {
    Segment& segment = segments_[i];
    if (segment.chunk.get() == nullptr) continue;
    segment.shared = SharedBytes(Bytes(segment.data, segment.size));
    segment.data = segment.shared.view().data();
    segment.chunk = {};
  }
}

Outbox::Segment& Outbox::Segments::add_more() {
  if (more_.empty()) more_.reserve(kMoreAtFirst);
  return more_.emplace_back();
}

void Outbox::Segments::remove_first(std::size_t count) {
  one_ = std::move(more_[count - 1]);
  more_.erase(more_.begin(), more_.begin() + static_cast<std::ptrdiff_t>(count));
}

void Outbox::Segments::clear() {
  one_ = {};
  more_.clear();
}

void Outbox::clear() {
  growing_ = nullptr;
  segments_.clear();
  first_ = 0;
  bytes_ = 0;
}

}  // namespace fanfare::net
