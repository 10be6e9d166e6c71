#include "eth/filter_index.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::eth {
namespace {

// The order in which dimensions with alternatives are taken into a shape: topic 0, the event's name, is
// shared by the most filters and comes last.
constexpr std::array<std::size_t, 5> kByWorth = {0, 2, 3, 4, 1};
// A filter may stand in this many places, or in twice as many as it has alternatives.
constexpr std::size_t kPlacesAlwaysAllowed = 64;

std::size_t alternatives(const LogFilter& filter, std::size_t dimension) {
  return dimension == 0 ? filter.addresses.size() : filter.topics[dimension - 1].size();
}

// One round of a 64-bit mixer (a multiply and a shift each way); the values are keyed hashes already.
std::uint64_t combine(std::uint64_t key, std::uint64_t value, std::size_t dimension) {
  key ^= value + 0x9E3779B97F4A7C15U * (dimension + 1);
  key *= 0xFF51AFD7ED558CCDU;
  return key ^ (key >> 32U);
}

}  // namespace

FilterIndex::Shape FilterIndex::choose_shape(const LogFilter& filter) {
  std::size_t total = 0;
  Shape shape = 0;
  for (std::size_t dimension = 0; dimension < kDimensions; ++dimension) {
    const std::size_t count = alternatives(filter, dimension);
    total += count;
    if (count == 1) shape |= 1U << dimension;  // multiplies nothing
  }
  const std::size_t places_max = std::max(kPlacesAlwaysAllowed, 2 * total);
  std::size_t places = 1;
  for (const std::size_t dimension : kByWorth) {
    const std::size_t count = alternatives(filter, dimension);
    if (count < 2 || places * count > places_max) continue;
    places *= count;
    shape |= 1U << dimension;
  }
  return shape;
}

std::uint64_t FilterIndex::hash_value(Bytes value) const {
  return siphash128(secret_, value).low;
}

template <typename Use>
void FilterIndex::for_each_key(const Stored& stored, Use&& use) const {
  std::vector<std::uint64_t> keys = {stored.shape};
  for (std::size_t dimension = 0; dimension < kDimensions; ++dimension) {
    if ((stored.shape >> dimension & 1U) == 0) continue;
    std::vector<std::uint64_t> longer;
    longer.reserve(keys.size() * alternatives(stored.filter, dimension));
    const auto extend = [&](Bytes value) {
      const std::uint64_t hash = hash_value(value);
      for (const std::uint64_t key : keys) longer.push_back(combine(key, hash, dimension));
    };
    if (dimension == 0) {
      for (const Address& address : stored.filter.addresses) extend(address.bytes);
    } else {
      for (const Hash256& topic : stored.filter.topics[dimension - 1]) extend(topic.bytes);
    }
    keys = std::move(longer);
  }
  // Two combinations may have one hash: a filter stands under it once, or it would match twice.
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  for (const std::uint64_t key : keys) use(key);
}

void FilterIndex::add(FilterId id, LogFilter filter) {
  if (id >= filters_.size()) filters_.resize(std::size_t{id} + 1);
  Stored& stored = filters_[id];
  FANFARE_CHECK(!stored.used);
  stored.shape = choose_shape(filter);
  stored.filter = std::move(filter);
  stored.used = true;
  ++size_;
  ++filters_of_shape_[stored.shape];
  for_each_key(stored, [&](std::uint64_t key) {
    std::uint32_t place = 0;
    if (free_entries_.empty()) {
      place = static_cast<std::uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      place = free_entries_.back();
      free_entries_.pop_back();
    }
    const auto [head, is_first] = heads_.try_emplace(key, place);
    entries_[place] = {.filter = id, .next = is_first ? kNone : head->second};
    head->second = place;
  });
}

void FilterIndex::remove(FilterId id) {
  FANFARE_CHECK(id < filters_.size() && filters_[id].used);
  Stored stored = std::exchange(filters_[id], Stored{});
  --size_;
  --filters_of_shape_[stored.shape];
  for_each_key(stored, [&](std::uint64_t key) {
    const auto head = heads_.find(key);
    std::uint32_t* link = &head->second;
    while (entries_[*link].filter != id) link = &entries_[*link].next;
    const std::uint32_t place = *link;
    *link = entries_[place].next;
    free_entries_.push_back(place);
    if (head->second == kNone) heads_.erase(head);
  });
}

void FilterIndex::match(const LogKey& log, std::vector<FilterId>& out) const {
  if (size_ == 0) return;
  std::array<std::uint64_t, kDimensions> hashes{};
  hashes[0] = hash_value(log.address.bytes);
  for (std::size_t i = 0; i < log.topic_count; ++i) hashes[i + 1] = hash_value(log.topics[i].bytes);
  const Shape open = ~((Shape{1} << (log.topic_count + 1U)) - 1U);  // dimensions this log does not have

  for (Shape shape = 0; shape < filters_of_shape_.size(); ++shape) {
    if (filters_of_shape_[shape] == 0 || (shape & open) != 0) continue;
    std::uint64_t key = shape;
    for (std::size_t dimension = 0; dimension < kDimensions; ++dimension) {
      if ((shape >> dimension & 1U) != 0) key = combine(key, hashes[dimension], dimension);
    }
    const auto head = heads_.find(key);
    if (head == heads_.end()) continue;
    for (std::uint32_t place = head->second; place != kNone; place = entries_[place].next) {
      ++candidates_;
      const FilterId id = entries_[place].filter;
      // The shape is checked too: by chance a filter of another one might stand under the same key, and
      // would be found twice.
      if (filters_[id].shape == shape && filters_[id].filter.matches(log)) out.push_back(id);
    }
  }
}

}  // namespace fanfare::eth
