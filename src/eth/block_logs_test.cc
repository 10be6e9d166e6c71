#include "eth/block_logs.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::eth {
namespace {

const std::string kBlock = "0x" + std::string(64, 'c');
const std::string kAddress = "0x" + std::string(40, 'A');
const std::string kTopic = "0x" + std::string(64, '1');

std::string log_json(const std::string& index, const std::string& block = kBlock) {
  return R"({"logIndex":")" + index + R"(","blockTimestamp":"0x1","removed":false,"address":")" + kAddress +
         R"(","topics":[")" + kTopic + R"("],"data":"0x00","blockNumber":"0x5","transactionHash":"0x9",)" +
         R"("transactionIndex":"0x0","blockHash":")" + block + R"("})";
}

TEST(BlockLogs, KeepsTheMembersOfALogVerbatimKnownOrNot) {
  const auto logs = parse_block_logs("[" + log_json("0x0") + "]", parse_hash(kBlock).value());
  ASSERT_TRUE(logs) << logs.error();
  ASSERT_EQ(logs->entries.size(), 1U);
  const BlockLogs::Entry& entry = logs->entries[0];
  EXPECT_EQ(to_hex(entry.key.topics[0]), kTopic);
  EXPECT_EQ(entry.key.topic_count, 1);
  EXPECT_EQ(entry.key.block_number, 5U);
  const std::string head = R"({"address":")" + kAddress + R"(","topics":[")" + kTopic +
                           R"("],"data":"0x00","blockNumber":"0x5","transactionHash":"0x9",)" +
                           R"("transactionIndex":"0x0","blockHash":")" + kBlock +
                           R"(","logIndex":"0x0","blockTimestamp":"0x1")";
  std::string text;
  BlockLogs::append_json(entry, false, text);
  EXPECT_EQ(text, head + R"(,"removed":false})");
  text.clear();
  BlockLogs::append_json(entry, true, text);
  EXPECT_EQ(text, head + R"(,"removed":true})");
}

TEST(BlockLogs, AreInTheOrderOfTheBlock) {
  const auto logs =
      parse_block_logs("[" + log_json("0xa") + "," + log_json("0x9") + "," + log_json("0x0") + "]",
                       parse_hash(kBlock).value());
  ASSERT_TRUE(logs);
  EXPECT_NE(logs->entries[0].head_json.find(R"("logIndex":"0x0")"), std::string::npos);
  EXPECT_NE(logs->entries[2].head_json.find(R"("logIndex":"0xa")"), std::string::npos);
}

TEST(BlockLogs, NoLogsIsNoLogs) {
  const auto logs = parse_block_logs("[]", Hash256{});
  ASSERT_TRUE(logs);
  EXPECT_TRUE(logs->entries.empty());
}

TEST(BlockLogs, MalformedAnswersSayWhatIsWrong) {
  const Hash256 block = parse_hash(kBlock).value();
  EXPECT_EQ(parse_block_logs("null", block).error(), "logs are not an array: null");
  EXPECT_EQ(parse_block_logs("[7]", block).error(), "log without a usable address");
  const std::string other = "0x" + std::string(64, 'd');
  EXPECT_EQ(parse_block_logs("[" + log_json("0x0", other) + "]", block).error(),
            "log without a usable blockHash: \"" + other + '"');
  EXPECT_EQ(parse_block_logs("[" + log_json("") + "]", block).error(), "log without a usable logIndex: \"\"");
}

}  // namespace
}  // namespace fanfare::eth
