#include "eth/pending_bodies.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace fanfare::eth {
namespace {

using std::chrono::milliseconds;

constexpr Instant kStart{std::chrono::hours(1)};

std::string taken(PendingBodies& bodies, Instant now) {
  std::string text;
  for (const PendingBodies::Body& body : bodies.take(now)) text += body.hash;
  return text;
}
std::string asked(PendingBodies& bodies, Instant now) {
  std::string text;
  for (const PendingBodies::Ask& ask : bodies.take_asks(now)) text += ask.hash + std::to_string(ask.serial);
  return text;
}

TEST(AsPending, TheBlockIsTakenOutAndNothingElseIsTouched) {
  EXPECT_EQ(as_pending(R"({"hash":"0x1","blockHash":"0xab", "blockNumber":"0x5","from":"0x2",)"
                       R"("transactionIndex":"0x0","blockTimestamp":"0x9","accessList":[{"a": 1}]})"),
            R"({"hash":"0x1","blockHash":null, "blockNumber":null,"from":"0x2",)"
            R"("transactionIndex":null,"blockTimestamp":null,"accessList":[{"a": 1}]})");
  EXPECT_EQ(as_pending(R"({"blockHash":null})"), R"({"blockHash":null})");
  EXPECT_EQ(as_pending(R"({"hash":"0x1"})"), R"({"hash":"0x1"})");
  EXPECT_EQ(as_pending(R"({"nested":{"blockHash":"0x1"}})"), R"({"nested":{"blockHash":"0x1"}})");
}

TEST(PendingBodies, AreToldInTheOrderOfTheirHashesWhateverTheOrderOfTheAnswers) {
  PendingBodies bodies({});
  for (const char* hash : {"a", "b", "c"}) bodies.add(hash);
  EXPECT_EQ(asked(bodies, kStart), "a0b1c2");
  bodies.known(2, "{}");
  bodies.known(1, "{}");
  EXPECT_EQ(taken(bodies, kStart), "");
  bodies.known(0, "{}");
  EXPECT_EQ(taken(bodies, kStart), "abc");
  EXPECT_FALSE(bodies.next_timer());
}

TEST(PendingBodies, OneThatTakesLongIsPassedAndToldWhenItComes) {
  PendingBodies bodies({.order_wait = milliseconds(2000)});
  for (const char* hash : {"a", "b"}) bodies.add(hash);
  asked(bodies, kStart);
  bodies.known(1, "{}");
  EXPECT_EQ(taken(bodies, kStart + milliseconds(1999)), "");
  EXPECT_EQ(bodies.next_timer(), kStart + milliseconds(2000));
  EXPECT_EQ(taken(bodies, kStart + milliseconds(2000)), "b");
  EXPECT_FALSE(bodies.next_timer());
  bodies.add("c");
  asked(bodies, kStart + milliseconds(2001));
  bodies.known(2, "{}");
  EXPECT_EQ(taken(bodies, kStart + milliseconds(2001)), "c");
  bodies.known(0, "{}");
  EXPECT_EQ(taken(bodies, kStart + milliseconds(2002)), "a");
}

TEST(PendingBodies, AFailedOneIsAskedAgainInItsPlaceAndThenGivenUp) {
  PendingBodies bodies({.attempts_max = 2});
  for (const char* hash : {"a", "b"}) bodies.add(hash);
  asked(bodies, kStart);
  bodies.known(1, "{}");
  EXPECT_FALSE(bodies.failed(0));
  EXPECT_EQ(taken(bodies, kStart), "");
  EXPECT_EQ(asked(bodies, kStart), "a0");
  EXPECT_TRUE(bodies.failed(0));
  EXPECT_EQ(taken(bodies, kStart), "b");
  EXPECT_FALSE(bodies.failed(0));  // already dropped
}

TEST(PendingBodies, NoMoreThanTheLimitsAreAskedForAndWait) {
  PendingBodies bodies({.in_flight_max = 1, .waiting_max = 2});
  for (const char* hash : {"a", "b", "c"}) bodies.add(hash);
  EXPECT_EQ(asked(bodies, kStart), "a0");
  EXPECT_EQ(bodies.drop_surplus(), 0U);
  bodies.add("d");
  EXPECT_EQ(bodies.drop_surplus(), 1U);  // b
  bodies.known(0, "{}");
  EXPECT_EQ(asked(bodies, kStart), "c2");
  EXPECT_EQ(taken(bodies, kStart), "a");
}

TEST(PendingBodies, OneThatCameWholeKeepsItsPlace) {
  PendingBodies bodies({});
  bodies.add("a");
  bodies.add("b", R"({"blockHash":"0x1"})");
  asked(bodies, kStart);
  EXPECT_EQ(taken(bodies, kStart), "");
  bodies.known(0, "{}");
  const auto all = bodies.take(kStart);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].transaction_json, R"({"blockHash":null})");
  bodies.add("c");
  bodies.clear();
  EXPECT_EQ(asked(bodies, kStart), "");
}

}  // namespace
}  // namespace fanfare::eth
