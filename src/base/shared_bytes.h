#pragma once
// Immutable bytes shared by many owners, on any thread: one allocation holds the count and the bytes.
// This is what a fan-out shares: ten thousand outboxes point at the same encoded frame.

#include <atomic>
#include <cstddef>
#include <utility>

#include "base/bytes.h"

namespace fanfare {

class SharedBytes {
 public:
  SharedBytes() = default;
  // Copies the bytes once; every copy of the handle afterwards shares them.
  explicit SharedBytes(Bytes bytes);
  // Room to be filled by `fill(MutableBytes)` before anyone else can see it.
  template <typename Fill>
  static SharedBytes filled(std::size_t size, Fill&& fill) {
    SharedBytes made = allocate(size);
    std::forward<Fill>(fill)(MutableBytes(made.block_->bytes(), size));
    return made;
  }

  SharedBytes(const SharedBytes& other) : block_(other.block_) {
    if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SharedBytes& operator=(SharedBytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~SharedBytes() { release(); }

  // Good as long as any handle on the same bytes lives.
  Bytes view() const { return block_ == nullptr ? Bytes{} : Bytes(block_->bytes(), block_->size); }
  std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  bool empty() const { return size() == 0; }

 private:
  struct Block {
    std::atomic<std::uint32_t> owners;
    std::size_t size;
    std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  };
  static SharedBytes allocate(std::size_t size);
  void release();

  Block* block_ = nullptr;
};

}  // namespace fanfare
