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
// are many more than the alternatives themselves, it gives up dimensions and what is found under the rest is
// checked. Every candidate is checked by LogFilter::matches in any case.
//
// Which dimensions tell the most is learnt. It begins with an order of experience (topic 0, the event's name,
// last). Where kCrowdMax filters stand under one key already, the next one looks for a dimension in which it
// stands more alone: sixty thousand filters on a busy address cost whoever adds them, not every log. A filter that was looked at kMissesMax times in vain moves to the dimension that turned it away most
// often. It moves at most once in twice as many misses as the time before, and few move for one log.
//
// Two more things would make filters candidates that cannot match: a shape is also told apart by how many
// topics the filter asks for, and a filter whose blocks have not come yet, or have passed, is in no table.
//
// Values are hashed with a secret, so that nobody can choose filters that collide. One thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
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

  // Appends the ids of all filters that match, each once, in no order. Returns how many were looked at, where a
  // filter that moved counts kLooksPerMove more: what the call cost, for those who cut their work into turns.
  std::size_t match(const LogKey& log, std::vector<FilterId>& out);

  std::size_t size() const { return size_; }
  // Filters looked at by match() so far: with size(), what the index saves.
  std::uint64_t candidates() const { return candidates_; }

  static constexpr std::uint32_t kMissesMax = 32;
  static constexpr std::size_t kMovesPerLogMax = 64;
  static constexpr std::size_t kLooksPerMove = 32;  // what moving costs, in filters that are looked at
  static constexpr std::uint32_t kCrowdMax = 256;

 private:
  static constexpr std::size_t kDimensions = 1 + kTopicPositionsMax;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  // Bit 0: address, bit 1 + i: topic i; above them how many topics the log must have.
  using Shape = std::uint32_t;
  static constexpr std::size_t kShapes = (1U << kDimensions) * (kTopicPositionsMax + 1);

  struct Stored {
    LogFilter filter;
    Shape shape = 0;
    std::uint32_t places = kNone;  // the first of its own list
    bool used = false;
    bool parked = false;  // in no table
    // Looked at in vain since it moved last, by the first dimension that did not fit.
    std::array<std::uint32_t, kDimensions> turned_away{};
    std::uint32_t misses = 0;
    std::uint32_t misses_to_move = kMissesMax;
  };
  // One place of a filter in a table, all in one pool: in a doubly linked list per key, so that one of sixty
  // thousand under the same key goes as fast as any, and in a list of the filter's own.
  struct Entry {
    std::uint64_t key = 0;
    FilterId filter = 0;
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
    std::uint32_t sibling = kNone;
  };
  // The list under one key.
  struct Head {
    std::uint32_t first = kNone;
    std::uint32_t count = 0;
  };
  struct KeyHash {
    std::size_t operator()(std::uint64_t key) const noexcept { return static_cast<std::size_t>(key); }
  };

  using Misses = std::array<std::uint32_t, kDimensions>;
  static Shape choose_shape(const LogFilter& filter, const Misses& turned_away);
  // How many filters stand under the most crowded of the keys that it would have in this shape.
  std::uint32_t crowd(const LogFilter& filter, Shape shape) const;
  Shape find_room(const Stored& stored) const;
  // Counts a candidate that did not match; true if it should move.
  bool count_miss(FilterId id, const LogKey& log);
  void move(FilterId id);
  std::size_t tidy();
  void go_to_block(std::uint64_t number);
  void unpark(std::multimap<std::uint64_t, FilterId>& parked, std::uint64_t first, std::uint64_t last);
  static void forget(std::multimap<std::uint64_t, FilterId>& parked, std::uint64_t number, FilterId id);
  void insert(FilterId id);
  void erase(FilterId id);
  std::uint64_t hash_value(Bytes value) const;
  // Calls use(key) for each combination of the filter's alternatives in the shape.
  template <typename Use>
  void for_each_key(const LogFilter& filter, Shape shape, Use&& use) const;

  Salt secret_;
  std::vector<Stored> filters_;
  std::unordered_map<std::uint64_t, Head, KeyHash> heads_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_entries_;
  std::array<std::uint32_t, kShapes> filters_of_shape_{};
  std::uint64_t block_ = 0;                              // of the last log
  std::multimap<std::uint64_t, FilterId> not_yet_;       // parked, by from_block
  std::multimap<std::uint64_t, FilterId> not_any_more_;  // parked, by to_block
  std::size_t size_ = 0;
  std::uint64_t candidates_ = 0;
  std::vector<FilterId> to_move_;  // of one log
  std::vector<FilterId> to_park_;  // likewise
};

}  // namespace fanfare::eth
