#include "eth/filter_index.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"

namespace fanfare::eth {
namespace {

// The order in which dimensions with alternatives are added to a shape. Topic 0, the event's name, is shared
// by the most filters and comes last.
constexpr std::array<std::size_t, 5> kByWorth = {0, 2, 3, 4, 1};
// A filter may have this many table entries, or twice as many as it has alternatives.
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

FilterIndex::Shape FilterIndex::choose_shape(const LogFilter& filter, const Misses& turned_away) {
  std::size_t total = 0;
  Shape shape = Shape{filter.topic_positions} << kDimensions;
  for (std::size_t dimension = 0; dimension < kDimensions; ++dimension) {
    const std::size_t count = alternatives(filter, dimension);
    total += count;
    if (count == 1) shape |= 1U << dimension;  // does not multiply the entries
  }
  const std::size_t places_max = std::max(kPlacesAlwaysAllowed, 2 * total);
  std::size_t places = 1;
  std::array<std::size_t, kDimensions> by_worth = kByWorth;
  std::ranges::stable_sort(by_worth, std::greater<>(),
                           [&](std::size_t dimension) { return turned_away[dimension]; });
  for (const std::size_t dimension : by_worth) {
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
void FilterIndex::for_each_key(const LogFilter& filter, Shape shape, Use&& use) const {
  std::vector<std::uint64_t> keys = {shape};
  for (std::size_t dimension = 0; dimension < kDimensions; ++dimension) {
    if ((shape >> dimension & 1U) == 0) continue;
    std::vector<std::uint64_t> longer;
    longer.reserve(keys.size() * alternatives(filter, dimension));
    const auto extend = [&](Bytes value) {
      const std::uint64_t hash = hash_value(value);
      for (const std::uint64_t key : keys) longer.push_back(combine(key, hash, dimension));
    };
    if (dimension == 0) {
      for (const Address& address : filter.addresses) extend(address.bytes);
    } else {
      for (const Hash256& topic : filter.topics[dimension - 1]) extend(topic.bytes);
    }
    keys = std::move(longer);
  }
  // Two combinations may have the same hash: the filter gets one entry for it, or it would match twice.
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  for (const std::uint64_t key : keys) use(key);
}

void FilterIndex::add(FilterId id, LogFilter filter) {
  if (id >= filters_.size()) filters_.resize(std::size_t{id} + 1);
  Stored& stored = filters_[id];
  FANFARE_CHECK(!stored.used);
  stored.filter = std::move(filter);
  stored.used = true;
  ++size_;
  if (stored.filter.from_block.value_or(0) > block_) {
    stored.parked = true;
    not_yet_.emplace(*stored.filter.from_block, id);
  } else {
    insert(id);
  }
}

// Filters whose range begins or ends with a block from `first` to `last` may match again.
void FilterIndex::unpark(std::multimap<std::uint64_t, FilterId>& parked, std::uint64_t first,
                         std::uint64_t last) {
  const auto begin = parked.lower_bound(first);
  auto end = begin;
  for (; end != parked.end() && end->first <= last; ++end) {
    filters_[end->second].parked = false;
    insert(end->second);
  }
  parked.erase(begin, end);
}

void FilterIndex::forget(std::multimap<std::uint64_t, FilterId>& parked, std::uint64_t number, FilterId id) {
  auto [at, end] = parked.equal_range(number);
  at = std::find_if(at, end, [id](const auto& entry) { return entry.second == id; });
  if (at != end) parked.erase(at);
}

void FilterIndex::go_to_block(std::uint64_t number) {
  if (number > block_) unpark(not_yet_, block_, number);
  // The chain went back to another branch.
  if (number < block_) unpark(not_any_more_, number, block_);
  block_ = number;
}

std::uint32_t FilterIndex::crowd(const LogFilter& filter, Shape shape) const {
  std::uint32_t most = 0;
  for_each_key(filter, shape, [&](std::uint64_t key) {
    const auto head = heads_.find(key);
    if (head != heads_.end()) most = std::max(most, head->second.count);
  });
  return most;
}

// The usual shape. If that is crowded: the least crowded of the shapes that put another dimension first.
FilterIndex::Shape FilterIndex::find_room(const Stored& stored) const {
  const Shape usual = choose_shape(stored.filter, stored.turned_away);
  Shape best = usual;
  std::uint32_t least = crowd(stored.filter, usual);
  for (std::size_t dimension = 0; dimension < kDimensions && least >= kCrowdMax; ++dimension) {
    if (alternatives(stored.filter, dimension) < 2 || (usual >> dimension & 1U) != 0) continue;
    Misses first = stored.turned_away;
    first[dimension] = UINT32_MAX;
    const Shape shape = choose_shape(stored.filter, first);
    if (const std::uint32_t its = crowd(stored.filter, shape); its < least) {
      least = its;
      best = shape;
    }
  }
  return best;
}

void FilterIndex::insert(FilterId id) {
  Stored& stored = filters_[id];
  stored.shape = find_room(stored);
  ++filters_of_shape_[stored.shape];
  for_each_key(stored.filter, stored.shape, [&](std::uint64_t key) {
    std::uint32_t place = 0;
    if (free_entries_.empty()) {
      place = static_cast<std::uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      place = free_entries_.back();
      free_entries_.pop_back();
    }
    Head& head = heads_[key];
    entries_[place] = {.key = key, .filter = id, .next = head.first, .sibling = stored.places};
    if (head.first != kNone) entries_[head.first].previous = place;
    head.first = place;
    ++head.count;
    stored.places = place;
  });
}

void FilterIndex::remove(FilterId id) {
  FANFARE_CHECK(id < filters_.size() && filters_[id].used);
  const Stored& stored = filters_[id];
  if (stored.parked) {
    if (stored.filter.from_block) forget(not_yet_, *stored.filter.from_block, id);
    if (stored.filter.to_block) forget(not_any_more_, *stored.filter.to_block, id);
  } else {
    erase(id);
  }
  filters_[id] = Stored{};
  --size_;
}

void FilterIndex::erase(FilterId id) {
  Stored& stored = filters_[id];
  --filters_of_shape_[stored.shape];
  for (std::uint32_t place = std::exchange(stored.places, kNone); place != kNone;) {
    const Entry entry = entries_[place];
    const auto head = heads_.find(entry.key);
    if (entry.next != kNone) entries_[entry.next].previous = entry.previous;
    if (entry.previous != kNone) {
      entries_[entry.previous].next = entry.next;
    } else {
      head->second.first = entry.next;
    }
    if (--head->second.count == 0) heads_.erase(head);
    free_entries_.push_back(place);
    place = entry.sibling;
  }
}

// Finds the dimension that rejected the log: the first one whose lookup would have spared the check. Topics
// that the log does not have, and block ranges, count for no dimension.
bool FilterIndex::count_miss(FilterId id, const LogKey& log) {
  Stored& stored = filters_[id];
  const LogFilter& filter = stored.filter;
  std::size_t by = kDimensions;
  for (const std::size_t dimension : kByWorth) {
    if (alternatives(filter, dimension) < 2 || (stored.shape >> dimension & 1U) != 0) continue;
    const bool fits = dimension == 0 ? std::ranges::binary_search(filter.addresses, log.address)
                                     : dimension <= log.topic_count &&
                                           std::ranges::binary_search(filter.topics[dimension - 1],
                                                                      log.topics[dimension - 1]);
    if (!fits) by = dimension;
    if (!fits) break;
  }
  if (by == kDimensions) return false;
  ++stored.turned_away[by];
  return ++stored.misses >= stored.misses_to_move;
}

void FilterIndex::move(FilterId id) {
  Stored& stored = filters_[id];
  if (find_room(stored) != stored.shape) {
    erase(id);
    insert(id);
  }
  stored.turned_away = {};
  stored.misses = 0;
  stored.misses_to_move *= stored.misses_to_move < (1U << 30U) ? 2 : 1;
}

// Moves and parks the filters collected for one log. Returns how many there were.
std::size_t FilterIndex::tidy() {
  for (const FilterId id : to_move_) move(id);
  for (const FilterId id : to_park_) {
    erase(id);
    filters_[id].parked = true;
    not_any_more_.emplace(*filters_[id].filter.to_block, id);
  }
  const std::size_t count = to_move_.size() + to_park_.size();
  to_move_.clear();
  to_park_.clear();
  return count;
}

std::size_t FilterIndex::match(const LogKey& log, std::vector<FilterId>& out) {
  if (size_ == 0) return 0;
  if (log.block_number != block_) go_to_block(log.block_number);
  const std::uint64_t looked_at_before = candidates_;
  std::array<std::uint64_t, kDimensions> hashes{};
  hashes[0] = hash_value(log.address.bytes);
  for (std::size_t i = 0; i < log.topic_count; ++i) hashes[i + 1] = hash_value(log.topics[i].bytes);
  // Shapes are ordered by topic count: none with more topics than the log has can match.
  const Shape end = Shape{log.topic_count + 1U} << kDimensions;
  for (Shape shape = 0; shape < end; ++shape) {
    if (filters_of_shape_[shape] == 0) continue;
    std::uint64_t key = shape;
    for (std::size_t dimension = 0; dimension < kDimensions; ++dimension) {
      if ((shape >> dimension & 1U) != 0) key = combine(key, hashes[dimension], dimension);
    }
    const auto head = heads_.find(key);
    if (head == heads_.end()) continue;
    for (std::uint32_t place = head->second.first; place != kNone; place = entries_[place].next) {
      ++candidates_;
      const FilterId id = entries_[place].filter;
      // The shape is compared too: a filter of another shape may have the same key by chance, and would be
      // found twice.
      if (filters_[id].shape != shape) continue;
      if (filters_[id].filter.matches(log)) {
        out.push_back(id);
      } else if (filters_[id].filter.to_block.value_or(log.block_number) < log.block_number) {
        if (to_park_.size() < kMovesPerLogMax) to_park_.push_back(id);
      } else if (count_miss(id, log) && to_move_.size() < kMovesPerLogMax) {
        to_move_.push_back(id);
      }
    }
  }
  return static_cast<std::size_t>(candidates_ - looked_at_before) + kLooksPerMove * tidy();
}

}  // namespace fanfare::eth
