#include "eth/filter_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"

namespace fanfare::eth {
namespace {

constexpr Salt kSecret = {1, 2, 3};

// Few distinct values, so that filters often match logs.
Address address_numbered(std::uint64_t which) {
  Address value;
  value.bytes[19] = static_cast<std::uint8_t>(which);
  value.bytes[18] = static_cast<std::uint8_t>(which >> 8U);
  return value;
}
Hash256 topic_numbered(std::uint64_t which) {
  Hash256 value;
  value.bytes[31] = static_cast<std::uint8_t>(which);
  value.bytes[30] = static_cast<std::uint8_t>(which >> 8U);
  value.bytes[29] = static_cast<std::uint8_t>(which >> 16U);
  return value;
}

template <typename Value>
void canonical(std::vector<Value>& values) {
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
}

LogFilter filter_at_random(Random& random) {
  LogFilter filter;
  const auto how_many = [&]() -> std::uint64_t {
    switch (random.below(8)) {
      case 0:
        return 2;
      case 1:
        return 1 + random.below(30);
      case 2:
      case 3:
        return 1;
      default:
        return 0;
    }
  };
  for (std::uint64_t i = how_many(); i > 0; --i)
    filter.addresses.push_back(address_numbered(random.below(6)));
  canonical(filter.addresses);
  filter.topic_positions = static_cast<std::uint8_t>(random.below(5));
  for (std::size_t position = 0; position < filter.topic_positions; ++position) {
    for (std::uint64_t i = how_many(); i > 0; --i)
      filter.topics[position].push_back(topic_numbered(random.below(20)));
    canonical(filter.topics[position]);
  }
  if (random.below(10) == 0) filter.from_block = random.below(20);
  return filter;
}

LogKey random_log(Random& random) {
  LogKey log{.address = address_numbered(random.below(6)), .block_number = random.below(20)};
  log.topic_count = static_cast<std::uint8_t>(random.below(5));
  for (std::size_t i = 0; i < log.topic_count; ++i) log.topics[i] = topic_numbered(random.below(20));
  return log;
}

class FilterIndexHistory : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FilterIndexHistory, FindsWhatThePlainMatcherFinds) {
  SeededRandom random(GetParam());
  FilterIndex index(kSecret);
  std::map<FilterIndex::FilterId, LogFilter> model;
  std::size_t matches = 0;
  for (int step = 0; step < 3000; ++step) {
    const auto id = static_cast<FilterIndex::FilterId>(random.below(200));
    if (model.erase(id) > 0) {
      index.remove(id);
    } else {
      model[id] = filter_at_random(random);
      index.add(id, model[id]);
    }
    if (step % 3 != 0) continue;
    const LogKey log = random_log(random);
    std::vector<FilterIndex::FilterId> expected;
    for (const auto& [key, filter] : model) {
      if (filter.matches(log)) expected.push_back(key);
    }
    std::vector<FilterIndex::FilterId> found;
    index.match(log, found);
    std::ranges::sort(found);
    ASSERT_EQ(found, expected) << "step " << step;
    matches += found.size();
  }
  EXPECT_GT(matches, 1000U);
  for (const auto& [id, filter] : model) index.remove(id);
  EXPECT_EQ(index.size(), 0U);
  std::vector<FilterIndex::FilterId> found;
  index.match(random_log(random), found);
  EXPECT_TRUE(found.empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, FilterIndexHistory, ::testing::Range<std::uint64_t>(1, 31));

// Checks the complexity by counting filters checked, not by time.
TEST(FilterIndex, LooksOnlyAtWhatMayMatch) {
  FilterIndex index(kSecret);
  constexpr std::uint32_t kMany = 20'000;
  for (std::uint32_t i = 0; i < kMany; ++i) {
    LogFilter filter;
    filter.addresses = {address_numbered(1)};  // all on one popular contract and event
    filter.topic_positions = 3;
    filter.topics[0] = {topic_numbered(1)};
    filter.topics[2] = {topic_numbered(1000 + i)};
    index.add(i, filter);
  }
  LogKey log{.address = address_numbered(1), .topic_count = 3};
  log.topics = {topic_numbered(1), topic_numbered(5), topic_numbered(1000 + 77), {}};
  std::vector<FilterIndex::FilterId> found;
  index.match(log, found);
  EXPECT_EQ(found, std::vector<FilterIndex::FilterId>{77});
  EXPECT_LE(index.candidates(), 2U);
}

TEST(FilterIndex, ManyAlternativesEverywhereCostTheFilterNotTheMemory) {
  FilterIndex index(kSecret);
  LogFilter filter;
  filter.topic_positions = 4;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    filter.addresses.push_back(address_numbered(i));
    for (auto& position : filter.topics) position.push_back(topic_numbered(i));
  }
  canonical(filter.addresses);
  for (auto& position : filter.topics) canonical(position);
  index.add(0, filter);  // 10^15 combinations: must return at once
  LogKey log{.address = address_numbered(999), .topic_count = 4};
  log.topics = {topic_numbered(1), topic_numbered(2), topic_numbered(3), topic_numbered(4)};
  std::vector<FilterIndex::FilterId> found;
  index.match(log, found);
  EXPECT_EQ(found.size(), 1U);
  log.topics[3] = topic_numbered(5000);
  found.clear();
  index.match(log, found);
  EXPECT_TRUE(found.empty());
}

TEST(FilterIndex, FiltersOnABusyAddressWithTopicsThatNeverComeSoonCostNothing) {
  // Each position has a dozen alternatives. The alternatives of one position include the value that every log
  // has.
  constexpr std::uint64_t kFilters = 5000;
  for (std::size_t busy = 0; busy < kTopicPositionsMax; ++busy) {
    FilterIndex index(kSecret);
    for (std::uint64_t i = 0; i < kFilters; ++i) {
      LogFilter filter;
      filter.addresses = {address_numbered(1)};
      filter.topic_positions = kTopicPositionsMax;
      for (std::size_t position = 0; position < kTopicPositionsMax; ++position) {
        for (std::uint64_t k = 0; k < 12; ++k) {
          filter.topics[position].push_back(
              topic_numbered(position == busy && k == 0 ? 7 : 1000 + i * 12 + k));
        }
        canonical(filter.topics[position]);
      }
      index.add(static_cast<FilterIndex::FilterId>(i), std::move(filter));
    }
    LogKey log{.address = address_numbered(1), .block_number = 1};
    log.topic_count = kTopicPositionsMax;
    log.topics.fill(topic_numbered(7));
    std::vector<FilterIndex::FilterId> found;
    for (int i = 0; i < 200; ++i) {
      // A crowded key is detected when filters are added, not when logs arrive.
      EXPECT_LE(index.match(log, found),
                2 * FilterIndex::kCrowdMax + FilterIndex::kMovesPerLogMax * FilterIndex::kLooksPerMove);
    }
    EXPECT_TRUE(found.empty());
    EXPECT_EQ(index.match(log, found), 0U) << "busy position " << busy;
    EXPECT_LE(index.candidates(), 2 * FilterIndex::kCrowdMax * (FilterIndex::kMissesMax + 10));
  }
}

TEST(FilterIndex, AFilterThatMovedIsStillFoundAndCanGo) {
  FilterIndex index(kSecret);
  LogFilter filter;
  filter.addresses = {address_numbered(1)};
  filter.topic_positions = 3;
  for (std::uint64_t k = 0; k < 60; ++k) filter.topics[1].push_back(topic_numbered(k));
  for (std::uint64_t k = 100; k < 160; ++k) filter.topics[2].push_back(topic_numbered(k));
  index.add(0, filter);
  LogKey log{.address = address_numbered(1), .block_number = 1};
  log.topic_count = 3;
  log.topics = {topic_numbered(9), topic_numbered(5), topic_numbered(5), {}};
  std::vector<FilterIndex::FilterId> found;
  for (std::uint32_t i = 0; i <= FilterIndex::kMissesMax; ++i) index.match(log, found);
  EXPECT_EQ(index.match(log, found), 0U);
  log.topics[2] = topic_numbered(105);
  index.match(log, found);
  EXPECT_EQ(found, std::vector<FilterIndex::FilterId>{0});
  index.remove(0);
  found.clear();
  EXPECT_EQ(index.match(log, found), 0U);
  EXPECT_EQ(index.size(), 0U);
}

TEST(FilterIndex, FiltersThatAskForMoreTopicsOrForOtherBlocksCostNothing) {
  FilterIndex index(kSecret);
  LogKey log{.address = address_numbered(1), .block_number = 50};
  log.topic_count = 3;
  FilterIndex::FilterId id = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    LogFilter filter;
    filter.addresses = {address_numbered(1)};
    if (i % 3 == 0) filter.topic_positions = 4;
    if (i % 3 == 1) filter.from_block = 1000 + i;
    if (i % 3 == 2) filter.to_block = 10 + i % 10;
    index.add(id++, std::move(filter));
  }
  std::vector<FilterIndex::FilterId> found;
  for (std::size_t i = 0; i < 100; i += FilterIndex::kMovesPerLogMax) index.match(log, found);
  EXPECT_EQ(index.match(log, found), 0U);
  EXPECT_TRUE(found.empty());
  // A reorg back into one block range, then on to the other filters' range.
  log.block_number = 15;
  index.match(log, found);
  EXPECT_EQ(found.size(), 50U);
  found.clear();
  log.block_number = 1149;
  index.match(log, found);
  EXPECT_EQ(found.size(), 50U);
  log.topic_count = 4;
  found.clear();
  index.match(log, found);
  EXPECT_EQ(found.size(), 150U);
  for (FilterIndex::FilterId one = 0; one < id; ++one) index.remove(one);
  found.clear();
  EXPECT_EQ(index.match(log, found), 0U);
}

}  // namespace
}  // namespace fanfare::eth
