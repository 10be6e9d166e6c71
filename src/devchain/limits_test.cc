// A flood uses limited memory: filters, blocks, abandoned blocks.

#include <gtest/gtest.h>

#include <string>

#include "devchain/chain.h"
#include "devchain/keccak.h"

namespace fanfare::devchain {
namespace {

constexpr Instant kNow{std::chrono::hours(1)};

TransactionPtr transaction(std::size_t bytes) {
  TransactionBody body{.chain_id = 1, .gas_limit = 30'000'000, .to = Address{}};
  body.data.resize(bytes);
  Hash key{};
  key.back() = 1;
  return sign_transaction(std::move(body), key);
}

TEST(DevChainLimits, WhatAllFiltersCollectIsBounded) {
  Filters filters;
  SeededRandom random(1);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < Filters::kFiltersMax; ++i) {
    ids.push_back(filters.add(Filters::Kind::pending_bodies, {}, kNow, random).value());
  }
  EXPECT_FALSE(filters.add(Filters::Kind::blocks, {}, kNow, random));
  const TransactionPtr large = transaction(20'000);  // 40 KB as text
  for (int i = 0; i < 5; ++i) {
    filters.on_pending(*large);
    ASSERT_LE(filters.bytes(), Filters::kBytesMax);
  }
  // Filters over the limit are removed; none returns partial changes.
  std::size_t gone = 0;
  for (const std::string& id : ids) gone += filters.take(id, kNow) ? 0 : 1;
  EXPECT_GT(gone, 0U);
  EXPECT_EQ(filters.bytes(), 0U);
}

TEST(DevChainLimits, OneFilterCollectsItsShareAtMost) {
  Filters filters;
  SeededRandom random(1);
  const std::string id = filters.add(Filters::Kind::pending_bodies, {}, kNow, random).value();
  const TransactionPtr large = transaction(100'000);
  while (filters.bytes() + 250'000 < Filters::kFilterBytesMax) filters.on_pending(*large);
  EXPECT_TRUE(filters.take(id, kNow));
  for (int i = 0; i < 30; ++i) filters.on_pending(*large);
  EXPECT_EQ(filters.bytes(), 0U);
  EXPECT_FALSE(filters.take(id, kNow));
}

TEST(DevChainLimits, IdleFiltersGoAndWhatTheyCollectedToo) {
  Filters filters;
  SeededRandom random(1);
  filters.add(Filters::Kind::pending_hashes, {}, kNow, random);
  filters.on_pending(*transaction(10));
  EXPECT_GT(filters.bytes(), 0U);
  filters.drop_idle(kNow + Filters::kIdleMax);
  EXPECT_EQ(filters.size(), 1U);
  filters.drop_idle(kNow + Filters::kIdleMax + Duration(1));
  EXPECT_EQ(filters.size(), 0U);
  EXPECT_EQ(filters.bytes(), 0U);
}

BlockPtr block_after(const Block& parent, std::size_t bytes) {
  auto block = std::make_shared<Block>();
  block->header.number = parent.number() + 1;
  block->header.parent_hash = parent.hash;
  block->hash = keccak(parent.hash);
  block->size = bytes;
  return block;
}

TEST(DevChainLimits, LargeBlocksAreKeptForLessLong) {
  auto genesis = std::make_shared<Block>();
  Ledger ledger(genesis, {.blocks = 1000, .states = 10, .orphans = 100, .bytes = 20'000'000});
  for (int i = 0; i < 500; ++i) ledger.append(block_after(*ledger.head(), 10'000));
  EXPECT_EQ(ledger.kept(), 501U);
  for (int i = 0; i < 500; ++i) ledger.append(block_after(*ledger.head(), 30'000));
  EXPECT_LE(ledger.bytes(), 20'000'000U);
  EXPECT_LT(ledger.kept(), 400U);
  // A reorg must always find its common ancestor.
  for (int i = 0; i < 300; ++i) ledger.append(block_after(*ledger.head(), 1'000'000));
  EXPECT_EQ(ledger.kept(), kHistoryMin);
  const std::size_t before = ledger.bytes();
  for (int i = 0; i < 60; ++i) ledger.pop();
  EXPECT_LT(ledger.bytes(), before);
  EXPECT_NE(ledger.by_number(0), nullptr);
}

}  // namespace
}  // namespace fanfare::devchain
