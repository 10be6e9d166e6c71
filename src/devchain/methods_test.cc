// The JSON-RPC interface: raw params in, raw JSON out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "devchain/devchain.h"
#include "devchain/token.h"
#include "devchain/transaction.h"
#include "jsonrpc/value.h"

namespace fanfare::devchain {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr WallTime kWall{std::chrono::seconds(1'700'000'000)};

// An answer, or a part of one; equal if the texts are.
class Json {
 public:
  Json() = default;
  explicit Json(std::string_view raw) : raw_(raw) {}

  Json operator[](const char* name) const {
    const auto value = jsonrpc::member(raw_, name);
    EXPECT_TRUE(value) << name << " is missing in " << raw_;
    return Json(value.value_or(""));
  }
  Json operator[](std::size_t index) const { return Json(jsonrpc::element(raw_, index).value_or("")); }
  std::vector<Json> elements() const {
    std::vector<Json> all;
    for (const std::string_view element : jsonrpc::array_elements(raw_)) all.emplace_back(element);
    return all;
  }
  std::size_t size() const { return jsonrpc::element_count(raw_); }
  std::string text() const { return jsonrpc::string_copy(raw_).value_or("(no string)"); }
  bool yes() const { return raw_ == "true"; }
  bool no() const { return raw_ == "false"; }
  bool is_null() const { return raw_ == "null"; }
  bool is_object() const { return jsonrpc::kind_of(raw_) == jsonrpc::Kind::object; }
  std::set<std::string> members() const {
    std::set<std::string> names;
    for (const auto& member : jsonrpc::object_members(raw_)) names.emplace(member.name);
    return names;
  }
  bool operator==(const Json&) const = default;

 private:
  std::string raw_;
};

class MethodsTest : public ::testing::Test {
 protected:
  explicit MethodsTest(const Options& options = {}) : chain_(options, kWall) {
    chain_.advance(kStart);
    now_ = kStart;
  }

  void wait(seconds by) { chain_.advance(now_ += by); }

  Json ask(std::string_view method, std::string_view params = "") {
    const auto answer = chain_.call(method, params);
    EXPECT_TRUE(answer) << method << params << ": " << (answer ? "" : answer.error().message);
    if (!answer) return {};
    EXPECT_TRUE(jsonrpc::is_valid_json(*answer)) << *answer;
    return Json(*answer);
  }
  std::string text(std::string_view method, std::string_view params = "") {
    return ask(method, params).text();
  }
  CallError refused(std::string_view method, std::string_view params = "") {
    const auto answer = chain_.call(method, params);
    EXPECT_FALSE(answer) << method << params << ": " << (answer ? *answer : "");
    return answer ? CallError{} : answer.error();
  }
  DevChain chain_;
  Instant now_{};
};

const std::set<std::string> kHeaderMembers = {"hash",         "parentHash",    "sha3Uncles",
                                              "miner",        "stateRoot",     "transactionsRoot",
                                              "receiptsRoot", "logsBloom",     "difficulty",
                                              "number",       "gasLimit",      "gasUsed",
                                              "timestamp",    "extraData",     "mixHash",
                                              "nonce",        "baseFeePerGas", "withdrawalsRoot",
                                              "blobGasUsed",  "excessBlobGas", "parentBeaconBlockRoot"};

TEST_F(MethodsTest, BlocksHaveTheMembersOfGeth) {
  wait(seconds(5));
  std::set<std::string> wanted = kHeaderMembers;
  for (const char* more : {"size", "uncles", "transactions", "withdrawals"}) wanted.insert(more);
  const auto block = ask("eth_getBlockByNumber", R"(["latest",true])");
  EXPECT_EQ(block.members(), wanted);
  const auto pending = ask("eth_getBlockByNumber", R"(["pending",false])");
  EXPECT_EQ(pending.members(), wanted);
  EXPECT_TRUE(pending["hash"].is_null());
  EXPECT_TRUE(pending["nonce"].is_null());
  EXPECT_EQ(pending["number"].text(), "0x6");
  EXPECT_EQ(pending["parentHash"].text(), block["hash"].text());
}

TEST_F(MethodsTest, TagsNameTheirBlocks) {
  wait(seconds(100));
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"latest", "0x64"}, {"earliest", "0x0"}, {"pending", "0x65"}, {"safe", "0x44"}, {"finalized", "0x24"}};
  for (const auto& [tag, number] : cases) {
    const auto block = ask("eth_getBlockByNumber", "[\"" + std::string(tag) + "\",false]");
    EXPECT_EQ(block["number"].text(), number) << tag;
  }
  EXPECT_TRUE(ask("eth_getBlockByNumber", R"(["0x65",false])").is_null());
  EXPECT_TRUE(ask("eth_getBlockByHash", "[\"0x" + std::string(64, '0') + "\",false]").is_null());
  EXPECT_TRUE(ask("eth_getTransactionByHash", "[\"0x" + std::string(64, '0') + "\"]").is_null());
  EXPECT_TRUE(ask("eth_getTransactionReceipt", "[\"0x" + std::string(64, '0') + "\"]").is_null());
  EXPECT_TRUE(ask("eth_getBlockReceipts", R"(["0x65"])").is_null());
  EXPECT_TRUE(ask("eth_getBlockTransactionCountByNumber", R"(["0x65"])").is_null());
}

TEST_F(MethodsTest, TransactionsAndReceiptsAgreeWithTheirBlock) {
  wait(seconds(20));
  std::size_t seen = 0;
  for (int number = 1; number <= 20; ++number) {
    const std::string at = "\"" + quantity(static_cast<Wei>(number)) + "\"";
    const auto block = ask("eth_getBlockByNumber", "[" + at + ",true]");
    const auto receipts = ask("eth_getBlockReceipts", "[" + at + "]");
    const auto& transactions = block["transactions"];
    ASSERT_EQ(transactions.size(), receipts.size());
    EXPECT_EQ(text("eth_getBlockTransactionCountByNumber", "[" + at + "]"), quantity(transactions.size()));
    for (std::size_t i = 0; i < transactions.size(); ++i, ++seen) {
      const std::string hash = transactions[i]["hash"].text();
      EXPECT_TRUE(ask("eth_getTransactionByHash", "[\"" + hash + "\"]") == transactions[i]);
      EXPECT_TRUE(ask("eth_getTransactionReceipt", "[\"" + hash + "\"]") == receipts[i]);
      std::string by_number = "[" + at;
      by_number += ",\"" + quantity(i) + "\"]";
      std::string by_hash = "[\"" + block["hash"].text();
      by_hash += "\",\"" + quantity(i) + "\"]";
      EXPECT_TRUE(ask("eth_getTransactionByBlockNumberAndIndex", by_number) == transactions[i]);
      EXPECT_TRUE(ask("eth_getTransactionByBlockHashAndIndex", by_hash) == transactions[i]);
      EXPECT_EQ(receipts[i]["blockHash"].text(), block["hash"].text());
    }
  }
  EXPECT_GT(seen, 100U);
}

TEST_F(MethodsTest, PendingTransactionsWaitBeforeTheyAreMined) {
  const std::string filter = "[\"" + text("eth_newPendingTransactionFilter") + "\"]";
  chain_.advance(kStart + std::chrono::milliseconds(900));
  const auto pending = ask("eth_getFilterChanges", filter);
  ASSERT_GT(pending.size(), 0U);
  for (const auto& hash : pending.elements()) {
    const auto transaction = ask("eth_getTransactionByHash", "[\"" + hash.text() + "\"]");
    EXPECT_TRUE(transaction["blockNumber"].is_null());
  }
  wait(seconds(1));
  for (const auto& hash : pending.elements()) {
    const auto transaction = ask("eth_getTransactionByHash", "[\"" + hash.text() + "\"]");
    EXPECT_EQ(transaction["blockNumber"].text(), "0x1");
  }
  EXPECT_EQ(ask("eth_getFilterChanges", filter).size(), 0U);
}

TEST_F(MethodsTest, LogsOfARangeAreThoseOfTheReceipts) {
  wait(seconds(20));
  std::vector<std::string> wanted;
  for (int number = 1; number <= 20; ++number) {
    const auto receipts = ask("eth_getBlockReceipts", "[\"" + quantity(static_cast<Wei>(number)) + "\"]");
    for (const auto& receipt : receipts.elements()) {
      for (const auto& log : receipt["logs"].elements()) {
        wanted.push_back(log["transactionHash"].text() + log["logIndex"].text());
      }
    }
  }
  const auto logs = ask("eth_getLogs", R"([{"fromBlock":"0x1","toBlock":"latest"}])");
  std::vector<std::string> got;
  for (const auto& log : logs.elements()) {
    got.push_back(log["transactionHash"].text() + log["logIndex"].text());
    EXPECT_EQ(log.members(), (std::set<std::string>{"address", "topics", "data", "blockNumber",
                                                    "transactionHash", "transactionIndex", "blockHash",
                                                    "logIndex", "blockTimestamp", "removed"}));
  }
  EXPECT_EQ(got, wanted);
  // The balances of every token add up to the supply.
  std::size_t sum = 0;
  for (const Token& token : tokens()) {
    const std::string address = hex(token.address);
    const auto some = ask("eth_getLogs", R"([{"fromBlock":"0x1","address":")" + address + "\"}]");
    for (const auto& log : some.elements()) EXPECT_EQ(log["address"].text(), address);
    sum += some.size();
  }
  EXPECT_EQ(sum, wanted.size());
}

