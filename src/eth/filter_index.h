#pragma once
// Which of many log filters match a log, at a cost that follows the matches.
//
// A filter fixes some of five dimensions (address, topics 0 to 3) and leaves the others open; which ones is
// its shape, one of 32. Filters of one shape are in a hash table under the values they fix, all together:
//
//   shape {address, topic 2}:  hash(USDC, alice) -> [7]   hash(USDC, bob) -> [8, 31]   ...
//
// A log is looked up once for each shape in use, so a hundred thousand filters on one address, each for its
// own account, cost one lookup. A filter with alternatives stands under each combination of them; when those
// are many more than the alternatives themselves, it gives up dimensions (topic 0 first: the least telling)
// and what is found under the rest is checked. Every candidate is checked by LogFilter::matches in any case.
//
// Values are hashed with a secret, so that nobody can choose filters that collide. One thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "eth/log_filter.h"
#include "eth/subscription_id.h"

namespace fanfare::eth {

class FilterIndex {
 public:
  using FilterId = std::uint32_t;  // the caller's: small numbers, used again after remove()

  explicit FilterIndex(const Salt& secret) : secret_(secret) {}

  // `id` must not be in the index.
  void add(FilterId id, LogFilter filter);
  void remove(FilterId id);

  // Of an id that is in the index; good until the next add() or remove().
  const LogFilter& filter(FilterId id) const { return filters_[id].filter; }

  // Appends the ids of all filters that match, each once, in no order.
  void match(const LogKey& log, std::vector<FilterId>& out) const;

  std::size_t size() const { return size_; }
  // Filters looked at by match() so far: with size(), what the index saves.
  std::uint64_t candidates() const { return candidates_; }

 private:
  static constexpr std::size_t kDimensions = 1 + kTopicPositionsMax;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  using Shape = std::uint32_t;  // bit 0: address, bit 1 + i: topic i

  struct Stored {
    LogFilter filter;
    Shape shape = 0;
    bool used = false;
  };
  // One place of a filter in a table: a singly linked list per key, all in one pool.
  struct Entry {
    FilterId filter = 0;
    std::uint32_t next = kNone;
  };
  struct KeyHash {
    std::size_t operator()(std::uint64_t key) const noexcept { return static_cast<std::size_t>(key); }
  };

  static Shape choose_shape(const LogFilter& filter);
  std::uint64_t hash_value(Bytes value) const;
  // Calls use(key) for each combination of the alternatives of the filter's shape.
  template <typename Use>
  void for_each_key(const Stored& stored, Use&& use) const;

  Salt secret_;
  std::vector<Stored> filters_;
  std::unordered_map<std::uint64_t, std::uint32_t, KeyHash> heads_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_entries_;
  std::array<std::uint32_t, 1U << kDimensions> filters_of_shape_{};
  std::size_t size_ = 0;
  mutable std::uint64_t candidates_ = 0;
};

}  // namespace fanfare::eth
