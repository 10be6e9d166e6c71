#include "upstream/coalescer.h"

#include <utility>

#include "base/check.h"

namespace fanfare::upstream {

std::string request_key(std::string_view method, std::string_view params_raw) {
  std::string key;
  key.reserve(method.size() + 1 + params_raw.size());
  key.append(method).push_back('\n');  // no method contains one unescaped
  const std::size_t params_at = key.size();
  bool in_string = false;
  for (std::size_t i = 0; i < params_raw.size(); ++i) {
    const char c = params_raw[i];
    if (in_string) {
      key.push_back(c);
      if (c == '\\' && i + 1 < params_raw.size()) key.push_back(params_raw[++i]);
      if (c == '"') in_string = false;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (c == '"') in_string = true;
    key.push_back(c);
  }
  const auto params = std::string_view(key).substr(params_at);
  if (params == "null" || params == "[]") key.resize(params_at);
  return key;
}

std::optional<Coalescer::Ticket> Coalescer::join(std::string_view key, Need need, Instant now,
                                                 Waiter waiter) {
  ++asked_;
  std::string owned(key);
  const auto [first, last] = by_key_.equal_range(owned);
  for (auto it = first; it != last; ++it) {
    Group& group = groups_.at(it->second);
    if (group.head_min < need.head_min || group.begun < need.begun_after) continue;
    if (group.waiters.size() >= limits_.waiters_max) continue;
    const bool is_queued = group.queue_time != nullptr && group.queue_time->waiting;
    if (is_queued && !group.caller.is_same_client(need.caller)) continue;
    group.waiters.push_back(std::move(waiter));
    if (need.traced != nullptr) need.traced->note_shared(group.traced);
    ++shared_;
    return std::nullopt;
  }
  const std::uint64_t serial = ++serial_;
  Group group{.key = owned,
              .head_min = need.head_min,
              .begun = now,
              .caller = std::move(need.caller),
              .queue_time = std::move(need.queue_time),
              .traced = std::move(need.traced),
              .waiters = {}};
  group.waiters.push_back(std::move(waiter));
  groups_.emplace(serial, std::move(group));
  by_key_.emplace(std::move(owned), serial);
  return Ticket{serial};
}

void Coalescer::finish(Ticket ticket, Result result) {
  const auto serial = static_cast<std::uint64_t>(ticket);
  auto node = groups_.extract(serial);
  FANFARE_CHECK(!node.empty());
  Group& group = node.mapped();
  const auto [first, last] = by_key_.equal_range(group.key);
  for (auto it = first; it != last; ++it) {
    if (it->second != serial) continue;
    by_key_.erase(it);
    break;
  }
  const SharedResult shared = std::make_shared<const Result>(std::move(result));
  for (Waiter& waiter : group.waiters) waiter(shared);
}

}  // namespace fanfare::upstream
