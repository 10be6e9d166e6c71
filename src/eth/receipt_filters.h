#pragma once
// Which of many receipt filters match a block's receipts, at a cost that follows the receipts and the
// matches. One thread.

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "eth/block_receipts.h"

namespace fanfare::eth {

class ReceiptFilters {
 public:
  using FilterId = std::uint32_t;  // the caller's, used again after remove()

  // `id` must not be here.
  void add(FilterId id, ReceiptFilter filter);
  void remove(FilterId id);

  bool empty() const { return filters_.empty(); }
  // Of an id that is here; good until it is removed.
  const ReceiptFilter& filter(FilterId id) const { return filters_.at(id); }
  // Those with something to be told of the block, each once.
  std::vector<FilterId> match(const BlockReceipts& receipts) const;

 private:
  std::unordered_map<FilterId, ReceiptFilter> filters_;
  std::vector<FilterId> of_all_;  // without a list
  std::multimap<Hash256, FilterId>
      by_transaction_;  // hashes come from clients: no table they could fill unevenly
};

}  // namespace fanfare::eth
