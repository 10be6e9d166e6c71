#include "base/shared_bytes.h"

#include <cstdlib>
#include <new>

namespace fanfare {

SharedBytes::SharedBytes(Bytes bytes) {
  *this = filled(bytes.size(), [&](MutableBytes room) {
    if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
  });
}

SharedBytes SharedBytes::allocate(std::size_t size) {
  void* memory = std::malloc(sizeof(Block) + size);
  if (memory == nullptr) throw std::bad_alloc();  // fails one message, not the process
  SharedBytes made;
  made.block_ = new (memory) Block{.owners = 1, .size = size};
  return made;
}

void SharedBytes::release() {
  if (block_ == nullptr) return;
  if (block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    block_->~Block();
    std::free(block_);
  }
  block_ = nullptr;
}

}  // namespace fanfare
