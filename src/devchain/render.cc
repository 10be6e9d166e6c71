#include "devchain/render.h"

namespace fanfare::devchain {
namespace {

void header_members(JsonObject& json, const Block& block, bool pending) {
  const Header& header = block.header;
  if (pending) {
    json.raw("hash", "null");
  } else {
    json.bytes("hash", block.hash);
  }
  json.bytes("parentHash", header.parent_hash).bytes("sha3Uncles", header.uncles_hash);
  if (pending) {
    json.raw("miner", "null");
  } else {
    json.bytes("miner", header.miner);
  }
  json.bytes("stateRoot", header.state_root)
      .bytes("transactionsRoot", header.transactions_root)
      .bytes("receiptsRoot", header.receipts_root)
      .bytes("logsBloom", header.logs_bloom)
      .number("difficulty", header.difficulty)
      .number("number", header.number)
      .number("gasLimit", header.gas_limit)
      .number("gasUsed", header.gas_used)
      .number("timestamp", header.timestamp)
      .bytes("extraData", header.extra_data)
      .bytes("mixHash", header.mix_hash);
  if (pending) {
    json.raw("nonce", "null");
  } else {
    json.bytes("nonce", header.nonce);
  }
  if (header.base_fee_per_gas) json.number("baseFeePerGas", *header.base_fee_per_gas);
  if (header.withdrawals_root) json.bytes("withdrawalsRoot", *header.withdrawals_root);
  if (header.blob_gas_used) json.number("blobGasUsed", *header.blob_gas_used);
  if (header.excess_blob_gas) json.number("excessBlobGas", *header.excess_blob_gas);
  if (header.parent_beacon_block_root) {
    json.bytes("parentBeaconBlockRoot", *header.parent_beacon_block_root);
  }
}

std::string render_access_list(const TransactionBody& body) {
  std::vector<std::string> rendered;
  for (const auto& entry : parse_access_list(body.access_list).value_or(std::vector<AccessListEntry>{})) {
    std::vector<std::string> keys;
    keys.reserve(entry.keys.size());
    for (const Hash& key : entry.keys) keys.push_back(json_string(hex(key)));
    JsonObject json;
    json.bytes("address", entry.address).raw("storageKeys", json_array(keys));
    rendered.push_back(std::move(json).done());
  }
  return json_array(rendered);
}

void optional_address(JsonObject& json, std::string_view key, const std::optional<Address>& address) {
  if (address) {
    json.bytes(key, *address);
  } else {
    json.raw(key, "null");
  }
}

}  // namespace

std::string json_string(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20) {
      json += "\\u00";
      json += kDigits[byte >> 4];
      json += kDigits[byte & 15];
    } else {
      json += c;
    }
  }
  return json + '"';
}

std::string json_array(std::span<const std::string> elements) {
  std::string json = "[";
  for (const std::string& element : elements) {
    if (json.size() > 1) json += ',';
    json += element;
  }
  return json + ']';
}

JsonObject& JsonObject::raw(std::string_view key, std::string_view json) {
  if (json_.size() > 1) json_ += ',';
  json_ += '"';
  json_ += key;
  json_ += "\":";
  json_ += json;
  return *this;
}

JsonObject& JsonObject::text(std::string_view key, std::string_view value) {
  return raw(key, json_string(value));
}
JsonObject& JsonObject::bytes(std::string_view key, Bytes value) {
  return text(key, hex(value));
}
JsonObject& JsonObject::number(std::string_view key, Wei value) {
  return text(key, quantity(value));
}
std::string JsonObject::done() && {
  return std::move(json_) + '}';
}

std::string render_log(const Block& block, const LogPlace& place, bool removed) {
  const Log& log = place.log();
  std::vector<std::string> topics;
  topics.reserve(log.topics.size());
  for (const Hash& topic : log.topics) topics.push_back(json_string(hex(topic)));
  JsonObject json;
  json.bytes("address", log.address)
      .raw("topics", json_array(topics))
      .bytes("data", log.data)
      .number("blockNumber", block.number())
      .bytes("transactionHash", block.transactions[place.transaction]->hash)
      .number("transactionIndex", place.transaction)
      .bytes("blockHash", block.hash)
      .number("logIndex", place.index())
      .number("blockTimestamp", block.header.timestamp)
      .raw("removed", removed ? "true" : "false");
  return std::move(json).done();
}

