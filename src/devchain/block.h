#pragma once
// Headers, receipts and blocks, their encodings and roots.

#include <memory>
#include <optional>
#include <span>

#include "devchain/bloom.h"
#include "devchain/state.h"
#include "devchain/transaction.h"

namespace fanfare::devchain {

// In the order of the encoding. The optional fields came with later forks, and each needs the earlier ones:
// the encoding ends at the first absent one.
struct Header {
  Hash parent_hash{};
  Hash uncles_hash{};
  Address miner{};
  Hash state_root{};
  Hash transactions_root{};
  Hash receipts_root{};
  Bloom logs_bloom{};
  Wei difficulty = 0;
  std::uint64_t number = 0;
  std::uint64_t gas_limit = 0;
  std::uint64_t gas_used = 0;
  std::uint64_t timestamp = 0;  // Unix seconds
  Blob extra_data;
  Hash mix_hash{};
  std::array<std::uint8_t, 8> nonce{};
  std::optional<Wei> base_fee_per_gas;         // London
  std::optional<Hash> withdrawals_root;        // Shanghai
  std::optional<std::uint64_t> blob_gas_used;  // Cancun: this and the next two
  std::optional<std::uint64_t> excess_blob_gas;
  std::optional<Hash> parent_beacon_block_root;

  Blob encode() const;
  Hash hash() const;
};

// keccak(rlp([])): no uncles.
extern const Hash kNoUncles;

struct Log {
  Address address{};
  std::vector<Hash> topics;
  Blob data;
};

struct Receipt {
  TransactionType type = TransactionType::legacy;
  bool succeeded = false;
  std::uint64_t gas_used = 0;
  std::uint64_t cumulative_gas_used = 0;
  Wei effective_gas_price = 0;
  Bloom logs_bloom{};
  std::vector<Log> logs;
  std::uint64_t first_log_index = 0;  // of this receipt's logs in their block

  Blob encode() const;
};

struct Block {
  Header header;
  Hash hash{};
  std::vector<TransactionPtr> transactions;
  std::vector<Receipt> receipts;
  std::uint64_t size = 0;      // of the encoded block
  std::optional<State> state;  // after the block; dropped when the block is old

  std::uint64_t number() const { return header.number; }
};
using BlockPtr = std::shared_ptr<Block>;

// [header, transactions, uncles, withdrawals], as nodes exchange it; `size` is its length.
Blob encode_block(const Block& block);
Hash transactions_root(std::span<const TransactionPtr> transactions);
Hash receipts_root(std::span<const Receipt> receipts);
// Fills in the derived fields: roots, bloom, gas used, hash, size.
void seal(Block& block);
// EIP-1559: the base fee of the block after `parent`.
Wei next_base_fee(const Header& parent);

}  // namespace fanfare::devchain
