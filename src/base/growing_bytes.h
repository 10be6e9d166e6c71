#pragma once
// Bytes of a message that arrive piece by piece, up to many megabytes. Growing never copies more than
// kMappedFromBytes: larger memory consists of whole pages, which the system moves to other addresses without
// touching them. A vector copies everything each time it grows, into new pages that the system must clear: for a
// message of 9 MB that held a loop for several milliseconds. One thread.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"

namespace fanfare {

class GrowingBytes {
 public:
  static constexpr std::size_t kMappedFromBytes = std::size_t{128} << 10;

  GrowingBytes() = default;
  ~GrowingBytes() { release(); }
  GrowingBytes(GrowingBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  GrowingBytes& operator=(GrowingBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t capacity() const { return capacity_; }
  // Both until the next change.
  Bytes bytes() const { return {data_, size_}; }
  MutableBytes bytes() { return {data_, size_}; }

  // Doubles the capacity if the piece does not fit. Throws std::bad_alloc, and is then unchanged.
  void append(Bytes piece);
  // At least so many bytes. The pages of large memory are taken from the system when they are written.
  void reserve(std::size_t capacity);
  // Keeps the memory.
  void clear() { size_ = 0; }
  // Frees the memory, too.
  void release();

 private:
  bool is_mapped() const { return capacity_ >= kMappedFromBytes; }

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace fanfare
