#pragma once
// Applies transactions to a state: fees, nonces, values, token calls, receipts.

#include "devchain/block.h"
#include "devchain/token.h"

namespace fanfare::devchain {

// Runs a call against the state as an EVM would for the accounts this chain has: nothing to run at an account
// without code, the token's code at a token.
CallResult execute_call(State& state, const Address& from, const Address& to, Wei value, Bytes data);

// Gas `body` uses when it runs now.
std::uint64_t gas_of(const TransactionBody& body, const CallResult& result);

// Whether the block being built can take the transaction now: nonce, funds, fee, room for its gas.
bool applicable(const Block& block, const Transaction& transaction);
// Appends the transaction and its receipt to a block whose state is the one before it. applicable() must
// hold.
void apply(Block& block, const TransactionPtr& transaction);

}  // namespace fanfare::devchain
