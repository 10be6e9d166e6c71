#pragma once
// What one stream still has to send: segments in order, each pointing at bytes somebody keeps alive (shared
// bytes, or a piece of the loop's arena). A stream has one only while it has something to send. One thread.

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

  bool empty() const { return first_ == segments_.size(); }
  std::size_t bytes() const { return bytes_; }

  // Room for exactly `size` bytes at the end, to be filled at once.
  std::uint8_t* extend(std::size_t size, Arena& arena) {
    if (std::uint8_t* room = extend_in_place(size)) return room;
    return add(size, arena);
  }
  // The same behind the last segment's bytes, when nobody else has written there since; null otherwise.
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
  // By reference: the bytes lie where they are until they are sent.
  void push(SharedBytes bytes);

  // Fills `parts` with what is to be sent next, at most `bytes_max` bytes; returns how many parts.
  std::size_t gather(std::span<iovec> parts, std::size_t bytes_max = SIZE_MAX);
  // The first `size` bytes were sent (or, under TLS, taken).
  void consume(std::size_t size);
  // Bytes consumed since it was made; wraps, so only differences mean anything.
  std::uint32_t consumed() const { return consumed_; }
  // Takes what is left out of the arena: a slow reader's few bytes must not hold a whole chunk.
  void settle();
  void clear();

  // For the loop on io_uring: what was given to the kernel, and its answer once there is one.
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
  // In order. The first lies in here: hardly any outbox has more.
  class Segments {
   public:
    std::size_t size() const { return one_.data == nullptr ? 0 : 1 + more_.size(); }
    Segment& operator[](std::size_t i) { return i == 0 ? one_ : more_[i - 1]; }
    const Segment& operator[](std::size_t i) const { return i == 0 ? one_ : more_[i - 1]; }
    Segment& back() { return more_.empty() ? one_ : more_.back(); }
    void add(Segment segment);
    void remove_first(std::size_t count);  // fewer than all of them
    void clear();

   private:
    Segment one_;
    std::vector<Segment> more_;
  };

  std::uint8_t* add(std::size_t size, Arena& arena);
  // The last segment gets the size it has grown to.
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
  // Where the last segment is the end of what its chunk had when it was written: the chunk, and that end,
  // which is ahead of the segment's own size until somebody asks.
  Chunk* growing_ = nullptr;
  std::uint8_t* growing_end_ = nullptr;
};

// In a slot of its loop's pool.
struct OutboxReturn {
  void operator()(Outbox* outbox) const {
    outbox->~Outbox();
    BlockPool::give_back(outbox);
  }
};
using OutboxPtr = std::unique_ptr<Outbox, OutboxReturn>;

}  // namespace fanfare::net
