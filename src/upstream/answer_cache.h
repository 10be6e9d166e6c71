#pragma once
// The answers that cannot change (settled.h), the least recently used going first. No I/O; one thread.
//
// What is kept is the raw `result`, not the answer around it, whose id is the caller's. A result of `null` is
// not kept: "not there" may become "there".

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
  std::size_t bytes_max = std::size_t{64} << 20;        // keys, answers and our own records
  std::size_t answer_bytes_max = std::size_t{1} << 20;  // a longer one is not kept
};

class AnswerCache {
 public:
  explicit AnswerCache(AnswerCacheLimits limits = {}) : limits_(limits) {}

  // The raw result kept for the key (request_key()), which counts as used now.
  std::optional<SharedBytes> find(std::string_view key);
  // Keeps `result_raw`, in place of what the key had. False when it is not worth keeping.
  bool put(std::string_view key, SharedBytes result_raw);
  // After a restart of a development chain, when even final blocks are others.
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
