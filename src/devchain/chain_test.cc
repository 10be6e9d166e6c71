#include "devchain/chain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "devchain/devchain.h"
#include "devchain/rlp.h"

namespace fanfare::devchain {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr WallTime kWall{std::chrono::seconds(1'700'000'000)};

Options busy() {
  return {.reorg_every_blocks = 7, .reorg_depth_max = 4};
}

void expect_linked(const Chain& chain, std::uint64_t from) {
  for (std::uint64_t number = from; number <= chain.head().number(); ++number) {
    const BlockPtr block = chain.ledger().by_number(number);
    ASSERT_NE(block, nullptr) << number;
    ASSERT_EQ(block->number(), number);
    ASSERT_EQ(block->header.hash(), block->hash);
    if (number == 0) continue;
    const BlockPtr parent = chain.ledger().by_number(number - 1);
    ASSERT_EQ(block->header.parent_hash, parent->hash) << number;
    ASSERT_GE(block->header.timestamp, parent->header.timestamp);
    ASSERT_EQ(block->header.base_fee_per_gas, next_base_fee(parent->header));
  }
}

TEST(Chain, ParentLinksHoldOver300BlocksWithReorgs) {
  Chain chain(busy(), kWall);
  chain.advance(kStart);
  chain.advance(kStart + seconds(300));
  EXPECT_EQ(chain.head().number(), 300U);
  expect_linked(chain, 0);
}

TEST(Chain, IsTheSameForTheSameSeedHoweverOftenItIsAdvanced) {
  Chain leaps(busy(), kWall);
  Chain steps(busy(), kWall);
  leaps.advance(kStart);
  leaps.advance(kStart + seconds(60));
  steps.advance(kStart);
  while (steps.next_due() <= kStart + seconds(60)) steps.advance(steps.next_due());
  EXPECT_EQ(leaps.head().number(), 60U);
  EXPECT_EQ(leaps.head().hash, steps.head().hash);
  EXPECT_EQ(leaps.pool().size(), steps.pool().size());

  Options other = busy();
  other.seed = 2;
  Chain different(other, kWall);
  different.advance(kStart);
  different.advance(kStart + seconds(60));
  EXPECT_NE(leaps.head().hash, different.head().hash);
  EXPECT_NE(leaps.accounts()[0].address, different.accounts()[0].address);
}

TEST(Chain, RootsAreThoseOfTheContents) {
  Chain chain({}, kWall);
  chain.advance(kStart);
  chain.advance(kStart + seconds(30));
  bool any = false;
  for (std::uint64_t number = 1; number <= 30; ++number) {
    const Block& block = *chain.ledger().by_number(number);
    Trie transactions;
    Trie receipts;
    std::uint64_t gas = 0;
    std::uint64_t log_index = 0;
    for (std::size_t i = 0; i < block.transactions.size(); ++i) {
      // rlp(index), written out: 0 is the empty string, values below 128 encode themselves.
      const Blob key = i == 0 ? Blob{0x80} : Blob{static_cast<std::uint8_t>(i)};
      transactions.put(key, block.transactions[i]->raw);
      receipts.put(key, block.receipts[i].encode());
      gas += block.receipts[i].gas_used;
      EXPECT_EQ(block.receipts[i].cumulative_gas_used, gas);
      EXPECT_EQ(block.receipts[i].first_log_index, log_index);
      log_index += block.receipts[i].logs.size();
      any = true;
    }
    EXPECT_EQ(block.header.transactions_root, transactions.root());
    EXPECT_EQ(block.header.receipts_root, receipts.root());
    EXPECT_EQ(block.header.gas_used, gas);
    State state = *block.state;
    EXPECT_EQ(block.header.state_root, state.root());
  }
  EXPECT_TRUE(any);
}

TEST(Chain, BloomsCoverEveryLog) {
  Chain chain({}, kWall);
  chain.advance(kStart);
  chain.advance(kStart + seconds(30));
  std::size_t logs = 0;
  for (std::uint64_t number = 1; number <= 30; ++number) {
    const Block& block = *chain.ledger().by_number(number);
    for (const Receipt& receipt : block.receipts) {
      for (const Log& log : receipt.logs) {
        ++logs;
        EXPECT_TRUE(bloom_may_contain(block.header.logs_bloom, log.address));
        EXPECT_TRUE(bloom_may_contain(receipt.logs_bloom, log.address));
        for (const Hash& topic : log.topics) {
          EXPECT_TRUE(bloom_may_contain(block.header.logs_bloom, topic));
          EXPECT_TRUE(bloom_may_contain(receipt.logs_bloom, topic));
        }
      }
    }
  }
  EXPECT_GT(logs, 50U);
  EXPECT_FALSE(bloom_may_contain(Bloom{}, as_bytes("anything")));
}

// Keeps the observer's events as a client would: a chain of hashes by number, and the logs.
class Follower final : public Observer {
 public:
  explicit Follower(const Chain& chain) : chain_(chain) {}
  void on_block(const Block& block) override {
    ASSERT_EQ(block.header.parent_hash,
              heads.empty() ? chain_.ledger().genesis()->hash : heads.rbegin()->second);
    ASSERT_EQ(block.number(), heads.size() + 1);
    heads[block.number()] = block.hash;
    highest = std::max(highest, block.number());
  }
  void on_logs(const Block& block, bool removed) override {
    if (removed) {
      EXPECT_EQ(with_logs.erase(block.hash), 1U);
    } else {
      EXPECT_TRUE(with_logs.insert(block.hash).second);
    }
  }
  void on_pending_transaction(const Transaction& transaction) override {
    EXPECT_TRUE(pending.insert(transaction.hash).second);
  }
  void on_reorg(std::uint64_t ancestor, unsigned depth) override {
    EXPECT_EQ(ancestor + depth, heads.rbegin()->first);
    for (unsigned i = 0; i < depth; ++i) heads.erase(std::prev(heads.end()));
    ++reorgs;
  }
  void on_syncing(bool syncing) override { sync_states.push_back(syncing); }

  std::map<std::uint64_t, Hash> heads;
  std::set<Hash> with_logs;
  std::set<Hash> pending;
  std::vector<bool> sync_states;
  std::uint64_t highest = 0;
  int reorgs = 0;

 private:
  const Chain& chain_;
};

TEST(Chain, AnObserverThatFollowsEndsWithTheCanonicalChain) {
  Chain chain(busy(), kWall);
  Follower follower(chain);
  chain.set_observer(&follower);
  chain.advance(kStart);
  chain.advance(kStart + seconds(100));
  EXPECT_EQ(follower.reorgs, 14);
  EXPECT_EQ(follower.heads.size(), 100U);
  std::size_t logged = 0;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    const BlockPtr block = chain.ledger().by_number(number);
    EXPECT_EQ(follower.heads[number], block->hash);
    const bool has = std::ranges::any_of(block->receipts, [](const auto& r) { return !r.logs.empty(); });
    EXPECT_EQ(follower.with_logs.contains(block->hash), has);
    logged += has ? 1 : 0;
    for (const auto& transaction : block->transactions) {
      EXPECT_TRUE(follower.pending.contains(transaction->hash));
    }
  }
  EXPECT_EQ(follower.with_logs.size(), logged);
}

TEST(Chain, AReorgKeepsEveryTransactionAndShowsOnlyTheNewBranch) {
  Chain chain({}, kWall);
  chain.advance(kStart);
  chain.advance(kStart + seconds(20));
  std::vector<BlockPtr> old;
  std::set<Hash> transactions;
  for (std::uint64_t number = 16; number <= 20; ++number) {
    old.push_back(chain.ledger().by_number(number));
    for (const auto& transaction : old.back()->transactions) transactions.insert(transaction->hash);
  }
  ASSERT_FALSE(transactions.empty());
  EXPECT_TRUE(chain.reorg(5));
  EXPECT_EQ(chain.head().number(), 20U);
  expect_linked(chain, 0);
  bool differs = false;
  for (const auto& block : old) {
    const BlockPtr now = chain.ledger().by_number(block->number());
    EXPECT_NE(now->hash, block->hash);
    differs |= now->header.transactions_root != block->header.transactions_root;
    EXPECT_FALSE(chain.ledger().is_canonical(*block));
    EXPECT_EQ(chain.ledger().by_hash(block->hash), block);
  }
  EXPECT_TRUE(differs);
  for (const Hash& hash : transactions) {
    const auto place = chain.ledger().find_transaction(hash);
    EXPECT_TRUE(place.block != nullptr || chain.pool().find(hash) != nullptr);
    EXPECT_TRUE(place.block == nullptr || chain.ledger().is_canonical(*place.block));
  }
  // The remaining transactions come with the next block.
  chain.mine(1);
  for (const Hash& hash : transactions) EXPECT_NE(chain.ledger().find_transaction(hash).block, nullptr);
}

TEST(Chain, ReorgsHaveLimits) {
  Chain chain({}, kWall);
  chain.mine(5);
  EXPECT_FALSE(chain.reorg(0));
  EXPECT_FALSE(chain.reorg(6));
  EXPECT_TRUE(chain.reorg(5));
  chain.mine(300);
  EXPECT_FALSE(chain.reorg(kReorgDepthMax + 1));
  const std::uint64_t finalized = chain.finalized_number();
  const Hash before = chain.ledger().by_number(finalized)->hash;
  EXPECT_TRUE(chain.reorg(kReorgDepthMax));
  EXPECT_TRUE(chain.reorg(kReorgDepthMax));
  EXPECT_EQ(chain.ledger().by_number(finalized)->hash, before);
  expect_linked(chain, 0);
}

TEST(Chain, CatchesUpFromBehind) {
  Chain chain({.sync_blocks = 40}, kWall);
  Follower follower(chain);
  chain.set_observer(&follower);
  chain.advance(kStart);
  EXPECT_TRUE(chain.syncing());
  EXPECT_EQ(chain.head().header.timestamp, 1'700'000'000U - 40);
  chain.advance(kStart + seconds(1));
  EXPECT_EQ(chain.head().number(), 20U);
  EXPECT_EQ(follower.sync_states, std::vector<bool>{true});
  chain.advance(kStart + seconds(2));
  EXPECT_FALSE(chain.syncing());
  EXPECT_EQ(chain.head().number(), 40U);
  EXPECT_EQ(follower.sync_states, (std::vector<bool>{true, false}));
  chain.advance(kStart + seconds(5));
  EXPECT_EQ(chain.head().number(), 43U);
  expect_linked(chain, 0);
  EXPECT_EQ(chain.head().header.timestamp, 1'700'000'005U);
}

TEST(Chain, KeepsWhatItsLimitsSay) {
  Chain chain({.block_time = milliseconds(100), .history_blocks = 128}, kWall);
  chain.advance(kStart);
  chain.advance(kStart + seconds(20));
  EXPECT_EQ(chain.head().number(), 200U);
  EXPECT_EQ(chain.ledger().oldest(), 73U);
  EXPECT_EQ(chain.ledger().by_number(72), nullptr);
  EXPECT_NE(chain.ledger().by_number(0), nullptr);
  expect_linked(chain, 74);
  const std::vector<BlockPtr> kept = {chain.ledger().by_number(73), chain.ledger().by_number(200)};
  for (const auto& block : kept) EXPECT_TRUE(block->state.has_value());
}

TEST(Chain, ALongSleepIsCaughtUpInSteps) {
  Chain steps({.blocks_per_advance_max = 10}, kWall);
  Chain whole({}, kWall);
  const Instant later = kStart + seconds(25);
  for (Chain* chain : {&steps, &whole}) {
    chain->advance(kStart);
    chain->advance(later);
  }
  EXPECT_EQ(steps.head().number(), 10U);
  EXPECT_LE(steps.next_due(), later);
  while (steps.next_due() <= later) steps.advance(later);
  EXPECT_EQ(steps.head().number(), 25U);
  EXPECT_EQ(steps.head().hash, whole.head().hash);
  EXPECT_EQ(steps.now(), later);
}

TEST(Chain, UsersAccountsAreLeftAlone) {
  Chain chain(busy(), kWall);
  chain.advance(kStart);
  chain.advance(kStart + seconds(50));
  for (const DevAccount& account : chain.accounts()) {
    const Account now = chain.head().state->account(account.address);
    EXPECT_EQ(now.nonce, 0U);
    EXPECT_EQ(now.balance, 10'000 * kEther);
  }
}

TEST(DevChain, AnswersTheHead) {
  DevChain chain({}, kWall);
  EXPECT_EQ(chain.next_due(), Instant::min());
  chain.advance(kStart);
  EXPECT_EQ(chain.call("eth_blockNumber", "").value(), "\"0x0\"");
  chain.advance(kStart + seconds(10));
  EXPECT_EQ(chain.call("eth_blockNumber", "[]").value(), "\"0xa\"");
  const std::string by_tag = chain.call("eth_getBlockByNumber", R"(["latest",false])").value();
  EXPECT_EQ(by_tag, chain.call("eth_getBlockByNumber", R"(["0xa",false])").value());
  EXPECT_NE(by_tag.find(R"("number":"0xa")"), std::string::npos);
  EXPECT_EQ(chain.call("eth_getBlockByNumber", R"(["0xb",false])").value(), "null");
}

}  // namespace
}  // namespace fanfare::devchain
