#pragma once
// The data that one stream has yet to send: segments in order, each pointing to bytes kept alive elsewhere
// (shared bytes, or a piece of the loop's arena). A stream has an outbox only while it has data to send. One
// thread.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/block_pool.h"
#include "base/shared_bytes.h"
#include "net/arena.h"

namespace fanfare::net {

class Outbox {
 public:
  Outbox() = default;
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  bool empty() const { return bytes_ == 0; }
  std::size_t bytes() const { return bytes_; }

  // Returns space for exactly `size` bytes at the end; fill it immediately.
  std::uint8_t* extend(std::size_t size, Arena& arena) {
    if (std::uint8_t* room = extend_in_place(size)) return room;
    return add(size, arena);
  }
  // As extend(), on an outbox without data, if the arena's current chunk has space; otherwise null.
  std::uint8_t* begin(std::size_t size, Arena& arena) {
    const Arena::Piece piece = arena.take_in_place(size);
    if (piece.data == nullptr) return nullptr;
    note_piece(segments_.first(), piece, size);
    return piece.data;
  }
  // As extend(), directly after the last segment's bytes if nothing else was written there since; otherwise
  // null.
  std::uint8_t* extend_in_place(std::size_t size) {
    if (growing_ == nullptr || growing_end_ != growing_->end() ||
        size > Arena::kChunkBytes - growing_->used) {
      return nullptr;
    }
    std::uint8_t* const room = growing_end_;
    growing_->used += static_cast<std::uint32_t>(size);
    growing_end_ += size;
    bytes_ += size;
    return room;
  }
  // By reference: the bytes are not copied.
  void push(SharedBytes bytes);

  // Fills `parts` with the next data to send, at most `bytes_max` bytes; returns the number of parts.
  std::size_t gather(std::span<iovec> parts, std::size_t bytes_max = SIZE_MAX);
  // All of the data, if it lies in one place, as is usual; otherwise empty.
  Bytes only_part() {
    if (first_ == 0 && segments_.are_one()) {
      const Segment& only = segments_.back();
      return {only.data,
              growing_ == nullptr ? only.size : static_cast<std::size_t>(growing_end_ - only.data)};
    }
    if (segments_.size() != first_ + 1) return {};
    measure_last();
    return {segments_.back().data, segments_.back().size};
  }
  // The first `size` bytes were sent (or, under TLS, encrypted).
  void consume(std::size_t size);
  // Bytes consumed since construction. It wraps, so only differences are meaningful.
  std::uint32_t consumed() const { return consumed_; }
  // Copies the remaining data out of the arena: a slow reader's few bytes must not hold a whole chunk.
  void settle();
  void clear();
  // Makes it as good as new. False, and as it was: it holds memory beyond itself.
  bool renew() {
    if (!segments_.is_inline()) return false;
    segments_.forget_first();
    first_ = 0;
    bytes_ = 0;
    consumed_ = 0;
    growing_ = nullptr;
    in_flight = {};
    return true;
  }

  // For the io_uring loop: the data passed to the kernel, and its result once available.
  struct InFlight {
    std::size_t bytes = 0;
    std::optional<int> result;
  };
  InFlight in_flight;

 private:
  struct Segment {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    SharedBytes shared;
    ChunkRef chunk;
  };
  // In order. The first segment is stored inline; few outboxes have more.
  class Segments {
   public:
    bool are_one() const { return more_.empty() && one_.data != nullptr; }
    std::size_t size() const { return one_.data == nullptr ? 0 : 1 + more_.size(); }
    Segment& operator[](std::size_t i) { return i == 0 ? one_ : more_[i - 1]; }
    const Segment& operator[](std::size_t i) const { return i == 0 ? one_ : more_[i - 1]; }
    Segment& first() { return one_; }
    Segment& back() { return more_.empty() ? one_ : more_.back(); }
    // At the end; give it its data immediately.
    Segment& add() { return one_.data == nullptr ? one_ : add_more(); }
    void remove_first(std::size_t count);  // must leave at least one
    void clear();
    // Whether no other than the first was ever stored.
    bool is_inline() const { return more_.capacity() == 0; }
    void forget_first() { one_ = {}; }

   private:
    Segment& add_more();

    Segment one_;
    std::vector<Segment> more_;
  };

  std::uint8_t* add(std::size_t size, Arena& arena);
  void add_shared(SharedBytes bytes);
  void note_piece(Segment& segment, const Arena::Piece& piece, std::size_t size) {
    segment.data = piece.data;
    segment.size = size;
    segment.chunk.point_to(piece.chunk);
    bytes_ += size;
    growing_ = piece.chunk;
    growing_end_ = piece.data + size;
  }
  // Updates the last segment's size after it has grown.
  void measure_last() {
    if (growing_ != nullptr)
      segments_.back().size = static_cast<std::size_t>(growing_end_ - segments_.back().data);
  }
  void stop_growing() {
    measure_last();
    growing_ = nullptr;
  }

  Segments segments_;
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
  std::uint32_t consumed_ = 0;
  // Set while the last segment is the end of its chunk's used part: the chunk, and that end. The end may be
  // ahead of the segment's own size, which is updated on demand.
  Chunk* growing_ = nullptr;
  std::uint8_t* growing_end_ = nullptr;
};

// Destroys an outbox in a slot of its loop's pool.
struct OutboxReturn {
  void operator()(Outbox* outbox) const {
    outbox->~Outbox();
    BlockPool::give_back(outbox);
  }
};
using OutboxPtr = std::unique_ptr<Outbox, OutboxReturn>;

}  // namespace fanfare::net
