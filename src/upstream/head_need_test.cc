#include "upstream/head_need.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::upstream {
namespace {

constexpr std::uint64_t kShown = 100;
const std::string kHash = "\"0x" + std::string(64, 'a') + '"';

TEST(HeadNeeded, WhatIsNotOfTheChainNeedsNothing) {
  for (const char* method :
       {"eth_chainId", "net_version", "web3_clientVersion", "eth_accounts", "eth_syncing", "eth_gasPrice"}) {
    EXPECT_EQ(head_needed(method, "[]", kShown), 0U) << method;
  }
}

TEST(HeadNeeded, WritesAndUnknownMethodsNeedNothing) {
  for (const char* method :
       {"eth_sendRawTransaction", "eth_sendTransaction", "evm_mine", "evm_revert", "evm_snapshot",
        "anvil_mine", "debug_setHead", "eth_newFilter", "some_thing", ""}) {
    EXPECT_EQ(head_needed(method, R"(["latest"])", kShown), 0U) << method;
  }
}

TEST(HeadNeeded, AReadOfAHeightNeedsThatHeight) {
  EXPECT_EQ(head_needed("eth_getBalance", R"(["0xaa","0x5"])", kShown), 5U);
  EXPECT_EQ(head_needed("eth_getBlockByNumber", R"(["0x64",false])", kShown), 100U);
  EXPECT_EQ(head_needed("eth_getStorageAt", R"(["0xaa","0x0","0x7"])", kShown), 7U);
  EXPECT_EQ(head_needed("eth_call", R"([{},{"blockNumber":"0x9"}])", kShown), 9U);
  EXPECT_EQ(head_needed("eth_getBalance", R"(["0xaa","earliest"])", kShown), 0U);
  // For a block that the caller cannot know of yet, the block it was shown.
  EXPECT_EQ(head_needed("eth_getBlockByNumber", R"(["0x65",false])", kShown), 100U);
}

TEST(HeadNeeded, AReadOfTheNewestNeedsWhatWasShown) {
  for (const char* tag : {"latest", "pending", "safe", "finalized"}) {
    EXPECT_EQ(head_needed("eth_getBalance", R"(["0xaa",")" + std::string(tag) + "\"]", kShown), kShown)
        << tag;
  }
  EXPECT_EQ(head_needed("eth_getBalance", R"(["0xaa"])", kShown), kShown);
  EXPECT_EQ(head_needed("eth_call", R"([{}])", kShown), kShown);
  EXPECT_EQ(head_needed("eth_blockNumber", "", kShown), kShown);
  EXPECT_EQ(head_needed("eth_call", R"([{},{"blockHash":)" + kHash + "}]", kShown), kShown);
}

TEST(HeadNeeded, WhatAHashNamesMayBeAsNewAsWhatWasShown) {
  EXPECT_EQ(head_needed("eth_getBlockByHash", "[" + kHash + ",false]", kShown), kShown);
  EXPECT_EQ(head_needed("eth_getTransactionReceipt", "[" + kHash + "]", kShown), kShown);
  EXPECT_EQ(head_needed("eth_getBlockReceipts", "[" + kHash + "]", kShown), kShown);
}

TEST(HeadNeeded, LogsNeedTheEndOfTheirRange) {
  const auto logs = [](const std::string& filter) {
    return head_needed("eth_getLogs", "[" + filter + "]", kShown);
  };
  EXPECT_EQ(logs(R"({"fromBlock":"0x1","toBlock":"0x5"})"), 5U);
  EXPECT_EQ(logs(R"({"fromBlock":"0x1","toBlock":"latest"})"), kShown);
  EXPECT_EQ(logs(R"({"fromBlock":"0x1"})"), kShown);
  EXPECT_EQ(logs(R"({"toBlock":"0x5"})"), 5U);
  EXPECT_EQ(logs(R"({"fromBlock":"latest","toBlock":"0x5"})"), kShown);
  EXPECT_EQ(logs(R"({"fromBlock":"0x1","toBlock":"0xffff"})"), kShown);
  EXPECT_EQ(logs(R"({"blockHash":)" + kHash + "}"), kShown);
  EXPECT_EQ(logs("{}"), kShown);
  EXPECT_EQ(logs("null"), kShown);
  EXPECT_EQ(head_needed("eth_getLogs", "", kShown), kShown);
}

TEST(HeadNeeded, WithoutAHeadShownNothingIsNeeded) {
  EXPECT_EQ(head_needed("eth_blockNumber", "[]", 0), 0U);
}

}  // namespace
}  // namespace fanfare::upstream
