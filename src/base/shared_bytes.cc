#include "base/shared_bytes.h"

#include <new>

namespace fanfare {

SharedBytes::SharedBytes(Bytes bytes) {
  *this = filled(bytes.size(), [&](MutableBytes room) {
    if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
  });
}

SharedBytes SharedBytes::allocate(std::size_t size) {
  void* memory = take_block(sizeof(Block) + size);  // std::bad_alloc fails one message, not the process
  SharedBytes made;
  made.block_ = new (memory) Block{.owners = 1, .size = size, .data = nullptr, .end = nullptr};
  made.block_->data = made.block_->bytes();
  return made;
}

void SharedBytes::release() {
  if (block_->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (block_->end != nullptr) return block_->end(block_);
  const std::size_t bytes = sizeof(Block) + block_->size;
  block_->~Block();
  give_back_block(block_, bytes);
}

}  // namespace fanfare
