#pragma once
// A branch of a chain, walked back from its last block to the block where it leaves the announced chain. No I/O. One
// thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "eth/announced_chain.h"

namespace fanfare::eth {

class Branch {
 public:
  // Blocks of earlier walks are remembered, up to twice the window (forks of forks).
  explicit Branch(std::uint32_t window_blocks) : walked_max_(2ULL * window_blocks) {}

  void start(HeaderPtr last) { blocks_ = {std::move(last)}; }
  const Header& lowest() const { return *blocks_.front(); }
  // False: it is not the parent of the lowest block.
  bool add_parent(const HeaderPtr& block) {
    if (block->hash != lowest().parent_hash || block->number + 1 != lowest().number) return false;
    if (walked_.size() > walked_max_) walked_.clear();
    walked_.emplace(block->hash, block);
    blocks_.push_front(block);
    return true;
  }
  // Adds the parents that are remembered, down to this number.
  void add_remembered(std::uint64_t down_to) {
    for (auto known = walked_.find(lowest().parent_hash); known != walked_.end() && lowest().number > down_to;
         known = walked_.find(lowest().parent_hash)) {
      blocks_.push_front(known->second);
    }
  }
  // From the lowest block on.
  std::deque<HeaderPtr> take() { return std::exchange(blocks_, {}); }

  void clear() { blocks_.clear(); }
  void forget_walked() { walked_.clear(); }

 private:
  const std::size_t walked_max_;
  std::deque<HeaderPtr> blocks_;  // linked
  // A fork of depth d must not need d answers in a row without a failure.
  std::map<Hash256, HeaderPtr> walked_;
};

}  // namespace fanfare::eth
