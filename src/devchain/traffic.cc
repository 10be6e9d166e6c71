#include "devchain/traffic.h"

#include <algorithm>
#include <utility>

#include "devchain/devchain.h"
#include "devchain/keccak.h"
#include "devchain/token.h"

namespace fanfare::devchain {
namespace {

constexpr std::size_t kStrangers = 32;
constexpr Wei kEtherEach = DevChain::kEtherOfAccount * kEther;
constexpr Wei kTokensEach = 1'000'000;  // whole tokens

Hash derive(std::string_view purpose, std::uint64_t seed, std::uint64_t index) {
  Blob bytes(purpose.begin(), purpose.end());
  for (const Hash& part : {word(Wei{seed}), word(Wei{index})})
    bytes.insert(bytes.end(), part.begin(), part.end());
  return keccak(bytes);
}

Wei one_token(const Token& token) {
  Wei unit = 1;
  for (int i = 0; i < token.decimals; ++i) unit *= 10;
  return unit;
}

}  // namespace

std::vector<DevAccount> make_accounts(std::string_view purpose, std::uint64_t seed, std::size_t count) {
  std::vector<DevAccount> accounts;
  for (std::uint64_t index = 0; accounts.size() < count; ++index) {
    const Hash key = derive(purpose, seed, index);
    if (valid_key(key)) accounts.push_back({.key = key, .address = address_of_key(key)});
  }
  return accounts;
}

State genesis_state() {
  State state;
  for (const Token& token : tokens()) deploy_token(state, token);
  return state;
}

void endow(State& state, const std::vector<DevAccount>& accounts) {
  for (const DevAccount& account : accounts) {
    state.set_account(account.address, {.balance = kEtherEach});
    for (const Token& token : tokens()) {
      mint_token(state, token, account.address, kTokensEach * one_token(token));
    }
  }
}

Traffic::Traffic(std::uint64_t chain_id, const std::vector<DevAccount>& bots, Random& random)
    : chain_id_(chain_id), bots_(bots), random_(random) {
  for (std::size_t i = 0; i < kStrangers; ++i) {
    strangers_.push_back(address_of_word(derive("fanfare development stranger", 0, i)));
  }
}

Address Traffic::pick_recipient(const Address& sender) {
  if (random_.below(4) == 0) return strangers_[random_.below(strangers_.size())];
  const Address address = bots_[random_.below(bots_.size())].address;
  return address == sender ? strangers_[0] : address;
}

TransactionPtr Traffic::next(const Mempool& pool, const State& state, Wei base_fee) {
  const DevAccount& sender = bots_[random_.below(bots_.size())];
  TransactionBody body{.chain_id = chain_id_,
                       .nonce = pool.next_nonce(sender.address, state),
                       .priority_fee_max = kGwei + random_.below(10) * kGwei / 10,
                       .fee_max = 0};
  body.fee_max = base_fee * 2 + body.priority_fee_max;
  const Address recipient = pick_recipient(sender.address);
  if (random_.below(4) == 0) {
    body.to = recipient;
    // At most a ten-thousandth of the balance, so that it lasts.
    body.value = state.account(sender.address).balance / 10'000'000 * random_.below(1'000);
  } else {
    const Token& token = tokens()[random_.below(tokens().size())];
    const Wei balance = token_balance(state, token, sender.address);
    const bool failing = random_.below(50) == 0;
    const Wei amount = failing ? balance * 2 + 1 : balance / 1'000'000 * random_.below(1'000);
    body.to = token.address;
    body.data = transfer_calldata(recipient, amount);
    body.gas_limit = 65'000;
  }
  return sign_transaction(std::move(body), sender.key, sender.address);
}

}  // namespace fanfare::devchain
