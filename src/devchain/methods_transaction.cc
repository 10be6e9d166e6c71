#include <algorithm>
#include <array>
#include <map>

#include "devchain/execution.h"
#include "devchain/keccak.h"
#include "devchain/methods.h"
#include "devchain/render.h"

namespace fanfare::devchain {
namespace {

Answer by_hash(Chain& chain, Params& params) {
  const Hash hash = params.hash(0);
  FANFARE_PARAMS_OK(params);
  const auto place = chain.ledger().find_transaction(hash);
  if (place.block != nullptr) {
    return render_transaction(*place.block->transactions[place.index], place.block.get(), place.index);
  }
  const TransactionPtr waiting = chain.pool().find(hash);
  return waiting == nullptr ? "null" : render_transaction(*waiting, nullptr, 0);
}

Answer by_block_and_index(Chain& chain, Params& params, const BlockReference& reference) {
  const std::uint64_t index = params.number(1);
  FANFARE_PARAMS_OK(params);
  const BlockPtr block = find_block(chain, reference);
  if (block == nullptr || index >= block->transactions.size()) return "null";
  const bool pending = reference.kind == BlockReference::Kind::pending;
  return render_transaction(*block->transactions[index], pending ? nullptr : block.get(), index);
}

Answer by_number_and_index(Chain& chain, Params& params) {
  const BlockReference reference = params.block_number(0);
  return by_block_and_index(chain, params, reference);
}

Answer by_block_hash_and_index(Chain& chain, Params& params) {
  const Hash hash = params.hash(0);
  return by_block_and_index(chain, params, {.kind = BlockReference::Kind::hash, .hash = hash});
}

Answer raw_by_block_and_index(Chain& chain, Params& params, const BlockReference& reference) {
  const std::uint64_t index = params.number(1);
  FANFARE_PARAMS_OK(params);
  const BlockPtr block = find_block(chain, reference);
  if (block == nullptr || index >= block->transactions.size()) return "\"0x\"";
  return json_string(hex(block->transactions[index]->raw));
}

Answer raw_by_number_and_index(Chain& chain, Params& params) {
  return raw_by_block_and_index(chain, params, params.block_number(0));
}

Answer raw_by_block_hash_and_index(Chain& chain, Params& params) {
  return raw_by_block_and_index(chain, params, {.kind = BlockReference::Kind::hash, .hash = params.hash(0)});
}

Answer raw_by_hash(Chain& chain, Params& params) {
  const Hash hash = params.hash(0);
  FANFARE_PARAMS_OK(params);
  const auto place = chain.ledger().find_transaction(hash);
  const TransactionPtr found =
      place.block != nullptr ? place.block->transactions[place.index] : chain.pool().find(hash);
  return found == nullptr ? "\"0x\"" : json_string(hex(found->raw));
}

Answer receipt(Chain& chain, Params& params) {
  const Hash hash = params.hash(0);
  FANFARE_PARAMS_OK(params);
  const auto place = chain.ledger().find_transaction(hash);
  return place.block == nullptr ? "null" : render_receipt(*place.block, place.index);
}

Answer submit(Chain& chain, const TransactionPtr& transaction) {
  const auto hash = chain.submit(transaction);
  if (!hash) return failure(-32000, hash.error());
  return json_string(hex(*hash));
}

Answer send_raw(Chain& chain, Params& params) {
  const Blob raw = params.bytes(0);
  FANFARE_PARAMS_OK(params);
  const auto transaction = decode_transaction(raw);
  if (!transaction) return failure(-32000, transaction.error());
  return submit(chain, *transaction);
}

// Signs for the development accounts, as a node does for its unlocked ones, and fills in the missing fields
// of the request.
std::expected<TransactionPtr, CallError> sign_request(Chain& chain, const CallRequest& request) {
  const auto& accounts = chain.accounts();
  const auto signer =
      request.from ? std::ranges::find(accounts, *request.from, &DevAccount::address) : accounts.end();
  if (signer == accounts.end()) return failure(-32000, "unknown account");
  if (request.chain_id.value_or(chain.options().chain_id) != chain.options().chain_id) {
    return failure(-32000, "chainId does not match node's (have=" + std::to_string(*request.chain_id) +
                               ", want=" + std::to_string(chain.options().chain_id) + ")");
  }
  const State& state = *chain.head().state;
  TransactionBody body{.chain_id = chain.options().chain_id, .to = request.to, .data = request.data};
  body.nonce = request.nonce.value_or(chain.pool().next_nonce(*request.from, state));
  body.value = request.value.value_or(0);
  if (request.gas_price) {
    body.type = TransactionType::legacy;
    body.fee_max = body.priority_fee_max = *request.gas_price;
  } else {
    body.priority_fee_max = request.priority_fee_max.value_or(kGwei);
    body.fee_max = request.fee_max.value_or(chain.base_fee() * 2 + body.priority_fee_max);
  }
  if (request.gas) {
    body.gas_limit = *request.gas;
  } else if (body.to) {
    State scratch = state;
    body.gas_limit = gas_of(body, execute_call(scratch, *request.from, *body.to, body.value, body.data));
  }
  return sign_transaction(std::move(body), signer->key, signer->address);
}

Answer send(Chain& chain, Params& params) {
  const CallRequest request = params.call(0);
  FANFARE_PARAMS_OK(params);
  const auto transaction = sign_request(chain, request);
  if (!transaction) return std::unexpected(transaction.error());
  return submit(chain, *transaction);
}

Answer sign_only(Chain& chain, Params& params) {
  const CallRequest request = params.call(0);
  FANFARE_PARAMS_OK(params);
  const auto transaction = sign_request(chain, request);
  if (!transaction) return std::unexpected(transaction.error());
  JsonObject json;
  json.bytes("raw", (*transaction)->raw).raw("tx", render_transaction(**transaction, nullptr, 0));
  return std::move(json).done();
}

// EIP-191, version 0x45: a "personal message" in wallets.
Answer sign_message(Chain& chain, Params& params) {
  const Address address = params.address(0);
  const Blob message = params.bytes(1);
  FANFARE_PARAMS_OK(params);
  const auto signer = std::ranges::find(chain.accounts(), address, &DevAccount::address);
  if (signer == chain.accounts().end()) return failure(-32000, "unknown account");
  const std::string prefix =
      "\x19"
      "Ethereum Signed Message:\n" +
      std::to_string(message.size());
  Blob text(prefix.begin(), prefix.end());
  text.insert(text.end(), message.begin(), message.end());
  const Signature signature = sign(keccak(text), signer->key);
  Blob flat(signature.r.begin(), signature.r.end());
  flat.insert(flat.end(), signature.s.begin(), signature.s.end());
  flat.push_back(static_cast<std::uint8_t>(27 + signature.parity));
  return json_string(hex(flat));
}

Answer pool_status(Chain& chain, Params&) {
  const auto split = chain.pool().split(*chain.head().state);
  JsonObject json;
  json.number("pending", split.pending.size()).number("queued", split.queued.size());
  return std::move(json).done();
}

// {"0xSENDER":{"NONCE":{...}}}
std::string pool_part(const std::vector<TransactionPtr>& transactions) {
  std::map<Address, JsonObject> senders;
  for (const auto& transaction : transactions) {
    senders[transaction->from].raw(std::to_string(transaction->nonce),
                                   render_transaction(*transaction, nullptr, 0));
  }
  JsonObject json;
  for (auto& [sender, nonces] : senders) json.raw(hex(sender), std::move(nonces).done());
  return std::move(json).done();
}

Answer pool_content(Chain& chain, Params&) {
  const auto split = chain.pool().split(*chain.head().state);
  JsonObject json;
  json.raw("pending", pool_part(split.pending)).raw("queued", pool_part(split.queued));
  return std::move(json).done();
}

// The transactions of one sender: {"pending":{"NONCE":{...}},"queued":{...}}
Answer pool_content_from(Chain& chain, Params& params) {
  const Address sender = params.address(0);
  FANFARE_PARAMS_OK(params);
  const auto split = chain.pool().split(*chain.head().state);
  const auto part = [&sender](const std::vector<TransactionPtr>& transactions) {
    JsonObject json;
    for (const auto& transaction : transactions) {
      if (transaction->from != sender) continue;
      json.raw(std::to_string(transaction->nonce), render_transaction(*transaction, nullptr, 0));
    }
    return std::move(json).done();
  };
  JsonObject json;
  json.raw("pending", part(split.pending)).raw("queued", part(split.queued));
  return std::move(json).done();
}

Answer pool_inspect(Chain& chain, Params&) {
  const auto part = [](const std::vector<TransactionPtr>& transactions) {
    std::map<Address, JsonObject> senders;
    for (const auto& transaction : transactions) {
      senders[transaction->from].text(std::to_string(transaction->nonce),
                                      hex(*transaction->to) + ": " + decimal(transaction->value) + " wei + " +
                                          std::to_string(transaction->gas_limit) + " gas x " +
                                          decimal(transaction->fee_max) + " wei");
    }
    JsonObject json;
    for (auto& [sender, nonces] : senders) json.raw(hex(sender), std::move(nonces).done());
    return std::move(json).done();
  };
  const auto split = chain.pool().split(*chain.head().state);
  JsonObject json;
  json.raw("pending", part(split.pending)).raw("queued", part(split.queued));
  return std::move(json).done();
}

Answer pending_transactions(Chain& chain, Params&) {
  std::vector<std::string> rendered;
  for (const auto& transaction : chain.pool().split(*chain.head().state).pending) {
    const auto from = std::ranges::find(chain.accounts(), transaction->from, &DevAccount::address);
    if (from != chain.accounts().end()) rendered.push_back(render_transaction(*transaction, nullptr, 0));
  }
  return json_array(rendered);
}

constexpr std::array<Method, 17> kMethods = {{
    {"eth_getRawTransactionByBlockNumberAndIndex", 2, raw_by_number_and_index},
    {"eth_getRawTransactionByBlockHashAndIndex", 2, raw_by_block_hash_and_index},
    {"debug_getRawTransaction", 1, raw_by_hash},
    {"eth_signTransaction", 1, sign_only},
    {"eth_sign", 2, sign_message},
    {"txpool_contentFrom", 1, pool_content_from},
    {"txpool_inspect", 0, pool_inspect},
    {"eth_getTransactionByHash", 1, by_hash},
    {"eth_getTransactionByBlockNumberAndIndex", 2, by_number_and_index},
    {"eth_getTransactionByBlockHashAndIndex", 2, by_block_hash_and_index},
    {"eth_getRawTransactionByHash", 1, raw_by_hash},
    {"eth_getTransactionReceipt", 1, receipt},
    {"eth_sendRawTransaction", 1, send_raw},
    {"eth_sendTransaction", 1, send},
    {"eth_pendingTransactions", 0, pending_transactions},
    {"txpool_status", 0, pool_status},
    {"txpool_content", 0, pool_content},
}};

}  // namespace

std::span<const Method> transaction_methods() {
  return kMethods;
}

}  // namespace fanfare::devchain
