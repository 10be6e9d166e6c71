#include "eth/logs_question.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

namespace fanfare::eth {
namespace {

using Way = LogsQuestion::Way;

const std::string kHash = "0x" + std::string(64, 'a');
const std::string kOther = "0x" + std::string(64, 'b');

Header header(bool with_bloom) {
  const std::string bloom = "0x" + std::string(512, with_bloom ? 'f' : '0');
  return parse_header(R"({"number":"0x10","hash":")" + kHash + R"(","parentHash":")" + kOther +
                      R"(","timestamp":"0x1","logsBloom":")" + bloom + "\"}")
      .value();
}

std::string log(const std::string& block, const std::string& index, bool removed = false) {
  return R"({"address":"0x)" + std::string(40, '1') +
         R"(","topics":[],"data":"0x","blockNumber":"0x10","transactionHash":"0x1","transactionIndex":"0x0","blockHash":")" +
         block + R"(","logIndex":")" + index + R"(","removed":)" + (removed ? "true}" : "false}");
}

std::string receipt(const std::string& block, const std::string& logs) {
  return R"({"transactionHash":")" + kOther + R"(","blockHash":")" + block + R"(","logs":)" + logs + "}";
}

TEST(LogsQuestion, IsAskedInThreeWays) {
  EXPECT_EQ(LogsQuestion::about(header(true), Way::by_hash).params_json,
            R"([{"blockHash":")" + kHash + "\"}]");
  EXPECT_EQ(LogsQuestion::about(header(true), Way::by_number).params_json,
            R"([{"fromBlock":"0x10","toBlock":"0x10"}])");
  EXPECT_EQ(LogsQuestion::about(header(true), Way::by_number).method, "eth_getLogs");
  EXPECT_EQ(LogsQuestion::about(header(true), Way::by_receipts).params_json, "[\"" + kHash + "\"]");
  EXPECT_EQ(LogsQuestion::about(header(true), Way::by_receipts).method, "eth_getBlockReceipts");
}

TEST(LogsQuestion, TwelveTriesGoEveryWayToEveryMember) {
  for (std::uint32_t members = 1; members <= 3; ++members) {
    for (const Way first : {Way::by_hash, Way::by_number, Way::by_receipts}) {
      EXPECT_EQ(LogsQuestion::way_after(first, 0), first);
      std::set<std::pair<std::uint32_t, Way>> asked;
      for (std::uint32_t tries = 0; tries < 12; ++tries) {
        asked.emplace(tries % members, LogsQuestion::way_after(first, tries));
      }
      EXPECT_EQ(asked.size(), members * 3) << members << " members";
    }
  }
}

TEST(LogsQuestion, LogsOfAnotherBlockOfTheSameHeightAreNotTaken) {
  EXPECT_FALSE(LogsQuestion::read("[" + log(kOther, "0x0") + "]", Way::by_number, header(true)));
  EXPECT_FALSE(LogsQuestion::read("[" + receipt(kOther, "[]") + "]", Way::by_receipts, header(true)));
  EXPECT_FALSE(LogsQuestion::read("[" + receipt(kHash, "[" + log(kOther, "0x0") + "]") + "]",
                                  Way::by_receipts, header(true)));
}

TEST(LogsQuestion, RemovedLogsAreLeftOut) {
  const auto answer = LogsQuestion::read("[" + log(kHash, "0x0") + "," + log(kOther, "0x1", true) + "]",
                                         Way::by_hash, header(true));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->logs.entries.size(), 1U);
}

TEST(LogsQuestion, ReceiptsHoldTheLogsOfAllTransactions) {
  const auto answer = LogsQuestion::read(
      "[" + receipt(kHash, "[" + log(kHash, "0x0") + "]") + "," + receipt(kHash, "[]") + "," +
          receipt(kHash, "[" + log(kHash, "0x1") + "," + log(kHash, "0x2") + "]") + "]",
      Way::by_receipts, header(true));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->logs.entries.size(), 3U);
  EXPECT_FALSE(LogsQuestion::read("[" + receipt(kHash, "null") + "]", Way::by_receipts, header(true)));
}

// | way | bloom of the block | bloom trusted | receipts | doubtful |
TEST(LogsQuestion, WhenAnEmptyAnswerIsDoubtful) {
  const auto doubtful = [](const std::string& json, Way way, bool says_logs, bool trusted) {
    const Header its_header = header(says_logs);
    return LogsQuestion::is_doubtful(LogsQuestion::read(json, way, its_header).value(), way, its_header,
                                     trusted);
  };
  EXPECT_TRUE(doubtful("[]", Way::by_hash, true, true));
  EXPECT_FALSE(doubtful("[]", Way::by_hash, false, true));
  EXPECT_FALSE(doubtful("[]", Way::by_hash, true, false));
  EXPECT_TRUE(doubtful("[]", Way::by_number, true, true));
  EXPECT_FALSE(doubtful("[]", Way::by_number, false, true));
  EXPECT_TRUE(doubtful("[]", Way::by_number, true, false)) << "nothing says that it is about this block";
  EXPECT_TRUE(doubtful("[]", Way::by_receipts, true, true));
  EXPECT_FALSE(doubtful("[" + receipt(kHash, "[]") + "]", Way::by_receipts, true, true));
}

}  // namespace
}  // namespace fanfare::eth
