#pragma once
// The chain's own traffic: bots send each other ether and tokens, all drawn from the seed. They do not use
// the development accounts, whose nonces and balances belong to the users.

#include <memory>

#include "base/random.h"
#include "devchain/mempool.h"

namespace fanfare::devchain {

struct DevAccount {
  Hash key{};
  Address address{};
};

// The same seed and purpose give the same accounts.
std::vector<DevAccount> make_accounts(std::string_view purpose, std::uint64_t seed, std::size_t count);
// A state with the token contracts.
State genesis_state();
// Gives ether and tokens to each account.
void endow(State& state, const std::vector<DevAccount>& accounts);

class Traffic {
 public:
  Traffic(std::uint64_t chain_id, const std::vector<DevAccount>& bots, Random& random);

  // A new transaction of a random account: a token transfer three times out of four, else ether; occasionally
  // one that will fail. `state` is the one after the head.
  TransactionPtr next(const Mempool& pool, const State& state, Wei base_fee);

 private:
  Address pick_recipient(const Address& sender);

  std::uint64_t chain_id_;
  const std::vector<DevAccount>& bots_;
  std::vector<Address> strangers_;  // only receive, never send
  Random& random_;
};

}  // namespace fanfare::devchain
