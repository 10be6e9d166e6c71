#pragma once
// The receipts of one block, from the answer to eth_getBlockReceipts to the transactionReceipts notification;
// and the filter of such a subscription, with geth's semantics:
//
//   transactionHashes   sends only the receipts of these, at most 200; absent, null or [] sends all
//
// Each block gives one notification: an array of the receipts that match, in the block's order. A block
// without a match gives none. A reorg retracts nothing: receipts of the new branch follow.

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
  // Equal for all spellings of the same filter.
  std::string canonical() const;
};

// `filter_json` is the raw second parameter; empty or null is the filter that matches all. The error is the
// message that goes with -32602.
std::expected<ReceiptFilter, std::string> parse_receipt_filter(std::string_view filter_json);

// The notification's `result`: the matching receipts of the block. Empty if none match.
std::string matching_receipts(const BlockReceipts& receipts, const ReceiptFilter& filter);

}  // namespace fanfare::eth
