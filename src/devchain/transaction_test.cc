#include "devchain/transaction.h"

#include <gtest/gtest.h>

#include "devchain/block.h"
#include "devchain/keccak.h"
#include "devchain/rlp.h"

namespace fanfare::devchain {
namespace {

// These bytes and hashes come from other programs: the example of EIP-155, ethers, and a block of anvil.
const Hash kKey = *parse_hash("0x4646464646464646464646464646464646464646464646464646464646464646");
constexpr std::string_view kSigner = "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f";
const Address kThirtyFives = *parse_address("0x3535353535353535353535353535353535353535");

constexpr std::string_view kLegacy =
    "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd9"
    "39bc"
    "2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1"
    "966a"
    "3b6d83";
constexpr std::string_view kAccessList =
    "0x01f8a38205390185012a05f20082ea6094353535353535353535353535353535353535353507821234f838f794111111111111"
    "111111"
    "1111111111111111111111e1a0222222222222222222222222222222222222222222222222222222222222222280a039bce51d91"
    "76cd01"
    "b16470b1faa3228d5f2fa1fd4290b40698c8c2dc0fab7e2fa007a6e80c0f0bbc56a7753cc149810f8026acc9ce54bd30fb2e6165"
    "f9bd17"
    "b590";
constexpr std::string_view kDynamicFee =
    "0x02f87082053903843b9aca0084b2d05e0082fde89435353535353535353535353535353535353535358084a9059cbbc080a0ce"
    "fdf3ae"
    "0ed5683420bdf81a3d59502415cea2cc128af14b131f4850cde284e2a05aed2067e2af187933d271aab82926f58afc94211a4802"
    "3093aa"
    "def376a8ceb9";

struct Vector {
  std::string_view raw;
  std::string_view hash;
  TransactionBody body;
};

Blob one_access_entry() {
  Blob entry;
  rlp::append_bytes(entry, Blob(20, 0x11));
  Blob keys;
  rlp::append_bytes(keys, Blob(32, 0x22));
  rlp::append_list(entry, keys);
  return rlp::list(entry);
}

std::vector<Vector> vectors() {
  return {
      {kLegacy,
       "0x33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788",
       {.type = TransactionType::legacy,
        .chain_id = 1,
        .nonce = 9,
        .priority_fee_max = 20 * kGwei,
        .fee_max = 20 * kGwei,
        .gas_limit = 21'000,
        .to = kThirtyFives,
        .value = kEther}},
      {kAccessList,
       "0x1902faaa9bdac360ee6192950e5ee8e43731da4bc5aec8783ae9a56c347b03b8",
       {.type = TransactionType::access_list,
        .chain_id = 1337,
        .nonce = 1,
        .priority_fee_max = 5 * kGwei,
        .fee_max = 5 * kGwei,
        .gas_limit = 60'000,
        .to = kThirtyFives,
        .value = 7,
        .data = {0x12, 0x34},
        .access_list = one_access_entry()}},
      {kDynamicFee,
       "0x8bd864dd4455425cd8977dec721cb1fc2a930a95ea4eb9d6bf42d917d051d2fb",
       {.type = TransactionType::dynamic_fee,
        .chain_id = 1337,
        .nonce = 3,
        .priority_fee_max = kGwei,
        .fee_max = 3 * kGwei,
        .gas_limit = 65'000,
        .to = kThirtyFives,
        .data = {0xa9, 0x05, 0x9c, 0xbb}}},
  };
}

TEST(Transaction, SignsByteForByteAsOthersDo) {
  for (const Vector& vector : vectors()) {
    const TransactionPtr made = sign_transaction(vector.body, kKey);
    EXPECT_EQ(hex(made->raw), vector.raw);
    EXPECT_EQ(hex(made->hash), vector.hash);
    EXPECT_EQ(hex(made->from), kSigner);
  }
}

TEST(Transaction, DecodesAndRecoversTheSender) {
  for (const Vector& vector : vectors()) {
    const auto decoded = decode_transaction(*parse_hex(vector.raw));
    ASSERT_TRUE(decoded) << decoded.error();
    const Transaction& got = **decoded;
    EXPECT_EQ(hex(got.from), kSigner);
    EXPECT_EQ(hex(got.hash), vector.hash);
    EXPECT_EQ(got.type, vector.body.type);
    EXPECT_EQ(got.chain_id, vector.body.chain_id);
    EXPECT_EQ(got.nonce, vector.body.nonce);
    EXPECT_EQ(got.fee_max, vector.body.fee_max);
    EXPECT_EQ(got.priority_fee_max, vector.body.priority_fee_max);
    EXPECT_EQ(got.gas_limit, vector.body.gas_limit);
    EXPECT_EQ(got.to, vector.body.to);
    EXPECT_EQ(got.value, vector.body.value);
    EXPECT_EQ(got.data, vector.body.data);
    EXPECT_EQ(got.access_list, vector.body.access_list);
  }
}

TEST(Transaction, RefusesEveryCutAndDamage) {
  for (const Vector& vector : vectors()) {
    const Blob raw = *parse_hex(vector.raw);
    for (std::size_t size = 0; size < raw.size(); ++size) {
      EXPECT_FALSE(decode_transaction(Bytes(raw).first(size))) << size;
    }
    Blob longer = raw;
    longer.push_back(0);
    EXPECT_FALSE(decode_transaction(longer));
    // Any other byte is rejected, or gives another transaction of another sender.
    for (std::size_t at = 0; at < raw.size(); ++at) {
      Blob damaged = raw;
      damaged[at] ^= 1;
      const auto decoded = decode_transaction(damaged);
      if (decoded) {
        EXPECT_NE(hex((*decoded)->from), kSigner) << at;
        EXPECT_NE(hex((*decoded)->hash), vector.hash) << at;
      }
    }
  }
}

TEST(Transaction, SaysWhatItDoesNotTake) {
  EXPECT_EQ(decode_transaction(Blob{0x03, 0xc0}).error(), "transaction type not supported");
  // The legacy vector with v = 27: valid before EIP-155, replayable on any chain.
  Blob unprotected = *parse_hex(kLegacy);
  const std::string text = hex(unprotected);
  const std::size_t v = text.find("8025a028ef");
  ASSERT_NE(v, std::string::npos);
  unprotected[(v - 2) / 2 + 1] = 27;
  EXPECT_EQ(decode_transaction(unprotected).error(),
            "only replay-protected (EIP-155) transactions allowed over RPC");
  // s in the upper half: s' = n - s with the other parity is the same point, and forbidden by EIP-2.
  const TransactionPtr made = sign_transaction(vectors()[2].body, kKey);
  Signature high = made->signature;
  high.s = *parse_hash("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140");
  EXPECT_FALSE(recover(keccak({}), high));
}

TEST(Transaction, CountsIntrinsicGas) {
  EXPECT_EQ(intrinsic_gas({.to = kThirtyFives}), 21'000U);
  EXPECT_EQ(intrinsic_gas({}), 53'000U);
  EXPECT_EQ(intrinsic_gas({.to = kThirtyFives, .data = {0, 1, 0, 2}}), 21'000U + 2 * 4 + 2 * 16);
  EXPECT_EQ(intrinsic_gas({.to = kThirtyFives, .access_list = one_access_entry()}), 21'000U + 2'400 + 1'900);
}

// A block of anvil (hardfork Cancun) with one transaction: signature, both roots, hash and size.
TEST(Block, IsHashedAsAnvilHashesIt) {
  const Hash key = *parse_hash("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
  Block block;
  Header& header = block.header;
  header.parent_hash = *parse_hash("0xba9faf0879f50dd4eb9a0b84c966f4e99b65aa545bcab26f2b7a310b4e756ca6");
  header.state_root = *parse_hash("0x7da72888f04be000d084b00877723c0f1381495d191d9c11d17450504fe880d1");
  header.number = 1;
  header.gas_limit = 0x1c9c380;
  header.timestamp = 0x6b0145e9;
  header.mix_hash = *parse_hash("0x1cb42d3df5d9d4cc64a9d30d5201892edf2592d5b6f24acf607f340f63d82d78");
  header.base_fee_per_gas = kGwei;
  header.blob_gas_used = 0;
  header.excess_blob_gas = 0;
  header.parent_beacon_block_root.emplace();
  block.transactions.push_back(sign_transaction({.chain_id = 31337,
                                                 .priority_fee_max = kGwei,
                                                 .fee_max = 2 * kGwei,
                                                 .to = kThirtyFives,
                                                 .value = 12345},
                                                key));
  EXPECT_EQ(hex(block.transactions[0]->from), "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
  EXPECT_EQ(hex(block.transactions[0]->hash),
            "0x7ff4f141b35c60a9eb4de0e7c3076835a5faab3c1c6927b0c62e671101bde754");
  block.receipts.push_back({.type = TransactionType::dynamic_fee,
                            .succeeded = true,
                            .gas_used = 21'000,
                            .cumulative_gas_used = 21'000});
  seal(block);
  EXPECT_EQ(hex(header.transactions_root),
            "0x631d7502e930a9d1380c6858843e88a5431024e3204efa8fd753b33d0b4ba2d4");
  EXPECT_EQ(hex(header.receipts_root), "0xf78dfb743fbd92ade140711c8bbc542b5e307f0ab7984eff35d751969fe57efa");
  EXPECT_EQ(hex(block.hash), "0x17703f71762f1b5b59a30fb6c47aad4816b573bfeed147169ebfce4ffef4e6bf");
  // anvil has 0x2bc: it leaves out the empty list of withdrawals, which geth counts.
  EXPECT_EQ(block.size, 0x2bcU + 1);
}

TEST(Block, TheBaseFeeFollowsTheGas) {
  Header parent{.gas_limit = 30'000'000, .gas_used = 15'000'000};
  parent.base_fee_per_gas = kGwei;
  EXPECT_EQ(next_base_fee(parent), kGwei);
  parent.gas_used = 30'000'000;
  EXPECT_EQ(next_base_fee(parent), Wei{1'125'000'000});
  parent.gas_used = 0;
  EXPECT_EQ(next_base_fee(parent), Wei{875'000'000});
  parent.base_fee_per_gas = 7;
  EXPECT_EQ(next_base_fee(parent), Wei{7});
}

}  // namespace
}  // namespace fanfare::devchain
