#include "gateway/sent_transactions.h"

#include <gtest/gtest.h>

namespace fanfare::gateway {
namespace {

using namespace std::chrono_literals;

TEST(SentTransactions, RemembersWhoTookWhatForAWhile) {
  SentTransactions sent({.remembered_for = 10s, .senders_for = 5s});
  const Instant start{1h};
  sent.note("0xa", 1, start);
  sent.note("0xb", 0, start + 3s);
  EXPECT_EQ(sent.member_of("0xa", start + 10s), 1U);
  EXPECT_EQ(sent.member_of("0xa", start + 11s), std::nullopt);
  EXPECT_EQ(sent.member_of("0xc", start), std::nullopt);
  EXPECT_EQ(sent.members(start + 5s), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(sent.members(start + 6s), std::vector<std::size_t>{0});
  EXPECT_EQ(sent.members(start + 9s), std::vector<std::size_t>{});
}

TEST(SentTransactions, ForgetsTheOldestPastItsLimit) {
  SentTransactions sent({.transactions_max = 2});
  const Instant now{1h};
  sent.note("0xa", 0, now);
  sent.note("0xb", 0, now);
  EXPECT_EQ(sent.member_of("0xa", now), 0U);
  sent.note("0xc", 0, now);
  EXPECT_EQ(sent.member_of("0xa", now), std::nullopt);
  EXPECT_EQ(sent.member_of("0xb", now), 0U);
  EXPECT_EQ(sent.size(), 2U);
}

}  // namespace
}  // namespace fanfare::gateway