TEST_F(MethodsTest, TokensAnswerCalls) {
  const Token& token = tokens()[0];
  const auto call = [&](const std::string& data) {
    return text("eth_call", R"([{"to":")" + hex(token.address) + R"(","data":")" + data + R"("},"latest"])");
  };
  EXPECT_EQ(call("0x313ce567"), hex(word(Wei{token.decimals})));
  EXPECT_THAT(call("0x95d89b41"), HasSubstr(hex(as_bytes(token.symbol)).substr(2)));
  EXPECT_THAT(call("0x06fdde03"), HasSubstr(hex(as_bytes(token.name)).substr(2)));
  const std::string owner = std::string(24, '0') + chain_.accounts()[0].address.substr(2);
  EXPECT_EQ(call("0x70a08231" + owner), hex(word(Wei{1'000'000'000'000})));
  // Slot 2 holds the supply in Solidity's usual layout.
  EXPECT_EQ(text("eth_getStorageAt", "[\"" + hex(token.address) + R"(","0x2","latest"])"),
            call("0x18160ddd"));
  EXPECT_NE(text("eth_getCode", "[\"" + hex(token.address) + R"(","latest"])"), "0x");
  EXPECT_EQ(
      text("eth_call", R"([{"to":"0x00000000000000000000000000000000000000aa","data":"0x01"},"latest"])"),
      "0x");
  const CallError reverted =
      refused("eth_call", R"([{"to":")" + hex(token.address) + R"(","data":"0xdeadbeef"},"latest"])");
  EXPECT_EQ(reverted.code, 3);
  EXPECT_EQ(reverted.message, "execution reverted");
  EXPECT_EQ(reverted.data_json, "\"0x\"");
  EXPECT_EQ(refused("eth_call", R"([{"data":"0x6000"},"latest"])").code, -32000);
}

