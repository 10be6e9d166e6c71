#pragma once
// Transactions that wait for a block, by sender and nonce. Those whose nonces continue the sender's account
// without a gap are pending, the others queued.

#include <expected>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "devchain/block.h"
#include "devchain/options.h"

namespace fanfare::devchain {

class Mempool {
 public:
  static constexpr std::size_t kTransactionBytesMax = std::size_t{128} << 10;  // as sent; geth's limit

  Mempool(std::size_t transactions_max, std::size_t bytes_max)
      : transactions_max_(transactions_max), bytes_max_(bytes_max) {}

  struct Rules {
    std::uint64_t chain_id = 0;
    std::uint64_t gas_limit_max = 0;
    Wei base_fee = 0;  // of the next block
  };
  // Checks like geth and adds the transaction; the error is geth's text. A transaction with the nonce of a
  // waiting one replaces it if it pays at least a tenth more.
  std::expected<void, std::string> add(const TransactionPtr& transaction, const State& state,
                                       const Rules& rules);
  // Adds a transaction of an abandoned block again; checks nothing but room.
  void restore(const TransactionPtr& transaction);
  // Drops transactions whose nonces the state has passed.
  void drop_stale(const State& state);

  TransactionPtr find(const Hash& hash) const;
  // The nonce after the last pending one of the sender.
  std::uint64_t next_nonce(const Address& sender, const State& state) const;
  std::size_t size() const { return by_hash_.size(); }
  std::size_t bytes() const { return bytes_; }

  struct Split {
    std::vector<TransactionPtr> pending;
    std::vector<TransactionPtr> queued;
  };
  // Each list is in order of arrival, and for one sender in order of nonces.
  Split split(const State& state) const;

 private:
  struct Waiting {
    TransactionPtr transaction;
    std::uint64_t arrival = 0;
  };

  void forget(const Transaction& transaction);
  void remember(const TransactionPtr& transaction);

  std::size_t transactions_max_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t arrivals_ = 0;
  std::map<Address, std::map<std::uint64_t, Waiting>> by_sender_;
  std::unordered_map<Hash, TransactionPtr, FirstBytesHasher> by_hash_;
};

}  // namespace fanfare::devchain
