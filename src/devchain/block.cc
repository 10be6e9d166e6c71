#include "devchain/block.h"

#include <algorithm>

#include "devchain/keccak.h"
#include "devchain/rlp.h"
#include "devchain/trie.h"

namespace fanfare::devchain {

const Hash kNoUncles = keccak(Blob{0xc0});

Blob Header::encode() const {
  Blob fields;
  fields.reserve(640);
  rlp::append_bytes(fields, parent_hash);
  rlp::append_bytes(fields, uncles_hash);
  rlp::append_bytes(fields, miner);
  rlp::append_bytes(fields, state_root);
  rlp::append_bytes(fields, transactions_root);
  rlp::append_bytes(fields, receipts_root);
  rlp::append_bytes(fields, logs_bloom);
  rlp::append_number(fields, difficulty);
  rlp::append_number(fields, number);
  rlp::append_number(fields, gas_limit);
  rlp::append_number(fields, gas_used);
  rlp::append_number(fields, timestamp);
  rlp::append_bytes(fields, extra_data);
  rlp::append_bytes(fields, mix_hash);
  rlp::append_bytes(fields, nonce);
  if (base_fee_per_gas) {
    rlp::append_number(fields, *base_fee_per_gas);
    if (withdrawals_root) {
      rlp::append_bytes(fields, *withdrawals_root);
      if (blob_gas_used && excess_blob_gas && parent_beacon_block_root) {
        rlp::append_number(fields, *blob_gas_used);
        rlp::append_number(fields, *excess_blob_gas);
        rlp::append_bytes(fields, *parent_beacon_block_root);
      }
    }
  }
  return rlp::list(fields);
}

Hash Header::hash() const {
  return keccak(encode());
}

Blob Receipt::encode() const {
  Blob encoded_logs;
  for (const Log& log : logs) {
    Blob topics;
    for (const Hash& topic : log.topics) rlp::append_bytes(topics, topic);
    Blob fields;
    rlp::append_bytes(fields, log.address);
    rlp::append_list(fields, topics);
    rlp::append_bytes(fields, log.data);
    rlp::append_list(encoded_logs, fields);
  }
  Blob fields;
  rlp::append_number(fields, succeeded ? 1 : 0);
  rlp::append_number(fields, cumulative_gas_used);
  rlp::append_bytes(fields, logs_bloom);
  rlp::append_list(fields, encoded_logs);
  Blob out;
  if (type != TransactionType::legacy) out.push_back(static_cast<std::uint8_t>(type));
  rlp::append_list(out, fields);
  return out;
}

namespace {

Blob index_key(std::size_t index) {
  Blob key;
  rlp::append_number(key, index);
  return key;
}

}  // namespace

Blob encode_block(const Block& block) {
  Blob transactions;
  for (const auto& transaction : block.transactions) {
    if (transaction->type == TransactionType::legacy) {
      rlp::append_raw(transactions, transaction->raw);
    } else {
      rlp::append_bytes(transactions, transaction->raw);
    }
  }
  Blob parts = block.header.encode();
  rlp::append_list(parts, transactions);
  rlp::append_list(parts, {});
  rlp::append_list(parts, {});
  return rlp::list(parts);
}

Hash transactions_root(std::span<const TransactionPtr> transactions) {
  Trie trie;
  for (std::size_t i = 0; i < transactions.size(); ++i) trie.put(index_key(i), transactions[i]->raw);
  return trie.root();
}

Hash receipts_root(std::span<const Receipt> receipts) {
  Trie trie;
  for (std::size_t i = 0; i < receipts.size(); ++i) trie.put(index_key(i), receipts[i].encode());
  return trie.root();
}

void seal(Block& block) {
  Header& header = block.header;
  header.uncles_hash = kNoUncles;
  header.transactions_root = transactions_root(block.transactions);
  header.receipts_root = receipts_root(block.receipts);
  header.withdrawals_root = kEmptyRoot;
  header.logs_bloom = {};
  for (const Receipt& receipt : block.receipts) {
    std::ranges::transform(header.logs_bloom, receipt.logs_bloom, header.logs_bloom.begin(), std::bit_or());
  }
  header.gas_used = block.receipts.empty() ? 0 : block.receipts.back().cumulative_gas_used;
  if (block.state) header.state_root = block.state->root();
  block.hash = header.hash();
  block.size = encode_block(block).size();
}

Wei next_base_fee(const Header& parent) {
  const Wei base = parent.base_fee_per_gas.value_or(kGwei);
  const Wei target = parent.gas_limit / 2;
  if (parent.gas_used == target || target == 0) return base;
  if (parent.gas_used > target) {
    return base + std::max<Wei>(base * (parent.gas_used - target) / target / 8, 1);
  }
  return base - base * (target - parent.gas_used) / target / 8;
}

}  // namespace fanfare::devchain
