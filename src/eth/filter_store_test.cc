#include "eth/filter_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace fanfare::eth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Hash256 hash_with(std::uint8_t digit) {
  Hash256 hash;
  hash.bytes.fill(digit);
  return hash;
}
std::string hash_text_with(std::uint8_t digit) {
  return '"' + to_hex(hash_with(digit)) + '"';
}
HeaderPtr header(std::uint64_t number, std::uint8_t digit) {
  return std::make_shared<const Header>(
      Header{.number = number, .hash = hash_with(digit), .parent_hash = hash_with(0)});
}
// One log for each digit, from the address of that digit.
BlockLogsPtr logs(std::uint64_t number, const std::string& digits) {
  BlockLogs all;
  for (const char digit : digits) {
    BlockLogs::Entry entry{.key = {.block_number = number}, .head_json = std::string("{\"a\":") + digit};
    entry.key.address.bytes.fill(static_cast<std::uint8_t>(digit - '0'));
    all.entries.push_back(std::move(entry));
  }
  return std::make_shared<const BlockLogs>(std::move(all));
}
std::string by_address(std::uint8_t digit) {
  Address address;
  address.bytes.fill(digit);
  return R"([{"address":")" + to_hex(address) + "\"}]";
}

struct FilterStoreTest : ::testing::Test {
  FilterStoreTest() { store.on_event(Baseline{header(100, 1)}); }
  std::string add(FilterKind kind, const std::string& params = "[]", const std::string& owner = "") {
    auto id = store.add(kind, params, owner, now);
    EXPECT_TRUE(id) << id.error().message;
    return "[\"" + id.value_or("") + "\"]";
  }
  std::string changes(const std::string& id) {
    auto answer = store.changes(id, now);
    return answer ? *answer : std::to_string(answer.error().code) + " " + answer.error().message;
  }
  void block(std::uint64_t number, std::uint8_t digit, const std::string& log_digits = "") {
    store.on_event(BlockAdded{.header = header(number, digit), .logs = logs(number, log_digits)});
  }
  void removed(std::uint64_t number, std::uint8_t digit, const std::string& log_digits = "") {
    store.on_event(BlockRemoved{.header = header(number, digit), .logs = logs(number, log_digits)});
  }

  SystemRandom random;
  FilterStore store{{.filters_max = 5,
                     .filters_per_owner_max = 2,
                     .criteria_bytes_max = 8000,
                     .criteria_bytes_per_owner_max = 4000,
                     .kept_bytes_max = 3000,
                     .changes_bytes_max = 140},
                    random};
  Instant now{std::chrono::hours(1)};
};

const std::string kNotFound = "-32000 filter not found";

TEST_F(FilterStoreTest, EachIsToldWhatCameSinceItWasAskedLast) {
  block(101, 2, "7");
  const std::string all = add(FilterKind::logs, "[{}]");
  const std::string sevens = add(FilterKind::logs, by_address(7));
  const std::string blocks = add(FilterKind::blocks);
  EXPECT_EQ(changes(all), "[]");
  block(102, 3, "78");
  EXPECT_EQ(changes(sevens), R"([{"a":7,"removed":false}])");
  block(103, 4, "9");
  EXPECT_EQ(changes(all), R"([{"a":7,"removed":false},{"a":8,"removed":false},{"a":9,"removed":false}])");
  EXPECT_EQ(changes(sevens), "[]");
  EXPECT_EQ(changes(blocks), "[" + hash_text_with(3) + "," + hash_text_with(4) + "]");
  EXPECT_EQ(changes(blocks), "[]");
  EXPECT_EQ(store.kept_bytes(), 0U);
}

TEST_F(FilterStoreTest, AReorgIsToldAsGethDoes) {
  const std::string all = add(FilterKind::logs, "[{}]");
  const std::string blocks = add(FilterKind::blocks);
  block(101, 2, "12");
  block(102, 3, "3");
  removed(102, 3, "3");
  removed(101, 2, "12");
  block(101, 4, "5");
  // More than fits into one answer: the rest comes with the next.
  EXPECT_EQ(changes(all), R"([{"a":1,"removed":false},{"a":2,"removed":false},{"a":3,"removed":false},)"
                          R"({"a":3,"removed":true},{"a":2,"removed":true},{"a":1,"removed":true}])");
  EXPECT_EQ(changes(all), R"([{"a":5,"removed":false}])");
  EXPECT_EQ(changes(blocks),
            "[" + hash_text_with(2) + "," + hash_text_with(3) + "," + hash_text_with(4) + "]");
}

TEST_F(FilterStoreTest, ABlockThatComesBackBeforeAnyOtherStillStands) {
  const std::string blocks = add(FilterKind::blocks);
  const std::string all = add(FilterKind::logs, "[{}]");
  block(101, 2, "1");
  removed(101, 2, "1");
  block(101, 2, "1");
  EXPECT_EQ(changes(blocks), "[" + hash_text_with(2) + "]");
  EXPECT_EQ(changes(all), R"([{"a":1,"removed":false},{"a":1,"removed":true},{"a":1,"removed":false}])");
}

