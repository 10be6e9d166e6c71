#include "base/byte_budget.h"

namespace fanfare {

// Both counters are raised before the check, so that two threads that take concurrently see each other.
bool ByteBudget::take(std::size_t bytes, std::size_t held_after, std::size_t holder_max) {
  const std::size_t used_before = used_.fetch_add(bytes, std::memory_order_relaxed);
  const std::size_t most = bytes_max();
  const bool fits = used_before <= most && held_after <= holder_max && held_after <= most - used_before &&
                    (parent_ == nullptr || parent_->take(bytes, used_before + bytes, most));
  if (!fits) used_.fetch_sub(bytes, std::memory_order_relaxed);
  return fits;
}

void ByteBudget::give_back(std::size_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  if (parent_ != nullptr) parent_->give_back(bytes);
}

void ByteBudget::count_refusal() {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  if (parent_ != nullptr) parent_->count_refusal();
}

bool ByteShare::take(std::size_t bytes) {
  if (bytes <= budget_.bytes_max()) {
    const std::size_t held_after = held_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (budget_.take(bytes, held_after, bytes_max_)) return true;
    held_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  budget_.count_refusal();
  return false;
}

void ByteShare::give_back(std::size_t bytes) {
  held_.fetch_sub(bytes, std::memory_order_relaxed);
  budget_.give_back(bytes);
}

bool ByteHold::grow(std::size_t bytes) {
  if (share_ == nullptr) return true;
  if (!share_->take(bytes)) return false;
  bytes_ += bytes;
  return true;
}

void ByteHold::shrink_to(std::size_t bytes) {
  if (share_ == nullptr || bytes >= bytes_) return;
  share_->give_back(bytes_ - bytes);
  bytes_ = bytes;
}

}  // namespace fanfare