TEST_F(MethodsTest, ATokenTransferCanBeSentAndIsMinedInTheNextBlock) {
  const std::string key = chain_.accounts()[0].private_key;
  const Address to = *parse_address("0x00000000000000000000000000000000000000aa");
  const auto signed_transfer = sign_transaction({.chain_id = 1337,
                                                 .priority_fee_max = kGwei,
                                                 .fee_max = 3 * kGwei,
                                                 .gas_limit = 65'000,
                                                 .to = tokens()[1].address,
                                                 .data = transfer_calldata(to, 12345)},
                                                *parse_hash(key));
  const std::string raw = "[\"" + hex(signed_transfer->raw) + "\"]";
  const std::string hash = hex(signed_transfer->hash);
  EXPECT_EQ(text("eth_sendRawTransaction", raw), hash);
  EXPECT_EQ(refused("eth_sendRawTransaction", raw).message, "already known");
  const std::string sender = "[\"" + chain_.accounts()[0].address + "\",";
  EXPECT_EQ(text("eth_getTransactionCount", sender + "\"latest\"]"), "0x0");
  EXPECT_EQ(text("eth_getTransactionCount", sender + "\"pending\"]"), "0x1");
  wait(seconds(1));
  const auto receipt = ask("eth_getTransactionReceipt", "[\"" + hash + "\"]");
  ASSERT_TRUE(receipt.is_object());
  EXPECT_EQ(receipt["blockNumber"].text(), "0x1");
  EXPECT_EQ(receipt["status"].text(), "0x1");
  ASSERT_EQ(receipt["logs"].size(), 1U);
  EXPECT_EQ(receipt["logs"].elements().at(0)["topics"].elements().at(0).text(),
            "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
  EXPECT_EQ(text("eth_call", R"([{"to":")" + hex(tokens()[1].address) + R"(","data":"0x70a08231)" +
                                 std::string(24, '0') + hex(to).substr(2) + R"("},"latest"])"),
            hex(word(Wei{12345})));
  EXPECT_EQ(refused("eth_sendRawTransaction", raw).message, "already known");
  EXPECT_EQ(refused("eth_sendRawTransaction", R"(["0x00"])").code, -32000);
  EXPECT_EQ(refused("eth_sendRawTransaction", R"(["00"])").code, -32602);
}

