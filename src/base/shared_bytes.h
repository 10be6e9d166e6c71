#pragma once
// Immutable bytes shared by many owners, on any thread. One allocation holds the count and the bytes. A
// fan-out uses it: ten thousand outboxes refer to the same encoded frame.

#include <atomic>
#include <cstddef>
#include <utility>

#include "base/bytes.h"
#include "base/kept_blocks.h"

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
  // Without a copy: shares bytes that what `take()` returns keeps alive. It is destroyed with the last handle, on any thread. Without
  // memory, nothing was taken.
  template <typename Take>
  static SharedBytes kept_by(Bytes bytes, Take&& take) {
    using Keeper = decltype(take());
    static_assert(noexcept(take()));
    struct Keeping : Block {
      Keeper keeper;
    };
    const auto end = [](Block* block) {
      auto* const keeping = static_cast<Keeping*>(block);
      keeping->~Keeping();
      give_back_block(keeping, sizeof(Keeping));
    };
    void* const memory = take_block(sizeof(Keeping));
    SharedBytes made;
    made.block_ = new (memory) Keeping{{1, bytes.size(), bytes.data(), end}, std::forward<Take>(take)()};
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
  Bytes view() const { return block_ == nullptr ? Bytes{} : Bytes(block_->data, block_->size); }
  std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  bool empty() const { return size() == 0; }

 private:
  struct Block {
    std::atomic<std::uint32_t> owners;
    std::size_t size;
    const std::uint8_t* data;
    void (*end)(Block*);  // null: the bytes follow
    std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  };
  static SharedBytes allocate(std::size_t size);
  void release();

  Block* block_ = nullptr;
};

}  // namespace fanfare
