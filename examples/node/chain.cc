#include "chain.h"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace {

constexpr std::int64_t kReward = 50;
constexpr std::string_view kDifficulty = "000";  // a block's hash begins with it

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string hash_of(const Block& block) {
  std::string text = std::to_string(block.height) + block.previous + std::to_string(block.time) + ":" +
                     std::to_string(block.nonce);
  for (const Transaction& transaction : block.transactions) text += ":" + transaction.id;
  return sha256_hex(text);
}

}  // namespace

std::string sha256_hex(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += "0123456789abcdef"[byte >> 4U];
    hex += "0123456789abcdef"[byte & 15U];
  }
  return hex;
}

Chain::Chain(ChainEvents events) : events_(std::move(events)) {
  Block genesis{.hash = {}, .previous = std::string(64, '0'), .transactions = {}};
  genesis.hash = hash_of(genesis);
  blocks_.push_back(std::move(genesis));
}

std::uint64_t Chain::height() const {
  const std::scoped_lock lock(mutex_);
  return blocks_.back().height;
}

std::optional<Block> Chain::block_at(std::uint64_t height) const {
  const std::scoped_lock lock(mutex_);
  return height < blocks_.size() ? std::optional(blocks_[height]) : std::nullopt;
}

std::optional<Block> Chain::block_of(const std::string& hash) const {
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find(blocks_, hash, &Block::hash);
  return found == blocks_.end() ? std::nullopt : std::optional(*found);
}

std::int64_t Chain::balance(const std::string& account) const {
  const std::scoped_lock lock(mutex_);
  const auto found = balances_.find(account);
  return found == balances_.end() ? 0 : found->second;
}

std::vector<Transaction> Chain::mempool() const {
  const std::scoped_lock lock(mutex_);
  return mempool_;
}

std::vector<std::string> Chain::peers() const {
  const std::scoped_lock lock(mutex_);
  return peers_;
}

std::optional<std::string> Chain::send(const std::string& from, const std::string& to, std::int64_t amount) {
  Transaction transaction{.id = {}, .from = from, .to = to, .amount = amount};
  {
    const std::scoped_lock lock(mutex_);
    std::int64_t free = balances_[from];
    for (const Transaction& waiting : mempool_) free -= waiting.from == from ? waiting.amount : 0;
    if (amount <= 0 || amount > free) return std::nullopt;
    transaction.id = sha256_hex(from + ">" + to + ":" + std::to_string(++sent_));
    mempool_.push_back(transaction);
  }
  events_.transaction(transaction);
  return transaction.id;
}

std::optional<Block> Chain::mine(const std::string& to, const std::function<bool()>& stop) {
  for (;;) {
    Block block;
    {
      const std::scoped_lock lock(mutex_);
      block = {.height = blocks_.back().height + 1,
               .hash = {},
               .previous = blocks_.back().hash,
               .time = now(),
               .transactions = mempool_};
      block.transactions.insert(
          block.transactions.begin(),
          {.id = sha256_hex("reward" + block.previous), .from = {}, .to = to, .amount = kReward});
    }
    for (block.hash = hash_of(block); !block.hash.starts_with(kDifficulty); block.hash = hash_of(block)) {
      if (++block.nonce % 256 == 0 && stop()) return std::nullopt;
    }
    {
      const std::scoped_lock lock(mutex_);
      if (blocks_.back().hash != block.previous) continue;  // another miner was faster
      append(block);
    }
    events_.block(block);
    return block;
  }
}

void Chain::append(const Block& block) {
  for (const Transaction& transaction : block.transactions) {
    if (!transaction.from.empty()) balances_[transaction.from] -= transaction.amount;
    balances_[transaction.to] += transaction.amount;
    std::erase_if(mempool_, [&](const Transaction& waiting) { return waiting.id == transaction.id; });
  }
  blocks_.push_back(block);
}

bool Chain::connect(const std::string& address) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::ranges::find(peers_, address) != peers_.end()) return false;
    peers_.push_back(address);
  }
  events_.peer(address, true);
  return true;
}

bool Chain::disconnect(const std::string& address) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::erase(peers_, address) == 0) return false;
  }
  events_.peer(address, false);
  return true;
}
