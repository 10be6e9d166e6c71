#include "devchain/mempool.h"

#include <gtest/gtest.h>

#include "devchain/keccak.h"

namespace fanfare::devchain {
namespace {

const Hash kKey = keccak(as_bytes("somebody"));
const Address kSender = address_of_key(kKey);
constexpr Mempool::Rules kRules{.chain_id = 1337, .gas_limit_max = 30'000'000, .base_fee = kGwei};

TransactionBody body(std::uint64_t nonce) {
  return {.chain_id = 1337,
          .nonce = nonce,
          .priority_fee_max = kGwei,
          .fee_max = 2 * kGwei,
          .to = Address{},
          .value = 1};
}

class MempoolTest : public ::testing::Test {
 protected:
  MempoolTest() { state_.set_account(kSender, {.nonce = 5, .balance = kEther}); }

  std::string add(const TransactionBody& what) {
    const auto added = pool_.add(sign_transaction(what, kKey), state_, kRules);
    return added ? "" : added.error();
  }

  State state_;
  Mempool pool_{4, 3000};
};

TEST_F(MempoolTest, ChecksAsGethDoes) {
  struct Case {
    void (*change)(TransactionBody&);
    const char* error;
  };
  const std::vector<Case> cases = {
      {[](TransactionBody& b) { b.chain_id = 1; }, "invalid chain id for signer: have 1 want 1337"},
      {[](TransactionBody& b) { b.nonce = 4; }, "nonce too low: next nonce 5, tx nonce 4"},
      {[](TransactionBody& b) { b.gas_limit = 20'999; },
       "intrinsic gas too low: gas 20999, minimum needed 21000"},
      {[](TransactionBody& b) { b.gas_limit = 30'000'001; }, "exceeds block gas limit"},
      {[](TransactionBody& b) { b.priority_fee_max = 3 * kGwei; },
       "max priority fee per gas higher than max fee per gas"},
      {[](TransactionBody& b) { b.fee_max = b.priority_fee_max = kGwei - 1; },
       "max fee per gas less than block base fee: maxFeePerGas: 999999999, baseFee: 1000000000"},
      {[](TransactionBody& b) { b.value = kEther; },
       "insufficient funds for gas * price + value: balance 1000000000000000000"},
      {[](TransactionBody& b) { b.value = kWeiMax; },
       "insufficient funds for gas * price + value: balance 1000000000000000000"},
      {[](TransactionBody& b) {
         b.to.reset();
         b.gas_limit = 60'000;
       },
       kNoCreation},
  };
  for (const Case& one : cases) {
    TransactionBody wrong = body(5);
    one.change(wrong);
    EXPECT_EQ(add(wrong), one.error);
  }
  EXPECT_EQ(pool_.size(), 0U);
  EXPECT_EQ(add(body(5)), "");
  EXPECT_EQ(add(body(5)), "already known");
}

TEST_F(MempoolTest, AGapInTheNoncesQueues) {
  EXPECT_EQ(add(body(7)), "");
  EXPECT_EQ(add(body(5)), "");
  EXPECT_EQ(pool_.split(state_).pending.size(), 1U);
  EXPECT_EQ(pool_.split(state_).queued.size(), 1U);
  EXPECT_EQ(pool_.next_nonce(kSender, state_), 6U);
  EXPECT_EQ(add(body(6)), "");
  const auto pending = pool_.split(state_).pending;
  ASSERT_EQ(pending.size(), 3U);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(pending[i]->nonce, 5 + i);
  EXPECT_EQ(pool_.next_nonce(kSender, state_), 8U);
}

TEST_F(MempoolTest, AReplacementPaysATenthMore) {
  EXPECT_EQ(add(body(5)), "");
  TransactionBody better = body(5);
  better.fee_max = better.fee_max * 109 / 100;
  EXPECT_EQ(add(better), "replacement transaction underpriced");
  better.fee_max = 3 * kGwei;
  better.priority_fee_max = 2 * kGwei;
  EXPECT_EQ(add(better), "");
  EXPECT_EQ(pool_.size(), 1U);
  EXPECT_EQ(pool_.split(state_).pending.at(0)->fee_max, 3 * kGwei);
}

TEST_F(MempoolTest, IsBounded) {
  for (std::uint64_t nonce = 5; nonce < 9; ++nonce) EXPECT_EQ(add(body(nonce)), "");
  EXPECT_EQ(add(body(9)), "txpool is full");
  EXPECT_EQ(pool_.size(), 4U);
  state_.set_account(kSender, {.nonce = 6, .balance = kEther});
  pool_.drop_stale(state_);
  EXPECT_EQ(pool_.size(), 3U);
  EXPECT_EQ(add(body(9)), "");
}

TEST_F(MempoolTest, IsBoundedInBytesToo) {
  state_.set_account(kSender, {.nonce = 5, .balance = 100 * kEther});
  TransactionBody large = body(5);
  large.gas_limit = 10'000'000;
  large.data.resize(2500);
  EXPECT_EQ(add(large), "");
  EXPECT_GT(pool_.bytes(), 2500U);
  EXPECT_LE(pool_.bytes(), 3000U);
  TransactionBody second = body(6);
  second.gas_limit = 10'000'000;
  second.data.resize(500);
  EXPECT_EQ(add(second), "txpool is full");
  // As geth: nobody's transaction is larger than 128 KiB.
  Mempool roomy(10, 1 << 20);
  large.data.resize(Mempool::kTransactionBytesMax - 200);
  EXPECT_TRUE(roomy.add(sign_transaction(large, kKey), state_, kRules));
  large.data.resize(Mempool::kTransactionBytesMax);
  large.nonce = 6;
  const auto refused = roomy.add(sign_transaction(large, kKey), state_, kRules);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().starts_with("oversized data: transaction size ")) << refused.error();
  state_.set_account(kSender, {.nonce = 6, .balance = kEther});
  pool_.drop_stale(state_);
  EXPECT_EQ(pool_.bytes(), 0U);
}

}  // namespace
}  // namespace fanfare::devchain