TEST_F(MethodsTest, FeesAndFundsAddUp) {
  const std::string from = chain_.accounts()[0].address;
  const std::string to = "0x00000000000000000000000000000000000000aa";
  const auto hash =
      text("eth_sendTransaction", R"([{"from":")" + from + R"(","to":")" + to + R"(","value":"0x64"}])");
  wait(seconds(1));
  const auto receipt = ask("eth_getTransactionReceipt", "[\"" + hash + "\"]");
  ASSERT_TRUE(receipt.is_object());
  EXPECT_EQ(receipt["gasUsed"].text(), "0x5208");
  const Wei price = *parse_quantity(receipt["effectiveGasPrice"].text());
  EXPECT_EQ(text("eth_getBalance", "[\"" + to + R"(","latest"])"), "0x64");
  EXPECT_EQ(text("eth_getBalance", "[\"" + from + R"(","latest"])"),
            quantity(10'000 * kEther - 100 - 21'000 * price));
  EXPECT_EQ(text("eth_getBalance", "[\"" + from + R"(","0x0"])"), quantity(10'000 * kEther));
  EXPECT_EQ(refused("eth_sendTransaction", R"([{"from":")" + to + R"(","to":")" + to + R"("}])").message,
            "unknown account");
}

TEST_F(MethodsTest, NodeMethods) {
  EXPECT_EQ(text("eth_chainId"), "0x539");
  EXPECT_EQ(text("net_version", "[]"), "1337");
  EXPECT_EQ(text("net_version", "null"), "1337");
  EXPECT_TRUE(ask("net_listening").yes());
  EXPECT_EQ(text("net_peerCount"), "0x0");
  EXPECT_TRUE(ask("eth_syncing").no());
  EXPECT_EQ(ask("eth_accounts").size(), 10U);
  EXPECT_EQ(text("web3_sha3", R"(["0x"])"),
            "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(text("eth_gasPrice"), quantity(kGwei + kGwei * 7 / 8));
  wait(seconds(6));
  const auto history = ask("eth_feeHistory", R"(["0x4","latest",[10,90]])");
  EXPECT_EQ(history["oldestBlock"].text(), "0x3");
  EXPECT_EQ(history["baseFeePerGas"].size(), 5U);
  EXPECT_EQ(history["gasUsedRatio"].size(), 4U);
  EXPECT_EQ(history["reward"].size(), 4U);
  EXPECT_EQ(ask("txpool_status").members().size(), 2U);
}

TEST_F(MethodsTest, ErrorsAreGeths) {
  const CallError unknown = refused("eth_foo");
  EXPECT_EQ(unknown.code, -32601);
  EXPECT_EQ(unknown.message, "the method eth_foo does not exist/is not available");
  EXPECT_EQ(refused("eth_subscribe", R"(["newHeads"])").code, -32601);
  EXPECT_EQ(refused("eth_getBalance", R"(["0x12","latest"])").code, -32602);
  EXPECT_EQ(refused("eth_getBalance").message, "missing value for required argument 0");
  EXPECT_EQ(refused("eth_chainId", "[1]").message, "too many arguments, want at most 0");
  EXPECT_EQ(refused("eth_getBlockByNumber", "[\"0x" + std::string(64, 'a') + "\",false]").code, -32602);
  EXPECT_EQ(refused("eth_getBlockByNumber", R"(["latest","yes"])").code, -32602);
  EXPECT_EQ(refused("eth_getLogs", R"([{"fromBlock":"0x5","toBlock":"0x1"}])").message,
            "invalid block range params");
  EXPECT_EQ(refused("eth_getLogs", "[{\"blockHash\":\"0x" + std::string(64, 'a') + "\"}]").message,
            "unknown block");
  EXPECT_EQ(refused("eth_getFilterChanges", R"(["0x1"])").message, "filter not found");
  EXPECT_EQ(refused("eth_getBalance", "[\"" + chain_.accounts()[0].address + R"(","0x99"])").message,
            "header not found");
  EXPECT_EQ(refused("anvil_reorg", "[5]").code, -32602);
}

