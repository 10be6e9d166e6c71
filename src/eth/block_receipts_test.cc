#include "eth/block_receipts.h"

#include <gtest/gtest.h>

#include <string>

#include "eth/receipt_filters.h"

namespace fanfare::eth {
namespace {

std::string hash_text(char digit) {
  return "0x" + std::string(64, digit);
}

std::string receipt(char transaction, char block = 'b') {
  return R"({"status":"0x1","transactionHash":")" + hash_text(transaction) + R"(","blockHash":")" +
         hash_text(block) + "\"}";
}

BlockReceipts receipts_of(const std::string& json) {
  return parse_block_receipts(json, *parse_hash(hash_text('b'))).value();
}

TEST(BlockReceipts, AreKeptAsTheNodeSentThemAndFilteredInTheBlocksOrder) {
  const BlockReceipts receipts =
      receipts_of("[" + receipt('3') + "," + receipt('1') + "," + receipt('2') + "]");
  EXPECT_EQ(matching_receipts(receipts, {}),
            "[" + receipt('3') + "," + receipt('1') + "," + receipt('2') + "]");
  const auto filter =
      parse_receipt_filter(R"({"transactionHashes":[")" + hash_text('1') + R"(",")" + hash_text('3') + "\"]}")
          .value();
  EXPECT_EQ(matching_receipts(receipts, filter), "[" + receipt('3') + "," + receipt('1') + "]");
  EXPECT_EQ(matching_receipts(receipts_of("[]"), {}), "");
}

TEST(BlockReceipts, OfAnotherBlockOrWithoutAHashAreRefused) {
  const Hash256 block = *parse_hash(hash_text('b'));
  EXPECT_FALSE(parse_block_receipts("null", block));
  EXPECT_FALSE(parse_block_receipts("[{}]", block));
  EXPECT_FALSE(parse_block_receipts("[" + receipt('1', 'c') + "]", block));
}

TEST(ReceiptFilter, TakesUpTo200TransactionsAndNothingMeansAll) {
  for (const char* const all :
       {"", "null", "{}", R"({"transactionHashes":null})", R"({"transactionHashes":[]})"}) {
    EXPECT_TRUE(parse_receipt_filter(all).value().transactions.empty()) << all;
  }
  std::string list;
  for (int i = 0; i < 200; ++i) list += (i > 0 ? ",\"" : "\"") + hash_text('a') + '"';
  EXPECT_EQ(parse_receipt_filter(R"({"transactionHashes":[)" + list + "]}").value().transactions.size(), 1U);
  EXPECT_EQ(
      parse_receipt_filter(R"({"transactionHashes":[)" + list + ",\"" + hash_text('b') + "\"]}").error(),
      "at most 200 transactionHashes");
  for (const char* const bad : {"[]", "7", R"({"transactionHashes":"0x1"})",
                                R"({"transactionHashes":["0x1"]})", R"({"transactionHashes":[null]})"}) {
    EXPECT_FALSE(parse_receipt_filter(bad)) << bad;
  }
}

TEST(ReceiptFilters, FindEachThatMatchesOnce) {
  ReceiptFilters filters;
  const auto filter_of = [](const std::string& first, const std::string& second) {
    return parse_receipt_filter(R"({"transactionHashes":[")" + first + R"(",")" + second + "\"]}").value();
  };
  filters.add(4, {});
  filters.add(2, filter_of(hash_text('1'), hash_text('2')));
  filters.add(7, filter_of(hash_text('2'), hash_text('9')));
  const BlockReceipts receipts = receipts_of("[" + receipt('1') + "," + receipt('2') + "]");
  EXPECT_EQ(filters.match(receipts), (std::vector<std::uint32_t>{2, 4, 7}));
  EXPECT_TRUE(filters.match(receipts_of("[]")).empty());
  filters.remove(2);
  EXPECT_EQ(filters.match(receipts), (std::vector<std::uint32_t>{4, 7}));
  filters.remove(7);
  filters.remove(4);
  EXPECT_TRUE(filters.match(receipts).empty());
  EXPECT_TRUE(filters.empty());
}

}  // namespace
}  // namespace fanfare::eth
