#pragma once
// Blocks, transactions, receipts and logs as JSON, in geth's shapes.

#include <span>
#include <string>

#include "devchain/block.h"

namespace fanfare::devchain {

// Quoted and escaped.
std::string json_string(std::string_view text);
std::string json_array(std::span<const std::string> elements);

// Builds an object member by member; values are JSON already.
class JsonObject {
 public:
  JsonObject& raw(std::string_view key, std::string_view json);
  JsonObject& text(std::string_view key, std::string_view value);
  JsonObject& bytes(std::string_view key, Bytes value);
  JsonObject& number(std::string_view key, Wei value);
  std::string done() &&;

 private:
  std::string json_ = "{";
};

// A log's position in its block: which transaction, which of its logs.
struct LogPlace {
  const Block* block;
  std::size_t transaction;
  std::size_t log_in_transaction;
  const Log& log() const { return block->receipts[transaction].logs[log_in_transaction]; }
  std::uint64_t index() const { return block->receipts[transaction].first_log_index + log_in_transaction; }
};

template <typename Visit>
void each_log(const Block& block, Visit&& visit) {
  for (std::size_t t = 0; t < block.receipts.size(); ++t) {
    for (std::size_t l = 0; l < block.receipts[t].logs.size(); ++l) visit(LogPlace{&block, t, l});
  }
}
template <typename Visit>
void each_log_backwards(const Block& block, Visit&& visit) {
  for (std::size_t t = block.receipts.size(); t-- > 0;) {
    for (std::size_t l = block.receipts[t].logs.size(); l-- > 0;) visit(LogPlace{&block, t, l});
  }
}

std::string render_log(const Block& block, const LogPlace& place, bool removed);
// The header in the form that geth announces: without transactions, uncles and size.
std::string render_header(const Block& block);
// `full`: whole transactions instead of hashes. `pending`: hash, nonce and miner are null, as they are not
// known yet.
std::string render_block(const Block& block, bool full, bool pending = false);
// Without a block the transaction is pending.
std::string render_transaction(const Transaction& transaction, const Block* block, std::size_t index);
std::string render_receipt(const Block& block, std::size_t index);

}  // namespace fanfare::devchain
