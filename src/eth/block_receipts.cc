#include "eth/block_receipts.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

using jsonrpc::Kind;

std::optional<Hash256> hash_in(std::string_view object, std::string_view name) {
  const auto raw = jsonrpc::member(object, name);
  return raw ? parse_hash(jsonrpc::string_value(*raw).value_or("")) : std::nullopt;
}

}  // namespace

std::expected<BlockReceipts, std::string> parse_block_receipts(std::string_view receipts_json,
                                                               const Hash256& block_hash) {
  if (jsonrpc::kind_of(receipts_json) != Kind::array) {
    return std::unexpected("receipts are not an array: " + std::string(receipts_json.substr(0, 80)));
  }
  BlockReceipts receipts;
  for (const std::string_view receipt : jsonrpc::array_elements(receipts_json)) {
    const auto transaction = hash_in(receipt, "transactionHash");
    if (!transaction) return std::unexpected("receipt without a usable transactionHash");
    // Otherwise subscribers would receive another block's receipts for this one.
    if (hash_in(receipt, "blockHash") != block_hash) {
      return std::unexpected("receipt without a usable blockHash");
    }
    receipts.entries.push_back({.transaction = *transaction, .json = std::string(receipt)});
  }
  return receipts;
}

bool ReceiptFilter::matches(const Hash256& transaction) const {
  return transactions.empty() || std::ranges::binary_search(transactions, transaction);
}

std::string ReceiptFilter::canonical() const {
  std::string text;
  for (const Hash256& transaction : transactions) text.append(1, ':').append(to_hex(transaction));
  return text;
}

std::expected<ReceiptFilter, std::string> parse_receipt_filter(std::string_view filter_json) {
  ReceiptFilter filter;
  const Kind kind = jsonrpc::kind_of(filter_json);
  if (kind == Kind::null || kind == Kind::none) return filter;
  if (kind != Kind::object) return std::unexpected("the filter must be an object");
  const std::string_view raw = jsonrpc::member(filter_json, "transactionHashes").value_or("");
  const Kind list = jsonrpc::kind_of(raw);
  if (list == Kind::null || list == Kind::none) return filter;
  if (list != Kind::array) return std::unexpected("transactionHashes must be an array");
  for (const std::string_view element : jsonrpc::array_elements(raw)) {
    const auto transaction = parse_hash(jsonrpc::string_value(element).value_or(""));
    if (!transaction) return std::unexpected("invalid transaction hash: must be 32 bytes of hex");
    if (filter.transactions.size() == ReceiptFilter::kTransactionsMax) {
      return std::unexpected("at most " + std::to_string(ReceiptFilter::kTransactionsMax) +
                             " transactionHashes");
    }
    filter.transactions.push_back(*transaction);
  }
  std::ranges::sort(filter.transactions);
  const auto repeated = std::ranges::unique(filter.transactions);
  filter.transactions.erase(repeated.begin(), repeated.end());
  return filter;
}

std::string matching_receipts(const BlockReceipts& receipts, const ReceiptFilter& filter) {
  std::string json;
  for (const BlockReceipts::Entry& entry : receipts.entries) {
    if (filter.matches(entry.transaction)) json.append(json.empty() ? "[" : ",").append(entry.json);
  }
  return json.empty() ? json : json + ']';
}

}  // namespace fanfare::eth
