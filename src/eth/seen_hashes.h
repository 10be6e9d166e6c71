#pragma once
// The last hashes that were reported, so that none is reported twice. One thread.

#include <cstddef>
#include <deque>
#include <string_view>
#include <unordered_set>

#include "eth/hex.h"

namespace fanfare::eth {

class SeenHashes {
 public:
  // Remembers so many; a further one replaces the oldest.
  explicit SeenHashes(std::size_t max) : max_(max) {}

  // Remembers it. False: it is one of those remembered, or not a hash ("0x" and 64 digits).
  bool add(std::string_view text) {
    const auto hash = parse_hash(text);
    if (!hash || !seen_.insert(*hash).second) return false;
    order_.push_back(*hash);
    if (order_.size() > max_) {
      seen_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }
  void clear() {
    seen_.clear();
    order_.clear();
  }

 private:
  const std::size_t max_;
  std::unordered_set<Hash256, FixedBytesHash> seen_;
  std::deque<Hash256> order_;
};

}  // namespace fanfare::eth
