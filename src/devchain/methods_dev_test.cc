// The simulated network around the chain: repeatable, and true to the chain where it speaks of it.

#include <gtest/gtest.h>

#include "devchain/devchain.h"
#include "jsonrpc/value.h"

namespace fanfare::devchain {
namespace {

using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr WallTime kWall{std::chrono::seconds(1'700'000'000)};

// With 30 blocks.
DevChain chain_of(std::uint64_t seed) {
  DevChain chain({.seed = seed, .block_time = seconds(1)}, kWall);
  chain.advance(kStart);
  for (int i = 1; i <= 30; ++i) chain.advance(kStart + seconds(i));
  return chain;
}
std::string ask(DevChain& chain, std::string_view method, std::string_view params = "[]") {
  const auto answer = chain.call(method, params);
  return answer ? *answer : "error " + std::to_string(answer.error().code) + " " + answer.error().message;
}
std::string_view member(std::string_view json, std::string_view name) {
  const auto found = jsonrpc::member(json, name);
  EXPECT_TRUE(found) << name << " is missing in " << json;
  return found.value_or("");
}

TEST(DevMethods, AreTheSameForTheSameSeed) {
  DevChain one = chain_of(5);
  DevChain same = chain_of(5);
  DevChain other = chain_of(6);
  for (const std::string_view method :
       {"dev_networkStatus", "dev_peers", "dev_marketsHealth", "dev_marketReceipts"}) {
    EXPECT_EQ(ask(one, method), ask(same, method)) << method;
    EXPECT_NE(ask(one, method), ask(other, method)) << method;
  }
}

TEST(DevMethods, TheStatusCountsPeersAndTransactions) {
  DevChain chain = chain_of(5);
  const std::string status = ask(chain, "dev_networkStatus");
  const std::string peers = ask(chain, "dev_peers");
  EXPECT_EQ(member(status, "peerCount"), std::to_string(jsonrpc::element_count(peers)));
  EXPECT_EQ(member(status, "finalitySeconds"), "30");
  std::uint64_t transactions = 0;
  for (int block = 21; block <= 30; ++block) {
    const std::string count = ask(chain, "eth_getBlockTransactionCountByNumber",
                                  "[\"0x" + std::string(1, "0123456789abcdef"[block / 16]) +
                                      std::string(1, "0123456789abcdef"[block % 16]) + "\"]");
    transactions += std::stoull(count.substr(3), nullptr, 16);
  }
  EXPECT_EQ(member(status, "transactionsPerSecond"),
            std::to_string(transactions / 10) + "." + std::to_string(transactions % 10));
  const std::uint64_t strength = jsonrpc::uint_value(member(status, "strength")).value_or(101);
  EXPECT_LE(strength, 100U);
}

TEST(DevMethods, HealthAddsUp) {
  DevChain chain = chain_of(5);
  for (int i = 0; i < 20; ++i) {
    ask(chain, "anvil_mine", "[\"0x1e\"]");
    const std::string health = ask(chain, "dev_marketsHealth");
    std::uint64_t healthy = 0;
    std::uint64_t down = 0;
    std::uint64_t total = 0;
    for (const auto& market : jsonrpc::object_members(member(health, "markets"))) {
      ++total;
      const std::string_view status = member(market.value, "status");
      if (status == "\"healthy\"") ++healthy;
      if (status == "\"down\"") ++down;
    }
    EXPECT_EQ(total, 4U);
    EXPECT_EQ(member(health, "healthyMarkets"), std::to_string(healthy));
    EXPECT_EQ(member(health, "overallStatus"), down > 1       ? "\"critical\""
                                               : healthy == 4 ? "\"healthy\""
                                                              : "\"degraded\"");
  }
}

TEST(DevMethods, ReceiptsAreTheTransactionsOfTheChainTheNewestFirst) {
  DevChain chain = chain_of(5);
  const std::string receipts = ask(chain, "dev_marketReceipts", "[7]");
  ASSERT_EQ(jsonrpc::element_count(receipts), 7U);
  std::string last_height = "\"0xffffff\"";
  for (const std::string_view receipt : jsonrpc::array_elements(receipts)) {
    const std::string transaction =
        ask(chain, "eth_getTransactionByHash", "[" + std::string(member(receipt, "id")) + "]");
    EXPECT_EQ(member(transaction, "from"), member(receipt, "consumer"));
    EXPECT_EQ(member(transaction, "blockNumber"), member(receipt, "blockHeight"));
    const std::string input(member(transaction, "input"));
    if (input.starts_with("\"0xa9059cbb")) {
      EXPECT_EQ("\"0x" + input.substr(35, 40) + "\"", member(receipt, "provider")) << "a token's recipient";
    } else {
      EXPECT_EQ(member(transaction, "to"), member(receipt, "provider"));
      EXPECT_EQ(member(transaction, "value"), member(receipt, "amount"));
    }
    EXPECT_LE(member(receipt, "blockHeight"), last_height);
    last_height = member(receipt, "blockHeight");
  }
}

TEST(DevMethods, ReceiptsAreLimited) {
  DevChain chain = chain_of(5);
  EXPECT_EQ(jsonrpc::element_count(ask(chain, "dev_marketReceipts")), 20U);
  EXPECT_EQ(ask(chain, "dev_marketReceipts", "[0]"), "[]");
  EXPECT_TRUE(ask(chain, "dev_marketReceipts", "[200]").starts_with("["));
  EXPECT_EQ(ask(chain, "dev_marketReceipts", "[201]"), "error -32602 at most 200 receipts at once");
}

}  // namespace
}  // namespace fanfare::devchain
