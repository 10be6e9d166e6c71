#include "eth/header.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::eth {
namespace {

const std::string kHash = "0x" + std::string(64, 'a');
const std::string kParent = "0x" + std::string(64, 'b');

std::string block(const std::string& more) {
  return R"({"hash":")" + kHash + R"(","number":"0x1B4","timestamp":"0x55ba467c","parentHash":")" + kParent +
         '"' + more + "}";
}

TEST(Header, KeepsTheMembersOfAHeadVerbatimAndNothingOfTheBody) {
  const auto header = parse_header(block(
      R"(,"transactions":[{"hash":"0x1"}],"uncles":[],"size":"0x21c","withdrawals":[],)"
      R"("totalDifficulty":"0x1","baseFeePerGas":null,"miner":"0xAbC","nonce":"0x00","extraData":"0x")"));
  ASSERT_TRUE(header) << header.error();
  EXPECT_EQ(header->json,
            R"({"hash":")" + kHash + R"(","parentHash":")" + kParent +
                R"(","miner":"0xAbC","number":"0x1B4","timestamp":"0x55ba467c","extraData":"0x",)"
                R"("nonce":"0x00","baseFeePerGas":null})");
  EXPECT_EQ(header->number, 436U);
  EXPECT_EQ(to_hex(header->hash), kHash);
  EXPECT_EQ(to_hex(header->parent_hash), kParent);
  EXPECT_EQ(header->timestamp_s, 0x55ba467cU);
}

TEST(Header, MembersNobodyKnowsYetFollowTheKnownOnes) {
  const auto header = parse_header(
      block(R"(,"slotNumber":"0x9","transactions":["0x1"],"blockAccessListHash":"0x8","l1":{"number":7},)"
            R"("size":"0x1","nonce":"0x00")"));
  ASSERT_TRUE(header) << header.error();
  EXPECT_EQ(header->json, R"({"hash":")" + kHash + R"(","parentHash":")" + kParent +
                              R"(","number":"0x1B4","timestamp":"0x55ba467c","nonce":"0x00",)"
                              R"("blockAccessListHash":"0x8","l1":{"number":7},"slotNumber":"0x9"})");
}

TEST(Header, EveryMemberOfAHeadOfTodayIsThere) {
  const std::string names[] = {"sha3Uncles",
                               "miner",
                               "stateRoot",
                               "transactionsRoot",
                               "receiptsRoot",
                               "logsBloom",
                               "difficulty",
                               "gasLimit",
                               "gasUsed",
                               "extraData",
                               "mixHash",
                               "nonce",
                               "baseFeePerGas",
                               "withdrawalsRoot",
                               "blobGasUsed",
                               "excessBlobGas",
                               "parentBeaconBlockRoot",
                               "requestsHash"};
  std::string more;
  for (const std::string& name : names) more += ",\"" + name + "\":\"0x7\"";
  const auto header = parse_header(block(more));
  ASSERT_TRUE(header);
  for (const std::string& name : names) {
    EXPECT_NE(header->json.find("\"" + name + "\":\"0x7\""), std::string::npos) << name;
  }
}

TEST(Header, TheBloomIsReadAndAMissingOneIsEmpty) {
  std::string bloom = "0x" + std::string(512, '0');
  bloom[3] = '1';
  const auto with = parse_header(block(R"(,"logsBloom":")" + bloom + '"'));
  ASSERT_TRUE(with);
  EXPECT_EQ(with->logs_bloom().value()[0], 1);
  EXPECT_EQ(with->logs_bloom().value()[255], 0);
  const auto without = parse_header(block(""));
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->logs_bloom());
}

TEST(Header, MalformedBlocksSayWhatIsWrong) {
  EXPECT_EQ(parse_header("null").error(), "block is not an object: null");
  EXPECT_EQ(parse_header("[1]").error(), "block is not an object: [1]");
  EXPECT_EQ(parse_header("{}").error(), "block without a usable number");
  EXPECT_EQ(parse_header(R"({"number":null})").error(), "block without a usable number: null");
  EXPECT_EQ(parse_header(R"({"number":12})").error(), "block without a usable number: 12");
  EXPECT_EQ(parse_header(R"({"number":"0x1","hash":null})").error(), "block without a usable hash: null");
  EXPECT_EQ(parse_header(block(R"(,"miner":{"a":1})")).error(), "block without a usable miner: {\"a\":1}");
}

}  // namespace
}  // namespace fanfare::eth