// A fork that begins below the first block that was followed.
TEST_F(FilterStoreTest, LateLogsOfAForkBelowWhatWasKnownReachEveryFilter) {
  const std::string first = add(FilterKind::logs, "[{}]");
  store.on_event(BlockAdded{.header = header(101, 2), .logs = nullptr});
  const std::string waiting = add(FilterKind::logs, "[{}]");  // for the logs of 101
  store.on_event(BlockRemoved{.header = header(101, 2), .logs = nullptr});
  store.on_event(BlockAdded{.header = header(99, 3), .logs = nullptr});
  store.on_event(BlockLogsLate{.header = header(99, 3), .logs = logs(99, "7")});
  EXPECT_EQ(changes(first), R"([{"a":7,"removed":false}])");
  EXPECT_EQ(changes(waiting), R"([{"a":7,"removed":false}])");
}

TEST_F(FilterStoreTest, PendingHashesAndWholeTransactions) {
  const std::string hashes = add(FilterKind::pending_hashes);
  const std::string bodies = add(FilterKind::pending_bodies);
  EXPECT_EQ(store.interest().pending, PendingWanted::bodies);
  store.on_event(PendingHash{"0x1"});
  store.on_event(PendingBody{.hash = "0x1", .transaction_json = "{}"});
  store.on_event(PendingMissed{.bodies_only = true, .why = "", .detail = {}});
  EXPECT_EQ(changes(hashes), R"(["0x1"])");
  EXPECT_EQ(changes(bodies), kNotFound);
  store.on_event(PendingMissed{.bodies_only = false, .why = "", .detail = {}});
  EXPECT_EQ(changes(hashes), kNotFound);
  EXPECT_EQ(store.interest(), Interest{});
}

TEST_F(FilterStoreTest, WhatThereIsNoRoomForIsToldTheNextTime) {
  const std::string blocks = add(FilterKind::blocks);
  block(101, 2);
  std::size_t asked_for = 0;
  const auto none = store.changes(blocks, now, [&](std::size_t bytes) {
    asked_for = bytes;
    return false;
  });
  EXPECT_EQ(none.error().code, 0);
  const std::string all = changes(blocks);
  EXPECT_EQ(all, "[" + hash_text_with(2) + "]");
  EXPECT_EQ(asked_for, all.size());
  EXPECT_EQ(changes(blocks), "[]");
}

TEST_F(FilterStoreTest, AHoleEndsTheFiltersThatMissSomething) {
  const std::string all = add(FilterKind::logs, "[{}]");
  const std::string blocks = add(FilterKind::blocks);
  store.on_event(LogsMissing{.header = header(101, 2), .why = "no"});
  block(101, 2);
  EXPECT_EQ(changes(all), kNotFound);
  EXPECT_EQ(changes(blocks), "[" + hash_text_with(2) + "]");
  store.on_event(Gap{.first = 102, .last = 200});
  EXPECT_EQ(changes(blocks), kNotFound);
  const std::string later = add(FilterKind::blocks);
  block(201, 3);
  EXPECT_EQ(changes(later), "[" + hash_text_with(3) + "]");
}

TEST_F(FilterStoreTest, WhoIsTooFarBehindIsGoneAndTheOthersAreNot) {
  const std::string slow = add(FilterKind::blocks);
  const std::string fast = add(FilterKind::blocks);
  for (std::uint8_t i = 1; i <= 11; ++i) block(100 + i, i);  // 256 bytes each, 3,000 at most
  EXPECT_NE(changes(fast), kNotFound);
  block(112, 12);
  EXPECT_LE(store.kept_bytes(), 3000U);
  EXPECT_EQ(changes(slow), kNotFound);
  while (changes(fast) != "[]") {
  }
  block(113, 13);
  EXPECT_EQ(changes(fast), "[" + hash_text_with(13) + "]");
}

TEST_F(FilterStoreTest, AFilterNobodyAsksGoesAway) {
  const std::string idle = add(FilterKind::blocks);
  const std::string used = add(FilterKind::logs, "[{}]");
  EXPECT_EQ(store.next_expiry(), now + minutes(5));
  now += minutes(4);
  EXPECT_EQ(changes(used), "[]");
  now += minutes(1) - seconds(1);
  store.expire(now);
  EXPECT_EQ(store.size(), 2U);
  now += seconds(1);
  store.expire(now);
  EXPECT_EQ(store.size(), 1U);
  EXPECT_EQ(changes(idle), kNotFound);
  EXPECT_TRUE(store.logs_query(used, now));
  now += minutes(5) - seconds(1);
  EXPECT_EQ(changes(used), "[]");
}

