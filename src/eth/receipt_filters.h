#pragma once
// Finds the receipt filters, among many, that match a block's receipts. The cost grows with the receipts and
// the matches. One thread.

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "eth/block_receipts.h"

namespace fanfare::eth {

class ReceiptFilters {
 public:
  using FilterId = std::uint32_t;  // chosen by the caller; reused after remove()

  // `id` must not be in use.
  void add(FilterId id, ReceiptFilter filter);
  void remove(FilterId id);

  bool empty() const { return filters_.empty(); }
  // `id` must be in use. The reference is valid until that filter is removed.
  const ReceiptFilter& filter(FilterId id) const { return filters_.at(id); }
  // The filters that match at least one receipt of the block, each once.
  std::vector<FilterId> match(const BlockReceipts& receipts) const;

 private:
  std::unordered_map<FilterId, ReceiptFilter> filters_;
  std::vector<FilterId> of_all_;  // filters that match every transaction
  std::multimap<Hash256, FilterId>
      by_transaction_;  // ordered, because clients choose the hashes and could make a hash table degenerate
};

}  // namespace fanfare::eth
