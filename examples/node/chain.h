#pragma once
// A toy chain with proof of work: blocks, balances, transactions that wait, and peers by name. Every function may be
// called on any thread. What happens is published as an event, without the lock.

#include <fanfare/json.h>
#include <openssl/sha.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

using fanfare::Json, fanfare::JsonObject;

inline std::string sha256_hex(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  for (const unsigned byte : digest)
    (hex += "0123456789abcdef"[byte >> 4U]) += "0123456789abcdef"[byte & 15U];
  return hex;
}

struct Transaction {
  std::string id, from, to;
  std::int64_t amount = 0;

  Json json() const {
    JsonObject object;
    return object.add("txid", id).add("from", from).add("to", to).add("amount", amount).json();
  }
};

struct Block {
  std::uint64_t height = 0;
  std::string hash, previous;
  std::int64_t time = 0;
  std::uint64_t nonce = 0;
  std::vector<Transaction> transactions;

  std::string compute_hash() const {
    std::string text = std::to_string(height) + previous + std::to_string(time) + ":" + std::to_string(nonce);
    for (const Transaction& transaction : transactions) text += ":" + transaction.id;
    return sha256_hex(text);
  }
  Json json() const {
    std::vector<Json> of_transactions;
    for (const Transaction& one : transactions) of_transactions.push_back(one.json());
    JsonObject object;
    object.add("hash", hash).add("height", height).add("previousblockhash", previous).add("time", time);
    return object.add("nonce", nonce).add("tx", of_transactions).json();
  }
};

struct ChainState {
  std::vector<Block> blocks;  // the index is the height
  std::map<std::string, std::int64_t> balances;
  std::vector<Transaction> mempool;
  std::vector<std::string> peers;
};

class Chain {
 public:
  explicit Chain(std::function<void(std::string_view event, const Json& value)> publish)
      : publish_(std::move(publish)) {
    state_.blocks.push_back({.hash = {}, .previous = std::string(64, '0'), .transactions = {}});
    state_.blocks.back().hash = state_.blocks.back().compute_hash();
  }

  // Calls it with the state, under the lock, and returns what it returns.
  template <typename Read>
  auto read(Read&& read) const {
    const std::scoped_lock lock(mutex_);
    return read(state_);
  }

  // The transaction's id; empty: the account has too little.
  std::optional<std::string> send(const std::string& from, const std::string& to, std::int64_t amount) {
    Transaction transaction{.id = {}, .from = from, .to = to, .amount = amount};
    {
      const std::scoped_lock lock(mutex_);
      std::int64_t free = state_.balances[from];
      for (const Transaction& waiting : state_.mempool) free -= waiting.from == from ? waiting.amount : 0;
      if (amount <= 0 || amount > free) return std::nullopt;
      transaction.id = sha256_hex(from + ">" + to + ":" + std::to_string(++sent_));
      state_.mempool.push_back(transaction);
    }
    publish_("mempooltx", transaction.json());
    return transaction.id;
  }

  // Finds a block on top of the chain, with everything that waits. Takes a while; empty: `stop` said so.
  std::optional<Block> mine(const std::string& to, const std::function<bool()>& stop) {
    for (;;) {
      Block block = read([](const ChainState& state) {
        const Block& tip = state.blocks.back();
        return Block{
            .height = tip.height + 1, .hash = {}, .previous = tip.hash, .transactions = state.mempool};
      });
      const auto now = std::chrono::system_clock::now().time_since_epoch();
      block.time = std::chrono::duration_cast<std::chrono::seconds>(now).count();
      block.transactions.push_back({sha256_hex("reward" + block.previous), {}, to, 50});
      do {
        if (++block.nonce % 256 == 0 && stop()) return std::nullopt;
        block.hash = block.compute_hash();
      } while (!block.hash.starts_with("000"));
      if (!append(block)) continue;  // another miner was faster
      publish_("newblock", block.json());
      return block;
    }
  }

  // False: the address is a peer already (connected), or no peer (not connected).
  bool connect(const std::string& address, bool connected) {
    {
      const std::scoped_lock lock(mutex_);
      std::vector<std::string>& peers = state_.peers;
      if ((std::ranges::find(peers, address) != peers.end()) == connected) return false;
      std::erase(peers, address);
      if (connected) peers.push_back(address);
    }
    publish_("peer", JsonObject().add("addr", address).add("connected", connected).json());
    return true;
  }

 private:
  bool append(const Block& block) {
    const std::scoped_lock lock(mutex_);
    if (state_.blocks.back().hash != block.previous) return false;
    for (const Transaction& transaction : block.transactions) {
      if (!transaction.from.empty()) state_.balances[transaction.from] -= transaction.amount;
      state_.balances[transaction.to] += transaction.amount;
      std::erase_if(state_.mempool, [&](const Transaction& one) { return one.id == transaction.id; });
    }
    state_.blocks.push_back(block);
    return true;
  }

  const std::function<void(std::string_view event, const Json& value)> publish_;
  mutable std::mutex mutex_;  // guards everything below
  ChainState state_;
  std::uint64_t sent_ = 0;
};