TEST_F(MethodsTest, FiltersCollectWhatHappensInBetween) {
  const std::string blocks = "[\"" + text("eth_newBlockFilter") + "\"]";
  const std::string logs = "[\"" + text("eth_newFilter", "[{}]") + "\"]";
  EXPECT_EQ(ask("eth_getFilterChanges", blocks).size(), 0U);
  wait(seconds(3));
  const auto hashes = ask("eth_getFilterChanges", blocks);
  ASSERT_EQ(hashes.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto block = ask("eth_getBlockByHash", "[\"" + hashes[i].text() + "\",false]");
    EXPECT_EQ(block["number"].text(), quantity(i + 1));
  }
  EXPECT_TRUE(ask("eth_getFilterChanges", logs) ==
              ask("eth_getLogs", R"([{"fromBlock":"0x1","toBlock":"0x3"}])"));
  EXPECT_TRUE(ask("eth_getFilterLogs", logs) == ask("eth_getLogs", "[{}]"));
  EXPECT_EQ(refused("eth_getFilterLogs", blocks).message, "filter not found");
  EXPECT_TRUE(ask("eth_uninstallFilter", blocks).yes());
  EXPECT_TRUE(ask("eth_uninstallFilter", blocks).no());
  wait(seconds(301));
  EXPECT_EQ(refused("eth_getFilterChanges", logs).message, "filter not found");
}

TEST_F(MethodsTest, ALogFilterTellsOfRemovedLogs) {
  wait(seconds(5));
  const std::string filter = "[\"" + text("eth_newFilter", "[{}]") + "\"]";
  const auto before = ask("eth_getLogs", R"([{"fromBlock":"0x4","toBlock":"0x5"}])");
  ASSERT_GT(before.size(), 0U);
  EXPECT_TRUE(ask("anvil_reorg", "[2,[]]").is_null());
  const auto after = ask("eth_getLogs", R"([{"fromBlock":"0x4","toBlock":"0x5"}])");
  const auto changes = ask("eth_getFilterChanges", filter);
  ASSERT_EQ(changes.size(), before.size() + after.size());
  // Newest first, then the new branch in order.
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& old = before[before.size() - 1 - i];
    EXPECT_TRUE(changes[i]["removed"].yes());
    EXPECT_TRUE(changes[i]["blockHash"] == old["blockHash"] && changes[i]["logIndex"] == old["logIndex"]);
  }
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(changes[before.size() + i] == after[i]);
}

TEST_F(MethodsTest, TransactionsAndLogsSayWhenTheirBlockWas) {
  wait(seconds(4));
  const auto log = ask("eth_getLogs", R"([{"fromBlock":"0x1","toBlock":"latest"}])").elements().at(0);
  const auto block = ask("eth_getBlockByHash", "[\"" + log["blockHash"].text() + "\",true]");
  EXPECT_EQ(log["blockTimestamp"].text(), block["timestamp"].text());
  EXPECT_EQ(block["transactions"].elements().at(0)["blockTimestamp"].text(), block["timestamp"].text());
  const std::string from = chain_.accounts()[0].address;
  const std::string to = chain_.accounts()[1].address;
  const std::string hash =
      text("eth_sendTransaction", R"([{"from":")" + from + R"(","to":")" + to + R"(","value":"0x1"}])");
  EXPECT_TRUE(ask("eth_getTransactionByHash", "[\"" + hash + "\"]")["blockTimestamp"].is_null());
}

TEST_F(MethodsTest, WhatNeedsAnEvmIsRefusedInSoManyWords) {
  const std::string from = chain_.accounts()[0].address;
  EXPECT_THAT(refused("eth_call", R"([{"from":")" + from + R"(","data":"0x6001"}])").message,
              HasSubstr("has no EVM"));
  EXPECT_THAT(refused("eth_estimateGas", R"([{"data":"0x6001"}])").message, HasSubstr("has no EVM"));
  EXPECT_THAT(refused("eth_call", R"([{"to":")" + from + R"("},"latest",{"0x)" + std::string(40, '1') +
                                      R"(":{"code":"0x00"}}])")
                  .message,
              HasSubstr("has no EVM"));
  EXPECT_THAT(
      refused("eth_sendTransaction", R"([{"from":")" + from + R"(","data":"0x6001","gas":"0x100000"}])")
          .message,
      HasSubstr("has no EVM"));
  for (const char* method : {"debug_traceTransaction", "debug_traceCall", "eth_simulateV1", "trace_block"}) {
    EXPECT_THAT(refused(method).message, HasSubstr("has no EVM")) << method;
  }
}

