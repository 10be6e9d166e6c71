#include "eth/logs_request.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

namespace fanfare::eth {
namespace {

using Strategy = LogsRequest::Strategy;

const std::string kHashOfBlock = "0x" + std::string(64, 'a');
const std::string kOther = "0x" + std::string(64, 'b');

Header header(bool with_bloom) {
  const std::string bloom = "0x" + std::string(512, with_bloom ? 'f' : '0');
  return parse_header(R"({"number":"0x10","hash":")" + kHashOfBlock + R"(","parentHash":")" + kOther +
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

TEST(LogsRequest, IsAskedInThreeWays) {
  EXPECT_EQ(LogsRequest::about(header(true), Strategy::by_hash).params_json,
            R"([{"blockHash":")" + kHashOfBlock + "\"}]");
  EXPECT_EQ(LogsRequest::about(header(true), Strategy::by_number).params_json,
            R"([{"fromBlock":"0x10","toBlock":"0x10"}])");
  EXPECT_EQ(LogsRequest::about(header(true), Strategy::by_number).method, "eth_getLogs");
  EXPECT_EQ(LogsRequest::about(header(true), Strategy::by_receipts).params_json,
            "[\"" + kHashOfBlock + "\"]");
  EXPECT_EQ(LogsRequest::about(header(true), Strategy::by_receipts).method, "eth_getBlockReceipts");
}

TEST(LogsRequest, TwelveTriesGoEveryWayToEveryMember) {
  for (std::uint32_t members = 1; members <= 3; ++members) {
    for (const Strategy first : {Strategy::by_hash, Strategy::by_number, Strategy::by_receipts}) {
      EXPECT_EQ(LogsRequest::strategy_after(first, 0), first);
      std::set<std::pair<std::uint32_t, Strategy>> asked;
      for (std::uint32_t tries = 0; tries < 12; ++tries) {
        asked.emplace(tries % members, LogsRequest::strategy_after(first, tries));
      }
      EXPECT_EQ(asked.size(), members * 3) << members << " members";
    }
  }
}

TEST(LogsRequest, LogsOfAnotherBlockOfTheSameHeightAreNotTaken) {
  EXPECT_FALSE(LogsRequest::read("[" + log(kOther, "0x0") + "]", Strategy::by_number, header(true)));
  EXPECT_FALSE(LogsRequest::read("[" + receipt(kOther, "[]") + "]", Strategy::by_receipts, header(true)));
  EXPECT_FALSE(LogsRequest::read("[" + receipt(kHashOfBlock, "[" + log(kOther, "0x0") + "]") + "]",
                                 Strategy::by_receipts, header(true)));
}

TEST(LogsRequest, RemovedLogsAreLeftOut) {
  const auto answer = LogsRequest::read("[" + log(kHashOfBlock, "0x0") + "," + log(kOther, "0x1", true) + "]",
                                        Strategy::by_hash, header(true));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->logs.entries.size(), 1U);
}

TEST(LogsRequest, ReceiptsHoldTheLogsOfAllTransactions) {
  const auto answer = LogsRequest::read(
      "[" + receipt(kHashOfBlock, "[" + log(kHashOfBlock, "0x0") + "]") + "," + receipt(kHashOfBlock, "[]") +
          "," + receipt(kHashOfBlock, "[" + log(kHashOfBlock, "0x1") + "," + log(kHashOfBlock, "0x2") + "]") +
          "]",
      Strategy::by_receipts, header(true));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->logs.entries.size(), 3U);
  EXPECT_FALSE(
      LogsRequest::read("[" + receipt(kHashOfBlock, "null") + "]", Strategy::by_receipts, header(true)));
}

// | way | bloom of the block | bloom trusted | receipts | doubtful |
TEST(LogsRequest, WhenAnEmptyAnswerIsDoubtful) {
  const auto doubtful = [](const std::string& json, Strategy strategy, bool says_logs, bool trusted) {
    const Header its_header = header(says_logs);
    return LogsRequest::is_doubtful(LogsRequest::read(json, strategy, its_header).value(), strategy,
                                    its_header, trusted);
  };
  EXPECT_TRUE(doubtful("[]", Strategy::by_hash, true, true));
  EXPECT_FALSE(doubtful("[]", Strategy::by_hash, false, true));
  EXPECT_FALSE(doubtful("[]", Strategy::by_hash, true, false));
  EXPECT_TRUE(doubtful("[]", Strategy::by_number, true, true));
  EXPECT_FALSE(doubtful("[]", Strategy::by_number, false, true));
  EXPECT_TRUE(doubtful("[]", Strategy::by_number, true, false)) << "nothing says that it is about this block";
  EXPECT_TRUE(doubtful("[]", Strategy::by_receipts, true, true));
  EXPECT_FALSE(doubtful("[" + receipt(kHashOfBlock, "[]") + "]", Strategy::by_receipts, true, true));
}

}  // namespace
}  // namespace fanfare::eth
