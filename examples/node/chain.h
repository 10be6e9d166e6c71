#pragma once
// A toy chain with proof of work: blocks, balances, transactions that wait, and peers by name. Every function may be
// called on any thread. What happens is published as an event, without the lock.

#include <fanfare/json.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
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
    return JsonObject().add("txid", id).add("from", from).add("to", to).add("amount", amount).json();
  }
};

struct Block {
  std::uint64_t height = 0, nonce = 0;
  std::string hash, previous;
  std::int64_t time = 0;
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

class Chain {
 public:
  explicit Chain(std::function<void(std::string_view event, const Json& value)> publish)
      : publish_(std::move(publish)) {
    blocks_.push_back({.hash = {}, .previous = std::string(64, '0'), .transactions = {}});
    blocks_.back().hash = blocks_.back().compute_hash();
  }

  Block tip() const {
    const std::scoped_lock lock(mutex_);
    return blocks_.back();
  }
  std::optional<Block> find(const std::function<bool(const Block& block)>& fits) const {  // the first one
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find_if(blocks_, fits);
    return found == blocks_.end() ? std::nullopt : std::optional(*found);
  }
  std::int64_t balance(const std::string& account) const {
    const std::scoped_lock lock(mutex_);
    return balances_.contains(account) ? balances_.at(account) : 0;
  }
  std::vector<Transaction> mempool() const {
    const std::scoped_lock lock(mutex_);
    return mempool_;
  }
  std::set<std::string> peers() const {
    const std::scoped_lock lock(mutex_);
    return peers_;
  }

  // The transaction's id; empty: the account has too little.
  std::optional<std::string> send(const std::string& from, const std::string& to, std::int64_t amount) {
    Transaction transaction{.id = {}, .from = from, .to = to, .amount = amount};
    {
      const std::scoped_lock lock(mutex_);
      std::int64_t free = balances_[from];
      for (const Transaction& waiting : mempool_) free -= waiting.from == from ? waiting.amount : 0;
      if (amount <= 0 || amount > free) return std::nullopt;
      transaction.id = sha256_hex(from + ">" + to + ":" + std::to_string(++sent_));
      mempool_.push_back(transaction);
    }
    publish_("mempooltx", transaction.json());
    return transaction.id;
  }

  // Finds a block on top of the chain, with everything that waits. Takes a while; empty: `stop` said so.
  std::optional<Block> mine(const std::string& to, const std::function<bool()>& stop) {
    for (;;) {
      const Block previous = tip();
      Block block{previous.height + 1, 0, {}, previous.hash, std::time(nullptr), mempool()};
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
      if (connected ? !peers_.insert(address).second : peers_.erase(address) == 0) return false;
    }
    publish_("peer", JsonObject().add("addr", address).add("connected", connected).json());
    return true;
  }

 private:
  bool append(const Block& block) {
    const std::scoped_lock lock(mutex_);
    if (blocks_.back().hash != block.previous) return false;
    for (const Transaction& transaction : block.transactions) {
      if (!transaction.from.empty()) balances_[transaction.from] -= transaction.amount;
      balances_[transaction.to] += transaction.amount;
      std::erase_if(mempool_, [&](const Transaction& one) { return one.id == transaction.id; });
    }
    blocks_.push_back(block);
    return true;
  }

  const std::function<void(std::string_view event, const Json& value)> publish_;
  mutable std::mutex mutex_;   // guards everything below
  std::vector<Block> blocks_;  // the index is the height
  std::map<std::string, std::int64_t> balances_;
  std::vector<Transaction> mempool_;
  std::set<std::string> peers_;
  std::uint64_t sent_ = 0;
};
