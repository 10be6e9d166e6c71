#pragma once
// The ERC-20 tokens of the development chain. They are implemented by this file, not by bytecode. A call is
// decoded here and changes the contract's storage. The layout is Solidity's (balances in slot 0, allowances
// in 1, supply in 2, name 3, symbol 4, decimals 5). So eth_getStorageAt returns what a real token would.

#include <span>
#include <string_view>

#include "devchain/block.h"
#include "devchain/state.h"

namespace fanfare::devchain {

struct Token {
  Address address;
  std::string_view name;
  std::string_view symbol;
  std::uint8_t decimals;
};

// The same tokens on every chain, for any seed.
std::span<const Token> tokens();
const Token* find_token(const Address& address);

// The answer to eth_getCode for a token: an invalid instruction and a readable marker.
Bytes token_code();

void deploy_token(State& state, const Token& token);
// Mints units; only for the genesis block.
void mint_token(State& state, const Token& token, const Address& to, Wei amount);
Wei token_balance(const State& state, const Token& token, const Address& owner);

struct CallResult {
  bool succeeded = false;
  Blob output;  // the returned value, or the revert data
  std::vector<Log> logs;
  std::uint64_t gas = 0;  // beyond the intrinsic gas
};

// Runs calldata against the token. A failed call leaves the state unchanged.
CallResult call_token(State& state, const Token& token, const Address& caller, Wei value, Bytes calldata);

// Calldata of transfer(to, amount).
Blob transfer_calldata(const Address& to, Wei amount);
// keccak("Transfer(address,address,uint256)")
extern const Hash kTransferTopic;

}  // namespace fanfare::devchain
