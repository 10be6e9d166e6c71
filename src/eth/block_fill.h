#pragma once
// The blocks of a jump of the head: which to request next, and those that arrived, in order. No I/O. One thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "eth/announced_chain.h"

namespace fanfare::eth {

class BlockFill {
 public:
  // At most this many calls at once; four times as many blocks may wait for an earlier one.
  explicit BlockFill(std::uint32_t calls_in_flight_max) : calls_max_(calls_in_flight_max) {}

  // The blocks from `first` to `last`. `skipped`: blocks before them that are given up.
  void start(std::uint64_t first, std::uint64_t last, std::optional<Gap> skipped) {
    next_request_ = next_ = first;
    last_ = last;
    skipped_ = skipped;
  }
  void clear() {
    arrived_.clear();
    skipped_.reset();
  }

  // The next block to request; empty: enough are requested, or wait for a slow answer.
  std::optional<std::uint64_t> take_request(std::size_t calls_in_flight) {
    const bool waits = next_request_ >= next_ + 4ULL * calls_max_;
    if (calls_in_flight >= calls_max_ || next_request_ > last_ || waits) return std::nullopt;
    return next_request_++;
  }
  void add(std::uint64_t number, HeaderPtr block) { arrived_.emplace(number, std::move(block)); }
  // The next block in order; null: it has not arrived.
  HeaderPtr take_next() {
    const auto found = arrived_.begin();
    if (found == arrived_.end() || found->first != next_) return nullptr;
    ++next_;
    HeaderPtr block = std::move(found->second);
    arrived_.erase(found);
    return block;
  }
  // Reported when the first block after it has arrived, once.
  std::optional<Gap> take_skipped() { return std::exchange(skipped_, std::nullopt); }
  bool is_done() const { return next_ > last_; }

 private:
  const std::uint32_t calls_max_;
  std::map<std::uint64_t, HeaderPtr> arrived_;  // before their turn
  std::uint64_t next_request_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t last_ = 0;
  std::optional<Gap> skipped_;
};

}  // namespace fanfare::eth
