#pragma once
// Finds the log filters, among many, that match a log. The cost grows with the matches, not with the filters.
//
// A filter fixes some of five dimensions (address, topics 0 to 3) and leaves the others open. The fixed
// dimensions are its shape, one of 32. Filters of one shape share a hash table; the key is all their fixed
// values together:
//
//   shape {address, topic 2}:  hash(USDC, alice) -> [7]   hash(USDC, bob) -> [8, 31]   ...
//
// A log is looked up once for each shape in use, so a hundred thousand filters on one address, each for its
// own account, cost one lookup. A filter with alternatives has an entry for each combination of them. If
// there are many more combinations than alternatives, it leaves out dimensions and is checked more often.
// LogFilter::matches checks every candidate in any case.
//
// The index learns which dimensions are the most selective. It begins with a fixed order (topic 0, the
// event's name, last). Where kCrowdMax filters share one key, the next filter looks for a less crowded
// dimension. So sixty thousand filters on a busy address cost the caller of add(), not every log. A filter
// that was checked kMissesMax times without a match moves to the dimension that rejected it most often. Each
// move needs twice as many misses as the one before, and few filters move per log.
//
// Two rules avoid candidates that cannot match. A shape also includes the number of topics that the filter
// requires. A filter whose block range has not begun, or has passed, is in no table.
//
// Values are hashed with a secret key, so that clients cannot choose filters that collide. One thread.

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
  using FilterId = std::uint32_t;  // chosen by the caller: small numbers, reused after remove()

  explicit FilterIndex(const Salt& secret) : secret_(secret) {}

  // `id` must not be in the index.
  void add(FilterId id, LogFilter filter);
  void remove(FilterId id);

  // `id` must be in the index. The reference is valid until the next add() or remove().
  const LogFilter& filter(FilterId id) const { return filters_[id].filter; }

  // Appends the ids of all matching filters, each once, in no order. Returns the cost, for callers that split
  // their work into steps: the number of filters checked, plus kLooksPerMove for each filter that moved.
  std::size_t match(const LogKey& log, std::vector<FilterId>& out);

  std::size_t size() const { return size_; }
  // Filters checked by match() so far. Compared with size(), it shows what the index saves.
  std::uint64_t candidates() const { return candidates_; }

  static constexpr std::uint32_t kMissesMax = 32;
  static constexpr std::size_t kMovesPerLogMax = 64;
  static constexpr std::size_t kLooksPerMove = 32;  // the cost of a move, in filter checks
  static constexpr std::uint32_t kCrowdMax = 256;

 private:
  static constexpr std::size_t kDimensions = 1 + kTopicPositionsMax;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  // Bit 0: address; bit 1 + i: topic i; the bits above: how many topics the log must have.
  using Shape = std::uint32_t;
  static constexpr std::size_t kShapes = (1U << kDimensions) * (kTopicPositionsMax + 1);

  struct Stored {
    LogFilter filter;
    Shape shape = 0;
    std::uint32_t places = kNone;  // the first entry of the filter's own list
    bool used = false;
    bool parked = false;  // in no table
    // Failed checks since the last move, by the first dimension that did not match.
    std::array<std::uint32_t, kDimensions> turned_away{};
    std::uint32_t misses = 0;
    std::uint32_t misses_to_move = kMissesMax;
  };
  // A filter's entry in a table. All entries are in one pool. Each is in a doubly linked list per key, so
  // that removal takes constant time even among sixty thousand, and in a list of its filter.
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
  // How many filters share the most crowded key that this filter would have in this shape.
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
  std::vector<FilterId> to_move_;  // collected for one log
  std::vector<FilterId> to_park_;  // collected for one log
};

}  // namespace fanfare::eth
