#pragma once
// The receipts of one block, from the answer to eth_getBlockReceipts to what a transactionReceipts
// notification carries; and the filter of such a subscription, with geth's semantics:
//
//   transactionHashes   the transactions whose receipts are told; absent, null or [] is all, at most 200
//
// One notification a block: an array of the receipts that match, in the block's order; none for a block
// without any. A reorg takes nothing back: receipts of the new branch follow.

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "eth/hex.h"

namespace fanfare::eth {

struct BlockReceipts {
  struct Entry {
    Hash256 transaction;
    std::string json;  // as the node sent it
  };
  std::vector<Entry> entries;  // in the block's order
};
using BlockReceiptsPtr = std::shared_ptr<const BlockReceipts>;

// `receipts_json` is the value of `result`, which must be an array of receipts of the block `block_hash`. The
// error is one line for the log.
std::expected<BlockReceipts, std::string> parse_block_receipts(std::string_view receipts_json,
                                                               const Hash256& block_hash);

struct ReceiptFilter {
  static constexpr std::size_t kTransactionsMax = 200;

  std::vector<Hash256> transactions;  // sorted, each once; empty: all

  bool matches(const Hash256& transaction) const;
  // The same text for every way to write the same filter.
  std::string canonical() const;
};

// `filter_json` is the raw second parameter; empty or null is the filter that matches all. The error is the
// message that goes with -32602.
std::expected<ReceiptFilter, std::string> parse_receipt_filter(std::string_view filter_json);

// The notification's `result`: those of the block that match. Empty: none does.
std::string matching_receipts(const BlockReceipts& receipts, const ReceiptFilter& filter);

}  // namespace fanfare::eth
