#pragma once
// A toy chain with proof of work: blocks, balances, transactions that wait, and peers by name. Every function may
// be called on any thread. What happens is reported through the callbacks, without the lock.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct Transaction {
  std::string id;
  std::string from;
  std::string to;
  std::int64_t amount = 0;
};

struct Block {
  std::uint64_t height = 0;
  std::string hash;
  std::string previous;
  std::int64_t time = 0;
  std::uint64_t nonce = 0;
  std::vector<Transaction> transactions;
};

struct ChainEvents {
  std::function<void(const Block&)> block;
  std::function<void(const Transaction&)> transaction;
  std::function<void(const std::string& address, bool connected)> peer;
};

std::string sha256_hex(const std::string& text);

class Chain {
 public:
  explicit Chain(ChainEvents events);

  std::uint64_t height() const;
  std::optional<Block> block_at(std::uint64_t height) const;
  std::optional<Block> block_of(const std::string& hash) const;
  std::int64_t balance(const std::string& account) const;
  std::vector<Transaction> mempool() const;
  std::vector<std::string> peers() const;

  // The transaction's id; empty: the account has too little.
  std::optional<std::string> send(const std::string& from, const std::string& to, std::int64_t amount);
  // Finds a block on top of the chain, with everything that waits. Takes a while; empty: `stop` said so.
  std::optional<Block> mine(const std::string& to, const std::function<bool()>& stop);
  // False: it is, or is not, a peer already.
  bool connect(const std::string& address);
  bool disconnect(const std::string& address);

 private:
  void append(const Block& block);

  const ChainEvents events_;
  mutable std::mutex mutex_;  // guards everything below
  std::vector<Block> blocks_;
  std::map<std::string, std::int64_t> balances_;
  std::vector<Transaction> mempool_;
  std::vector<std::string> peers_;
  std::uint64_t sent_ = 0;
};
