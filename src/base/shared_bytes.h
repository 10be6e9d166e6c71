#pragma once
// Immutable bytes shared by many owners, on any thread. One allocation holds the count and the bytes. A
// fan-out uses it: ten thousand outboxes refer to the same encoded frame.

#include <atomic>
#include <cstddef>
#include <utility>

#include "base/bytes.h"

namespace fanfare {

class SharedBytes {
 public:
  SharedBytes() = default;
  // Copies the bytes once; all copies of the handle share them.
  explicit SharedBytes(Bytes bytes);
  // Allocates `size` bytes, which `fill(MutableBytes)` writes before anyone else can see them.
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
  ~SharedBytes() {
    if (block_ != nullptr) release();
  }

  // Valid while any handle to the same bytes exists.
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
