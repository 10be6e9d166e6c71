#pragma once
// What addresses have drawn, and the chunks that they began. One thread.

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "base/token_bucket.h"
#include "canvas/limits.h"

namespace fanfare::canvas {

struct Payer {
  TokenBucket pixels;
  TokenBucket chunks;
};

class Payers {
 public:
  explicit Payers(const Limits& limits) : limits_(limits) {}

  // Its buckets; if payers_max are known and none is idle, those that all unknown ones share. Until the next call.
  Payer& find(std::string_view payer, Instant now);
  std::size_t count() const { return payers_.size(); }

 private:
  const Limits& limits_;
  std::unordered_map<std::string, Payer> payers_;
  Payer shared_;
  Instant next_sweep_{};
};

}  // namespace fanfare::canvas
