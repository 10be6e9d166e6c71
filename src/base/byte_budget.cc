#include "base/byte_budget.h"

namespace fanfare {

bool ByteShare::take(std::size_t bytes) {
  if (bytes > budget_.bytes_max_) {
    budget_.refusals_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  // Both are raised first, so that two threads that take at the same time see each other.
  const std::size_t used_before = budget_.used_.fetch_add(bytes, std::memory_order_relaxed);
  const std::size_t held_after = held_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const bool fits = used_before <= budget_.bytes_max_ && held_after <= bytes_max_ &&
                    held_after <= budget_.bytes_max_ - used_before;
  if (fits) return true;
  give_back(bytes);
  budget_.refusals_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void ByteShare::give_back(std::size_t bytes) {
  held_.fetch_sub(bytes, std::memory_order_relaxed);
  budget_.used_.fetch_sub(bytes, std::memory_order_relaxed);
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
