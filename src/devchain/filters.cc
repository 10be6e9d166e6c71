#include "devchain/filters.h"

#include <utility>

#include "devchain/render.h"

namespace fanfare::devchain {

std::optional<std::string> Filters::add(Kind kind, LogQuery query, Instant now, Random& random) {
  drop_idle(now);
  if (filters_.size() >= kFiltersMax) return std::nullopt;
  std::string id;
  do {
    id = quantity((static_cast<Wei>(random.next_u64()) << 64) | random.next_u64());
  } while (filters_.contains(id));
  filters_.emplace(id, Filter{.kind = kind, .query = std::move(query), .asked = now});
  return id;
}

bool Filters::remove(std::string_view id) {
  const auto found = filters_.find(id);
  if (found == filters_.end()) return false;
  clear(found->second);
  filters_.erase(found);
  return true;
}

std::optional<std::string> Filters::take(std::string_view id, Instant now) {
  const auto found = filters_.find(id);
  if (found == filters_.end()) return std::nullopt;
  Filter& filter = found->second;
  if (filter.overflowed) {
    filters_.erase(found);
    return std::nullopt;
  }
  filter.asked = now;
  std::string changes = json_array(filter.entries);
  clear(filter);
  return changes;
}

void Filters::clear(Filter& filter) {
  filter.entries = {};
  bytes_ -= std::exchange(filter.bytes, 0);
}

const Filters::LogQuery* Filters::log_query(std::string_view id) const {
  const auto found = filters_.find(id);
  if (found == filters_.end() || found->second.kind != Kind::logs) return nullptr;
  return &found->second.query;
}

void Filters::collect(Filter& filter, std::string entry) {
  if (filter.overflowed) return;
  const std::size_t bytes = entry.size() + sizeof(std::string);
  if (filter.entries.size() >= kEntriesMax || filter.bytes + bytes > kFilterBytesMax ||
      bytes_ + bytes > kBytesMax) {
    filter.overflowed = true;
    return clear(filter);
  }
  filter.bytes += bytes;
  bytes_ += bytes;
  filter.entries.push_back(std::move(entry));
}

void Filters::on_block(const Block& block) {
  for (auto& [id, filter] : filters_) {
    if (filter.kind == Kind::blocks) collect(filter, json_string(hex(block.hash)));
  }
}

void Filters::on_logs(const Block& block, bool removed) {
  for (auto& [id, filter] : filters_) {
    if (filter.kind != Kind::logs || filter.overflowed ||
        !filter.query.filter.may_match(block.header.logs_bloom))
      continue;
    if (filter.query.from_block && block.number() < *filter.query.from_block) continue;
    if (filter.query.to_block && block.number() > *filter.query.to_block) continue;
    Filter& into = filter;
    const auto take_matching = [this, &into, &block, removed](const LogPlace& place) {
      if (into.query.filter.matches(place.log())) collect(into, render_log(block, place, removed));
    };
    if (removed) {
      each_log_backwards(block, take_matching);
    } else {
      each_log(block, take_matching);
    }
  }
}

void Filters::on_pending(const Transaction& transaction) {
  std::string body;  // written once, for the first filter that needs it
  for (auto& [id, filter] : filters_) {
    if (filter.overflowed) continue;
    if (filter.kind == Kind::pending_hashes) collect(filter, json_string(hex(transaction.hash)));
    if (filter.kind != Kind::pending_bodies) continue;
    if (body.empty()) body = render_transaction(transaction, nullptr, 0);
    collect(filter, body);
  }
}

void Filters::drop_idle(Instant now) {
  for (auto filter = filters_.begin(); filter != filters_.end();) {
    const bool idle = now - filter->second.asked > kIdleMax;
    if (idle) clear(filter->second);
    filter = idle ? filters_.erase(filter) : std::next(filter);
  }
}

}  // namespace fanfare::devchain
