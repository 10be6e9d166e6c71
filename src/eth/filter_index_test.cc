#include "eth/filter_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"

namespace fanfare::eth {
namespace {

constexpr Salt kSecret = {1, 2, 3};

// Few different values, so that filters and logs meet often.
Address address(std::uint64_t which) {
  Address value;
  value.bytes[19] = static_cast<std::uint8_t>(which);
  value.bytes[18] = static_cast<std::uint8_t>(which >> 8U);
  return value;
}
Hash256 topic(std::uint64_t which) {
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

LogFilter random_filter(Random& random) {
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
  for (std::uint64_t i = how_many(); i > 0; --i) filter.addresses.push_back(address(random.below(6)));
  canonical(filter.addresses);
  filter.topic_positions = static_cast<std::uint8_t>(random.below(5));
  for (std::size_t position = 0; position < filter.topic_positions; ++position) {
    for (std::uint64_t i = how_many(); i > 0; --i) filter.topics[position].push_back(topic(random.below(20)));
    canonical(filter.topics[position]);
  }
  if (random.below(10) == 0) filter.from_block = random.below(20);
  return filter;
}

LogKey random_log(Random& random) {
  LogKey log{.address = address(random.below(6)), .block_number = random.below(20)};
  log.topic_count = static_cast<std::uint8_t>(random.below(5));
  for (std::size_t i = 0; i < log.topic_count; ++i) log.topics[i] = topic(random.below(20));
  return log;
}

class FilterIndexHistory : public testing::TestWithParam<std::uint64_t> {};

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
      model[id] = random_filter(random);
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

INSTANTIATE_TEST_SUITE_P(Seeds, FilterIndexHistory, testing::Range<std::uint64_t>(1, 31));

// The claim of the index, counted instead of timed: filters looked at, not filters held.
TEST(FilterIndex, LooksOnlyAtWhatMayMatch) {
  FilterIndex index(kSecret);
  constexpr std::uint32_t kMany = 20'000;
  for (std::uint32_t i = 0; i < kMany; ++i) {
    LogFilter filter;
    filter.addresses = {address(1)};  // all on one popular contract and event
    filter.topic_positions = 3;
    filter.topics[0] = {topic(1)};
    filter.topics[2] = {topic(1000 + i)};
    index.add(i, filter);
  }
  LogKey log{.address = address(1), .topic_count = 3};
  log.topics = {topic(1), topic(5), topic(1000 + 77), {}};
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
    filter.addresses.push_back(address(i));
    for (auto& position : filter.topics) position.push_back(topic(i));
  }
  canonical(filter.addresses);
  for (auto& position : filter.topics) canonical(position);
  index.add(0, filter);  // 10^15 combinations: must come back at once
  LogKey log{.address = address(999), .topic_count = 4};
  log.topics = {topic(1), topic(2), topic(3), topic(4)};
  std::vector<FilterIndex::FilterId> found;
  index.match(log, found);
  EXPECT_EQ(found.size(), 1U);
  log.topics[3] = topic(5000);
  found.clear();
  index.match(log, found);
  EXPECT_TRUE(found.empty());
}

}  // namespace
}  // namespace fanfare::eth
