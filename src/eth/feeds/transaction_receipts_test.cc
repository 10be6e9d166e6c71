// The receipts of blocks on their way to filters.

#include "eth/feeds/transaction_receipts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "eth/subscription_manager_world.h"

namespace fanfare::eth {
namespace {

using worlds::Client;
using worlds::Loop;

ReceiptsKnown receipts_of(std::uint64_t number) {
  BlockReceipts receipts;
  receipts.entries.push_back({.transaction = {}, .json = R"({"n":)" + std::to_string(number) + "}"});
  return {.header = std::make_shared<const Header>(Header{.number = number}),
          .receipts = std::make_shared<const BlockReceipts>(std::move(receipts))};
}

TEST(TransactionReceipts, ComeOncePerBlockAndFilterAndRepeatsForOtherLoopsAreDropped) {
  Loop loop;
  Client all;
  Client none;
  loop.publish(Baseline{std::make_shared<const Header>(Header{.number = 1})});
  loop.subscribe(1, all, R"(["transactionReceipts"])");
  loop.subscribe(2, none,
                 R"(["transactionReceipts",{"transactionHashes":["0x)" + std::string(64, '7') + R"("]}])");
  EXPECT_TRUE(loop.manager.interest().receipts);
  EXPECT_EQ(loop.manager.interest().receipts_after->number, 1U);
  EXPECT_EQ(loop.publish(receipts_of(2)), 1U);
  EXPECT_EQ(loop.publish(receipts_of(2)), 0U);
  EXPECT_EQ(loop.publish(receipts_of(3)), 1U);
  ASSERT_EQ(all.got.size(), 2U);
  EXPECT_TRUE(all.got[1].ends_with(R"("result":[{"n":3}]}})"));
  EXPECT_TRUE(none.got.empty());
}

TEST(TransactionReceipts, ABlockWithoutThemEndsThoseThatHaveNoNoticeForIt) {
  Loop loop;
  Client with;
  Client without;
  loop.publish(Baseline{std::make_shared<const Header>(Header{.number = 1})});
  loop.subscribe(1, with, R"(["transactionReceipts",null,{"cursor":true}])");
  loop.subscribe(2, without, R"(["transactionReceipts"])");
  loop.publish(ReceiptsMissing{std::make_shared<const Header>(Header{.number = 2})});
  const auto aftermath = loop.manager.take_aftermath();
  ASSERT_EQ(aftermath.closing.size(), 1U);
  EXPECT_EQ(aftermath.closing[0].connections, std::vector<ConnectionKey>{2});
  EXPECT_NE(with.got.back().find(R"("fromBlock":"0x2","toBlock":"0x2","reason":"unavailable")"),
            std::string::npos);
  loop.publish(ReceiptsMissing{std::make_shared<const Header>(Header{.number = 2})});
  EXPECT_TRUE(loop.manager.take_aftermath().closing.empty());  // repeated for another loop
}

}  // namespace
}  // namespace fanfare::eth
