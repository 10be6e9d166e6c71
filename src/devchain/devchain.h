#pragma once
// The built-in development chain: seeded and deterministic (the same seed, options and calls give the same
// blocks, hashes and transactions), with real Ethereum structures, answering JSON-RPC like geth. No I/O, no
// thread of its own: time is an argument. One thread at a time.
//
//   DevChain chain({.seed = 7, .block_time = 1s}, clock.wall_now());
//   chain.advance(clock.now());                       // then again at chain.next_due()
//   auto head = chain.call("eth_blockNumber", "");    // "\"0x0\""

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "devchain/options.h"

namespace fanfare::devchain {

class Chain;

class DevChain {
 public:
  // `start` is the wall time of the first advance(); the genesis block is sync_blocks block times earlier.
  // Options out of range are clamped.
  DevChain(const Options& options, WallTime start);
  ~DevChain();
  DevChain(DevChain&&) noexcept;
  DevChain& operator=(DevChain&&) noexcept;

  // Makes the transactions and blocks due by `now`, but at most blocks_per_advance_max of them; next_due() is
  // then still not after `now`. The first call starts the clock.
  void advance(Instant now);
  // The time of the next event; Instant::min() before the first advance().
  Instant next_due() const;

  // One JSON-RPC call. `params_json` is the raw JSON of `params`, "" if it was missing. Returns the raw JSON
  // of `result`, or the `error`. The anvil methods evm_mine, anvil_mine and anvil_reorg change the chain.
  std::expected<std::string, CallError> call(std::string_view method, std::string_view params_json);

  struct AccountInfo {
    std::string address;      // hexadecimal
    std::string private_key;  // hexadecimal; worthless outside of this chain
  };
  std::vector<AccountInfo> accounts() const;
  // The accounts of a chain with these options.
  static std::vector<AccountInfo> accounts_of(const Options& options);
  static constexpr unsigned kEtherOfAccount = 10'000;  // the balance of each in the genesis block

 private:
  std::unique_ptr<Chain> chain_;
};

}  // namespace fanfare::devchain
