#pragma once
// A cache of answers that cannot change (settled.h); the least recently used are evicted first. No I/O; one
// thread.
//
// Stores the raw `result` without the surrounding answer, whose id is the caller's. A result of `null` is not
// cached: a missing object may appear later.

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/shared_bytes.h"

namespace fanfare::upstream {

struct AnswerCacheLimits {
  std::size_t bytes_max = std::size_t{64} << 20;        // keys, answers and the cache's own records
  std::size_t answer_bytes_max = std::size_t{1} << 20;  // a longer one is not kept
};

class AnswerCache {
 public:
  explicit AnswerCache(AnswerCacheLimits limits = {}) : limits_(limits) {}

  // The raw result cached for the key (request_key()); marks it as just used.
  std::optional<SharedBytes> find(std::string_view key);
  // Caches `result_raw` and replaces the key's old result. False if it is not worth caching.
  bool put(std::string_view key, SharedBytes result_raw);
  // For a restarted development chain, which replaces even final blocks.
  void clear();

  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    std::string key;
    SharedBytes result;
  };
  using Entries = std::list<Entry>;
  static std::size_t cost(const Entry& entry);
  void remove(Entries::iterator entry);

  AnswerCacheLimits limits_;
  Entries entries_;                                                 // the most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // views into entries_
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
};

}  // namespace fanfare::upstream
