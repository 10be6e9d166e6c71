#pragma once
// Accounts and the storage of contracts, as tries, so that the state root is a real one. Copies are cheap and
// independent: each recent block keeps the state after it. One thread.

#include <map>
#include <optional>

#include "devchain/trie.h"
#include "devchain/types.h"

namespace fanfare::devchain {

struct Account {
  std::uint64_t nonce = 0;
  Wei balance = 0;
};

class State {
 public:
  // Zero for an unknown address.
  Account account(const Address& address) const;
  void set_account(const Address& address, const Account& account);

  // `code` must outlive every state; here it is part of the program.
  void deploy(const Address& address, Bytes code);
  Bytes code(const Address& address) const;
  Hash storage(const Address& address, const Hash& slot) const;
  // Zero erases the slot, as in Ethereum.
  void set_storage(const Address& address, const Hash& slot, const Hash& value);

  Hash root();

  // keccak(address), rlp nodes: for eth_getProof.
  std::vector<Blob> account_proof(const Address& address) const;
  std::vector<Blob> storage_proof(const Address& address, const Hash& slot) const;
  Hash storage_root(const Address& address) const;
  Hash code_hash(const Address& address) const;

 private:
  struct Contract {
    Trie storage;
    Bytes code;
    Hash code_hash{};
    bool dirty = true;  // its account leaf does not have its storage root yet
  };

  void write_leaf(const Address& address, const Account& account);

  Trie accounts_;
  std::map<Address, Contract> contracts_;
};

}  // namespace fanfare::devchain