TEST_F(FilterStoreTest, WhatBecomesOfThemIsCounted) {
  add(FilterKind::blocks, "[]", "a");
  const std::string removed = add(FilterKind::blocks, "[]", "a");
  EXPECT_FALSE(store.add(FilterKind::blocks, "[]", "a", now));   // a third one
  EXPECT_FALSE(store.add(FilterKind::blocks, "[1]", "a", now));  // no limit
  EXPECT_TRUE(store.remove(removed));
  EXPECT_FALSE(*store.remove(removed));
  const std::string holed = add(FilterKind::pending_hashes);
  store.on_event(PendingMissed{.why = "lost"});
  EXPECT_EQ(changes(holed), "-32000 filter not found");
  EXPECT_EQ(store.size(), 1U);
  now += minutes(5);
  store.expire(now);
  EXPECT_EQ(store.size(), 0U);
  const FilterCounters& counted = store.counters();
  EXPECT_EQ(counted.created, 3U);
  EXPECT_EQ(counted.refused, 1U);
  EXPECT_EQ(counted.removed, 1U);
  EXPECT_EQ(counted.lost, 1U);
  EXPECT_EQ(counted.expired, 1U);
}

TEST_F(FilterStoreTest, LimitsOfOneOwnerAndOfAll) {
  add(FilterKind::blocks, "[]", "1.2.3.4");
  const std::string second = add(FilterKind::blocks, "[]", "1.2.3.4");
  EXPECT_EQ(store.add(FilterKind::blocks, "[]", "1.2.3.4", now).error().code, -32005);
  EXPECT_TRUE(store.remove(second).value());
  add(FilterKind::blocks, "[]", "1.2.3.4");
  for (int i = 0; i < 3; ++i) add(FilterKind::blocks);
  EXPECT_EQ(store.add(FilterKind::blocks, "[]", "5.6.7.8", now).error().code, -32005);
}

TEST_F(FilterStoreTest, AlternativesAreCountedPerOwnerAndForAll) {
  std::string many = R"([{"address":[)";
  for (int i = 0; i < 60; ++i) many += (i > 0 ? ",\"0x" : "\"0x") + std::string(40, 'a') + '"';
  many += "]}]";  // some 2,700 bytes of text, kept for eth_getFilterLogs
  add(FilterKind::logs, many, "1.2.3.4");
  EXPECT_EQ(store.add(FilterKind::logs, many, "1.2.3.4", now).error().code, -32005);
  add(FilterKind::logs, many, "5.6.7.8");
  EXPECT_EQ(store.add(FilterKind::logs, many, "9.9.9.9", now).error().code, -32005);
}

TEST_F(FilterStoreTest, ItsOwnRangeIsWhatGetLogsIsAskedFor) {
  const std::string range = add(FilterKind::logs, R"([{"fromBlock":"0x1","toBlock":"0x66"}])");
  EXPECT_EQ(store.logs_query(range, now).value(), R"([{"fromBlock":"0x1","toBlock":"0x66"}])");
  block(102, 2, "1");
  block(103, 3, "2");  // past toBlock
  EXPECT_EQ(changes(range), R"([{"a":1,"removed":false}])");
  EXPECT_EQ(store.logs_query(add(FilterKind::blocks), now).error().message, "filter not found");
}

TEST_F(FilterStoreTest, BadParametersSayWhatIsWrong) {
  const auto code = [&](FilterKind kind, const std::string& params) {
    const auto id = store.add(kind, params, "", now);
    return id ? 0 : id.error().code;
  };
  EXPECT_EQ(code(FilterKind::logs, "[]"), -32602);
  EXPECT_EQ(code(FilterKind::logs, ""), -32602);
  EXPECT_EQ(code(FilterKind::logs, R"([{"toBlock":"0x64"}])"), -32602);
  EXPECT_EQ(code(FilterKind::logs, R"([{"fromBlock":"pending"}])"), -32602);
  EXPECT_EQ(code(FilterKind::logs, "[{},1]"), -32602);
  EXPECT_EQ(code(FilterKind::blocks, "[1]"), -32602);
  EXPECT_EQ(changes("[]"), "-32602 missing value for required argument 0");
  EXPECT_EQ(changes("[7]"), "-32602 invalid argument 0: a filter's id is a string");
  EXPECT_EQ(changes(R"(["0x1"])"), kNotFound);
  EXPECT_EQ(changes(R"(["garbage"])"), kNotFound);
  EXPECT_FALSE(store.remove(R"(["0x1"])").value());
  EXPECT_EQ(store.size(), 0U);
}

TEST_F(FilterStoreTest, IdsAre128BitsThatDoNotFollowEachOther) {
  const auto one = parse_subscription_id(store.add(FilterKind::blocks, "", "", now).value()).value();
  const auto two = parse_subscription_id(store.add(FilterKind::blocks, "", "", now).value()).value();
  EXPECT_NE(one.high, two.high);
  EXPECT_GT(two.low > one.low ? two.low - one.low : one.low - two.low, 1'000'000U);
  // Clients may send ids padded or trimmed.
  const std::string text = to_text(one);
  EXPECT_EQ(changes("[\"0x0" + text.substr(2) + "\"]"), "[]");
}

}  // namespace
}  // namespace fanfare::eth
