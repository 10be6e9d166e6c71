#include "upstream/settled.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::upstream {
namespace {

const std::string kSettledHash = "\"0x" + std::string(64, 'a') + "\"";

TEST(Settled, WhatIsNamedByABlocksHashStandsForEver) {
  EXPECT_EQ(settled_from("eth_getBlockByHash", "[" + kSettledHash + ",false]"), 0U);
  EXPECT_EQ(settled_from("eth_getBlockReceipts", "[" + kSettledHash + "]"), 0U);
  EXPECT_EQ(settled_from("eth_getLogs", "[{\"blockHash\":" + kSettledHash + "}]"), 0U);
  EXPECT_EQ(settled_from("eth_getBalance", "[\"0x00\",{\"blockHash\":" + kSettledHash + "}]"), 0U);
  EXPECT_EQ(settled_from("web3_sha3", "[\"0x00\"]"), 0U);
}

TEST(Settled, WhatIsNamedByANumberStandsOnceThatBlockIsFinal) {
  EXPECT_EQ(settled_from("eth_getBlockByNumber", R"(["0x10",true])"), 16U);
  EXPECT_EQ(settled_from("eth_call", R"([{"to":"0x00"}, "0x11"])"), 17U);
  EXPECT_EQ(settled_from("eth_getStorageAt", R"(["0x00","0x0","0x12"])"), 18U);
  EXPECT_EQ(settled_from("eth_getCode", R"(["0x00",{"blockNumber":"0x13"}])"), 19U);
  EXPECT_EQ(settled_from("eth_getLogs", R"([{"fromBlock":"0x1","toBlock":"0x14"}])"), 20U);
}

TEST(Settled, EverythingElseMayChange) {
  EXPECT_FALSE(settled_from("eth_getBlockByNumber", R"(["latest",true])"));
  EXPECT_FALSE(settled_from("eth_getBlockByNumber", R"(["finalized",true])"));
  EXPECT_FALSE(settled_from("eth_getBalance", R"(["0x00"])"));
  EXPECT_FALSE(settled_from("eth_getBalance",
                            "[\"0x00\",{\"blockHash\":" + kSettledHash + ",\"requireCanonical\":true}]"));
  EXPECT_FALSE(settled_from("eth_call", "[]"));
  EXPECT_FALSE(settled_from("eth_call", ""));
  EXPECT_FALSE(settled_from("eth_getLogs", R"([{"fromBlock":"0x1"}])"));
  EXPECT_FALSE(settled_from("eth_getLogs", R"([{"fromBlock":"0x1","toBlock":"latest"}])"));
  EXPECT_FALSE(settled_from("eth_getLogs", "[{}]"));
  EXPECT_FALSE(settled_from("eth_getTransactionReceipt", "[" + kSettledHash + "]"));
  EXPECT_FALSE(settled_from("eth_blockNumber", "[]"));
  EXPECT_FALSE(settled_from("eth_getBlockByNumber", R"(["0xzz",true])"));
  EXPECT_FALSE(settled_from("eth_getBlockByNumber", R"(["0x",true])"));
  EXPECT_FALSE(settled_from("eth_getBlockByNumber", R"(["16",true])"));
}

}  // namespace
}  // namespace fanfare::upstream
