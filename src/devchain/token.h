#pragma once
// The ERC-20 tokens of the development chain. Their code is this file, not bytecode: a call is decoded here
// and acts on the contract's storage, laid out as Solidity would (balances in slot 0, allowances in 1, the
// supply in 2, name 3, symbol 4, decimals 5), so that eth_getStorageAt shows what a real one would show.

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

// The same on every chain, whatever the seed.
std::span<const Token> tokens();
const Token* find_token(const Address& address);

// What eth_getCode answers for a token: an invalid instruction and a readable mark.
Bytes token_code();

void deploy_token(State& state, const Token& token);
// Creates units out of nothing; only for the genesis block.
void mint_token(State& state, const Token& token, const Address& to, Wei amount);
Wei token_balance(const State& state, const Token& token, const Address& owner);

struct CallResult {
  bool succeeded = false;
  Blob output;  // the returned value, or the revert data
  std::vector<Log> logs;
  std::uint64_t gas = 0;  // beyond the intrinsic gas
};

// Runs calldata against the token. A call that fails leaves the state as it was.
CallResult call_token(State& state, const Token& token, const Address& caller, Wei value, Bytes calldata);

// Calldata of transfer(to, amount).
Blob transfer_calldata(const Address& to, Wei amount);
// keccak("Transfer(address,address,uint256)")
extern const Hash kTransferTopic;

}  // namespace fanfare::devchain
