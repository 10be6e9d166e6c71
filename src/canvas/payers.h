#pragma once
// What addresses have drawn: one token bucket for each. One thread.

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "base/token_bucket.h"
#include "canvas/limits.h"

namespace fanfare::canvas {

class Payers {
 public:
  explicit Payers(const Limits& limits) : limits_(limits) {}

  // Its bucket; if payers_max are known and none is idle, one that all unknown ones share. Until the next call.
  TokenBucket& find(std::string_view payer, Instant now);
  std::size_t count() const { return buckets_.size(); }

 private:
  const Limits& limits_;
  std::unordered_map<std::string, TokenBucket> buckets_;
  TokenBucket shared_;
  Instant next_sweep_{};
};

}  // namespace fanfare::canvas
