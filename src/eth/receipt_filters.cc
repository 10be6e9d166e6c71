#include "eth/receipt_filters.h"

#include <algorithm>
#include <utility>

namespace fanfare::eth {

void ReceiptFilters::add(FilterId id, ReceiptFilter filter) {
  const ReceiptFilter& added = filters_.emplace(id, std::move(filter)).first->second;
  if (added.transactions.empty()) of_all_.push_back(id);
  for (const Hash256& transaction : added.transactions) by_transaction_.emplace(transaction, id);
}

void ReceiptFilters::remove(FilterId id) {
  const auto filter = filters_.extract(id);
  if (filter.empty()) return;
  std::erase(of_all_, id);
  for (const Hash256& transaction : filter.mapped().transactions) {
    auto [place, end] = by_transaction_.equal_range(transaction);
    while (place->second != id) ++place;
    by_transaction_.erase(place);
  }
}

std::vector<ReceiptFilters::FilterId> ReceiptFilters::match(const BlockReceipts& receipts) const {
  if (receipts.entries.empty()) return {};
  std::vector<FilterId> found = of_all_;
  for (const BlockReceipts::Entry& entry : receipts.entries) {
    const auto [begin, end] = by_transaction_.equal_range(entry.transaction);
    for (auto place = begin; place != end; ++place) found.push_back(place->second);
  }
  std::ranges::sort(found);
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

}  // namespace fanfare::eth
