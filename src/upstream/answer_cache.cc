#include "upstream/answer_cache.h"

#include <iterator>
#include <utility>

namespace fanfare::upstream {
namespace {
// The approximate memory of an entry beside its bytes: two nodes, a bucket and the block's head.
constexpr std::size_t kEntryOverheadBytes = 160;
}  // namespace

std::size_t AnswerCache::cost(const Entry& entry) {
  return entry.key.size() + entry.result.size() + kEntryOverheadBytes;
}

std::optional<SharedBytes> AnswerCache::find(std::string_view key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    ++misses_;
    return std::nullopt;
  }
  ++hits_;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->result;
}

bool AnswerCache::put(std::string_view key, SharedBytes result_raw) {
  if (result_raw.size() > limits_.answer_bytes_max || result_raw.empty()) return false;
  if (as_text(result_raw.view()) == "null") return false;
  if (const auto found = by_key_.find(key); found != by_key_.end()) remove(found->second);
  Entry entry{.key = std::string(key), .result = std::move(result_raw)};
  if (cost(entry) > limits_.bytes_max) return false;
  bytes_ += cost(entry);
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
  while (bytes_ > limits_.bytes_max) remove(std::prev(entries_.end()));
  return true;
}

void AnswerCache::clear() {
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
}

void AnswerCache::remove(Entries::iterator entry) {
  bytes_ -= cost(*entry);
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace fanfare::upstream
