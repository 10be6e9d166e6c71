#include "base/growing_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/kept_blocks.h"
#include "base/pages.h"

namespace fanfare {
namespace {

std::size_t mapped_bytes(std::size_t capacity) {
  return whole_pages(kOffsetInPage + capacity);
}

}  // namespace

void GrowingBytes::append(Bytes piece) {
  if (piece.empty()) return;
  const std::size_t needed = size_ + piece.size();
  if (needed > capacity_) reserve(std::max(needed, 2 * capacity_));
  std::memcpy(data_ + size_, piece.data(), piece.size());
  size_ = needed;
}

void GrowingBytes::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  if (capacity >= kMappedFromBytes) capacity = whole_pages(capacity);
  if (is_mapped()) {
    data_ =
        resize_pages(data_ - kOffsetInPage, mapped_bytes(capacity_), mapped_bytes(capacity)) + kOffsetInPage;
  } else {
    std::uint8_t* const larger = capacity >= kMappedFromBytes
                                     ? map_pages(mapped_bytes(capacity)) + kOffsetInPage
                                     : static_cast<std::uint8_t*>(take_block(capacity));
    if (size_ > 0) std::memcpy(larger, data_, size_);
    if (data_ != nullptr) give_back_block(data_, capacity_);
    data_ = larger;
  }
  capacity_ = capacity;
}

void GrowingBytes::release() {
  if (is_mapped()) {
    return_pages(data_ - kOffsetInPage, mapped_bytes(capacity_));
  } else if (data_ != nullptr) {
    give_back_block(data_, capacity_);
  }
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

}  // namespace fanfare