TEST_F(MethodsTest, WhatNeedsNoEvmIsThere) {
  wait(seconds(2));
  const std::string from = chain_.accounts()[0].address;
  const std::string to = chain_.accounts()[1].address;
  const std::string transfer = R"({"from":")" + from + R"(","to":")" + to + R"(","value":"0x1"})";
  EXPECT_EQ(text("eth_coinbase").size(), 42U);
  EXPECT_EQ(ask("eth_createAccessList", "[" + transfer + "]")["gasUsed"].text(), "0x5208");
  const auto header = ask("eth_getHeaderByNumber", R"(["0x1"])");
  const auto block = ask("eth_getBlockByNumber", R"(["0x1",false])");
  EXPECT_EQ(header["hash"].text(), block["hash"].text());
  EXPECT_EQ(text("web3_sha3", "[\"" + text("debug_getRawHeader", R"(["0x1"])") + "\"]"),
            block["hash"].text());
  EXPECT_EQ(parse_hex(text("debug_getRawBlock", R"(["0x1"])")).value().size(),
            std::stoul(block["size"].text(), nullptr, 16));
  EXPECT_EQ(ask("debug_getRawReceipts", R"(["0x1"])").size(), block["transactions"].size());
  // Signed here, sent by the client, found under its sender.
  const auto made = ask("eth_signTransaction", "[" + transfer + "]");
  EXPECT_EQ(ask("txpool_contentFrom", "[\"" + from + "\"]")["pending"].members().size(), 0U);
  const std::string hash = text("eth_sendRawTransaction", "[\"" + made["raw"].text() + "\"]");
  EXPECT_EQ(hash, made["tx"]["hash"].text());
  EXPECT_EQ(ask("txpool_contentFrom", "[\"" + from + "\"]")["pending"]["0"]["hash"].text(), hash);
  EXPECT_THAT(ask("txpool_inspect")["pending"][from.c_str()]["0"].text(), HasSubstr(to + ": 1 wei"));
  EXPECT_EQ(text("debug_getRawTransaction", "[\"" + hash + "\"]"), made["raw"].text());
  const std::string signature = text("eth_sign", "[\"" + from + R"(","0x1234"])");
  EXPECT_EQ(signature.size(), 132U);
  EXPECT_TRUE(signature.ends_with("1b") || signature.ends_with("1c"));
  EXPECT_EQ(refused("eth_sign", "[\"0x" + std::string(40, '1') + R"(","0x1234"])").message,
            "unknown account");
}

class ShortHistory : public MethodsTest {
 protected:
  ShortHistory() : MethodsTest({.history_blocks = 130, .logs_range_max = 50}) {}
};

TEST_F(ShortHistory, OldBlocksAreGoneAndSaidToBe) {
  EXPECT_TRUE(ask("anvil_mine", R"(["0xc8"])").is_null());
  EXPECT_EQ(text("eth_blockNumber"), "0xc8");
  EXPECT_TRUE(ask("eth_getBlockByNumber", R"(["0x46",false])").is_null());
  EXPECT_TRUE(ask("eth_getBlockByNumber", R"(["0x47",false])").is_object());
  EXPECT_TRUE(ask("eth_getBlockByNumber", R"(["earliest",false])").is_object());
  EXPECT_EQ(refused("eth_getLogs", R"([{"fromBlock":"0x1","toBlock":"0x10"}])").code, 4444);
  EXPECT_EQ(refused("eth_getLogs", R"([{"fromBlock":"0x50","toBlock":"latest"}])").code, -32005);
  for (const char* range :
       {R"([{"fromBlock":"0xa0","toBlock":"0xff"}])", R"([{"fromBlock":"0xc9","toBlock":"0xc9"}])"}) {
    EXPECT_EQ(refused("eth_getLogs", range).message, "block range extends beyond current head block");
    EXPECT_EQ(refused("eth_getLogs", range).code, -32602);
  }
  EXPECT_THAT(refused("eth_getBalance", "[\"" + chain_.accounts()[0].address + R"(","earliest"])").message,
              HasSubstr("is not available"));
}

}  // namespace
}  // namespace fanfare::devchain