std::string render_header(const Block& block) {
  JsonObject json;
  header_members(json, block, false);
  return std::move(json).done();
}

std::string render_block(const Block& block, bool full, bool pending) {
  std::vector<std::string> transactions;
  transactions.reserve(block.transactions.size());
  for (std::size_t i = 0; i < block.transactions.size(); ++i) {
    const Transaction& transaction = *block.transactions[i];
    transactions.push_back(full ? render_transaction(transaction, pending ? nullptr : &block, i)
                                : json_string(hex(transaction.hash)));
  }
  JsonObject json;
  header_members(json, block, pending);
  json.number("size", block.size)
      .raw("uncles", "[]")
      .raw("transactions", json_array(transactions))
      .raw("withdrawals", "[]");
  return std::move(json).done();
}

std::string render_transaction(const Transaction& transaction, const Block* block, std::size_t index) {
  JsonObject json;
  if (block != nullptr) {
    json.bytes("blockHash", block->hash)
        .number("blockNumber", block->number())
        .number("blockTimestamp", block->header.timestamp)
        .number("transactionIndex", index);
  } else {
    for (const char* name : {"blockHash", "blockNumber", "blockTimestamp", "transactionIndex"}) {
      json.raw(name, "null");
    }
  }
  const bool dynamic = transaction.type == TransactionType::dynamic_fee;
  const bool legacy = transaction.type == TransactionType::legacy;
  const Wei gas_price = dynamic && block != nullptr
                            ? transaction.effective_gas_price(block->header.base_fee_per_gas.value_or(0))
                            : transaction.fee_max;
  json.bytes("hash", transaction.hash)
      .number("type", static_cast<Wei>(transaction.type))
      .number("chainId", transaction.chain_id)
      .number("nonce", transaction.nonce)
      .bytes("from", transaction.from);
  optional_address(json, "to", transaction.to);
  json.number("value", transaction.value)
      .number("gas", transaction.gas_limit)
      .number("gasPrice", gas_price)
      .bytes("input", transaction.data);
  if (dynamic) {
    json.number("maxFeePerGas", transaction.fee_max)
        .number("maxPriorityFeePerGas", transaction.priority_fee_max);
  }
  const Wei parity = transaction.signature.parity;
  if (legacy) {
    json.number("v", static_cast<Wei>(transaction.chain_id) * 2 + 35 + parity);
  } else {
    json.raw("accessList", render_access_list(transaction)).number("v", parity).number("yParity", parity);
  }
  json.text("r", quantity(transaction.signature.r)).text("s", quantity(transaction.signature.s));
  return std::move(json).done();
}

std::string render_receipt(const Block& block, std::size_t index) {
  const Receipt& receipt = block.receipts[index];
  const Transaction& transaction = *block.transactions[index];
  std::vector<std::string> logs;
  logs.reserve(receipt.logs.size());
  for (std::size_t i = 0; i < receipt.logs.size(); ++i) {
    logs.push_back(
        render_log(block, {.block = &block, .transaction = index, .log_in_transaction = i}, false));
  }
  JsonObject json;
  json.bytes("transactionHash", transaction.hash)
      .number("transactionIndex", index)
      .bytes("blockHash", block.hash)
      .number("blockNumber", block.number())
      .bytes("from", transaction.from);
  optional_address(json, "to", transaction.to);
  json.raw("contractAddress", "null")
      .number("type", static_cast<Wei>(receipt.type))
      .number("status", receipt.succeeded ? 1 : 0)
      .number("gasUsed", receipt.gas_used)
      .number("cumulativeGasUsed", receipt.cumulative_gas_used)
      .number("effectiveGasPrice", receipt.effective_gas_price)
      .raw("logs", json_array(logs))
      .bytes("logsBloom", receipt.logs_bloom);
  return std::move(json).done();
}

}  // namespace fanfare::devchain
