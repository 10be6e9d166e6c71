#include "devchain/execution.h"

#include <algorithm>

#include "base/check.h"
#include "devchain/token.h"

namespace fanfare::devchain {
namespace {

void move_ether(State& state, const Address& from, const Address& to, Wei value) {
  Account source = state.account(from);
  FANFARE_CHECK(source.balance >= value);
  source.balance -= value;
  state.set_account(from, source);
  Account target = state.account(to);
  target.balance += value;
  state.set_account(to, target);
}

}  // namespace

CallResult execute_call(State& state, const Address& from, const Address& to, Wei value, Bytes data) {
  if (const Token* token = find_token(to)) return call_token(state, *token, from, value, data);
  if (state.account(from).balance < value) return {.succeeded = false};
  if (value != 0) move_ether(state, from, to, value);
  return {.succeeded = true};
}

std::uint64_t gas_of(const TransactionBody& body, const CallResult& result) {
  return intrinsic_gas(body) + result.gas;
}

bool applicable(const Block& block, const Transaction& transaction) {
  const Account sender = block.state->account(transaction.from);
  const Wei base_fee = block.header.base_fee_per_gas.value_or(0);
  const std::uint64_t used = block.receipts.empty() ? 0 : block.receipts.back().cumulative_gas_used;
  return sender.nonce == transaction.nonce && transaction.fee_max >= base_fee &&
         transaction.gas_limit <= block.header.gas_limit - used &&
         sender.balance >= transaction.value + transaction.fee_max * transaction.gas_limit;
}

void apply(Block& block, const TransactionPtr& transaction) {
  State& state = *block.state;
  const Wei base_fee = block.header.base_fee_per_gas.value_or(0);
  const Wei price = transaction->effective_gas_price(base_fee);
  Account sender = state.account(transaction->from);
  ++sender.nonce;
  sender.balance -= price * transaction->gas_limit;
  state.set_account(transaction->from, sender);

  State before = state;
  CallResult result =
      execute_call(state, transaction->from, *transaction->to, transaction->value, transaction->data);
  std::uint64_t used = gas_of(*transaction, result);
  if (used > transaction->gas_limit) {  // out of gas: its effects are undone, all its gas is used
    result = {};
    used = transaction->gas_limit;
  }
  if (!result.succeeded) state = std::move(before);

  sender = state.account(transaction->from);
  sender.balance += price * (transaction->gas_limit - used);
  state.set_account(transaction->from, sender);
  Account miner = state.account(block.header.miner);  // the base fee is burned, the rest goes to the miner
  miner.balance += (price - base_fee) * used;
  state.set_account(block.header.miner, miner);

  Receipt receipt{.type = transaction->type,
                  .succeeded = result.succeeded,
                  .gas_used = used,
                  .cumulative_gas_used = used,
                  .effective_gas_price = price};
  if (!block.receipts.empty()) {
    const Receipt& last = block.receipts.back();
    receipt.cumulative_gas_used += last.cumulative_gas_used;
    receipt.first_log_index = last.first_log_index + last.logs.size();
  }
  if (result.succeeded) receipt.logs = std::move(result.logs);
  for (const Log& log : receipt.logs) {
    bloom_add(receipt.logs_bloom, log.address);
    for (const Hash& topic : log.topics) bloom_add(receipt.logs_bloom, topic);
  }
  block.transactions.push_back(transaction);
  block.receipts.push_back(std::move(receipt));
}

}  // namespace fanfare::devchain
