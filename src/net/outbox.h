#pragma once
// What one stream still has to send: segments in order, each pointing at bytes somebody keeps alive (shared
// bytes, or a piece of the loop's arena). A stream has one only while it has something to send. One thread.

#include <sys/uio.h>

#include <cstddef>
#include <optional>
#include <vector>

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

  // Fills `parts` with what is to be sent next; returns how many parts.
  std::size_t gather(std::span<iovec> parts);
  // The first `size` bytes were sent (or, under TLS, taken).
  void consume(std::size_t size);
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
    const std::uint8_t* data;
    std::size_t size;
    SharedBytes shared;
    ChunkRef chunk;
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

  std::vector<Segment> segments_;
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
  // Where the last segment is the end of what its chunk had when it was written: the chunk, and that end,
  // which is ahead of the segment's own size until somebody asks.
  Chunk* growing_ = nullptr;
  std::uint8_t* growing_end_ = nullptr;
};

}  // namespace fanfare::net
