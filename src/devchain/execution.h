#pragma once
// Applies transactions to a state: fees, nonces, values, token calls, receipts.

#include "devchain/block.h"
#include "devchain/token.h"

namespace fanfare::devchain {

// Executes a call against the state like an EVM, for the kinds of accounts on this chain: nothing runs at an
// account without code; a token runs the token's code.
CallResult execute_call(State& state, const Address& from, const Address& to, Wei value, Bytes data);

// The gas that `body` would use now.
std::uint64_t gas_of(const TransactionBody& body, const CallResult& result);

// Whether the transaction fits into the block being built now: nonce, funds, fee, room for its gas.
bool applicable(const Block& block, const Transaction& transaction);
// Appends the transaction and its receipt to a block whose state is the one before the transaction.
// applicable() must be true.
void apply(Block& block, const TransactionPtr& transaction);

}  // namespace fanfare::devchain
