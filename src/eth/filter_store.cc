#include "eth/filter_store.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr std::size_t kFilterBytes = 512;  // of a filter without criteria, with its table entries
constexpr std::size_t kEntryBytes = 256;   // of an event, without the objects it refers to

std::unexpected<RpcError> filter_error(int code, std::string message) {
  return std::unexpected(RpcError{.code = code, .message = std::move(message)});
}
std::unexpected<RpcError> not_found() {
  return filter_error(RpcError::kServerError, "filter not found");
}

std::size_t bytes_of(const LogFilter& criteria) {
  std::size_t bytes = criteria.addresses.size() * sizeof(Address);
  for (const auto& position : criteria.topics) bytes += position.size() * sizeof(Hash256);
  return bytes;
}

std::size_t bytes_of(const BlockLogs& logs) {
  std::size_t bytes = 0;
  for (const BlockLogs::Entry& entry : logs.entries) bytes += sizeof(entry) + entry.head_json.size();
  return bytes;
}

void append_element(std::string& out, std::string_view json) {
  if (out.back() != '[') out += ',';
  out.append(json);
}

void append_matching(const BlockLogs& logs, bool removed, const LogFilter& criteria, std::string& out) {
  for (std::size_t i = 0; i < logs.entries.size(); ++i) {
    const BlockLogs::Entry& entry = logs.entries[removed ? logs.entries.size() - 1 - i : i];
    if (!criteria.matches(entry.key)) continue;
    if (out.back() != '[') out += ',';
    BlockLogs::append_json(entry, removed, out);
  }
}

}  // namespace

// --- ownership -------------------------------------------------------------------------------------

std::expected<std::string, RpcError> FilterStore::add(FilterKind kind, std::string_view params_json,
                                                      std::string_view owner, Instant now) {
  expire(now);
  const std::size_t arguments = jsonrpc::element_count(params_json);
  const std::size_t arguments_max = kind == FilterKind::blocks ? 0 : 1;
  if (arguments > arguments_max) {
    return filter_error(RpcError::kInvalidParams,
                        "too many arguments, want at most " + std::to_string(arguments_max));
  }
  const std::string_view first = jsonrpc::element(params_json, 0).value_or("");
  Filter filter{.kind = kind, .bytes = kFilterBytes + owner.size(), .owner = std::string(owner)};
  if (kind == FilterKind::logs) {
    if (first.empty()) return filter_error(RpcError::kInvalidParams, "missing value for required argument 0");
    auto criteria = parse_log_filter(first);
    if (!criteria) return filter_error(RpcError::kInvalidParams, std::move(criteria.error()));
    filter.criteria = std::move(*criteria);
    filter.query = first == "null" ? "[{}]" : "[" + std::string(first) + "]";
    filter.bytes += bytes_of(filter.criteria) + filter.query.size();
  }
  if (auto admitted = admit(filter); !admitted) {
    ++counters_.refused;
    return std::unexpected(std::move(admitted.error()));
  }

  SubscriptionId id;
  do {
    std::array<std::uint8_t, sizeof(id.high) + sizeof(id.low)> bytes{};
    random_.fill(bytes);
    std::memcpy(&id.high, bytes.data(), sizeof(id.high));
    std::memcpy(&id.low, bytes.data() + sizeof(id.high), sizeof(id.low));
  } while (id == SubscriptionId{} || filters_.contains(id));
  const bool logs_are_behind = published_ && logs_told_to_ && *logs_told_to_ < published_->number;
  if (kind == FilterKind::logs && wants(kind) && logs_are_behind) filter.waits_for = published_->number;
  if (kind == FilterKind::logs && !wants(kind)) {
    logs_after_ = published_;
    logs_told_to_ = published_ ? std::optional(published_->number) : std::nullopt;
  }
  // The filter never received those heads.
  if (kind == FilterKind::blocks) taken_back_.clear();
  filter.place = is_pending(kind) ? pending_.enter() : chain_.enter();
  filter.asked = now;
  filter.asked_place = by_asked_.insert(by_asked_.end(), id);
  ++counters_.created;
  ++count_[static_cast<std::size_t>(kind)];
  bytes_ += filter.bytes;
  Owner& its_owner = owners_[filter.owner];
  ++its_owner.filters;
  its_owner.bytes += filter.bytes;
  filters_.emplace(id, std::move(filter));
  return to_text(id);
}

std::expected<void, RpcError> FilterStore::admit(const Filter& filter) const {
  const auto refused = [](const std::string& what) { return filter_error(RpcError::kLimitExceeded, what); };
  if (filters_.size() >= limits_.filters_max) return refused("too many filters on this network");
  if (bytes_ + filter.bytes > limits_.criteria_bytes_max) {
    return refused("the filters on this network have too many alternatives together");
  }
  const auto found = owners_.find(filter.owner);
  const Owner owner = found == owners_.end() || filter.owner.empty() ? Owner{} : found->second;
  if (owner.filters >= limits_.filters_per_owner_max) {
    return refused("too many filters: at most " + std::to_string(limits_.filters_per_owner_max));
  }
  if (!filter.owner.empty() && owner.bytes + filter.bytes > limits_.criteria_bytes_per_owner_max) {
    return refused("your filters have too many alternatives together");
  }
  return {};
}

std::expected<FilterStore::Filters::iterator, RpcError> FilterStore::find(std::string_view params_json) {
  const auto first = jsonrpc::element(params_json, 0);
  if (!first) return filter_error(RpcError::kInvalidParams, "missing value for required argument 0");
  const auto text = jsonrpc::string_copy(*first);
  if (!text) return filter_error(RpcError::kInvalidParams, "invalid argument 0: a filter's id is a string");
  if (jsonrpc::element_count(params_json) > 1) {
    return filter_error(RpcError::kInvalidParams, "too many arguments, want at most 1");
  }
  const auto id = parse_subscription_id(*text);
  return id ? filters_.find(*id) : filters_.end();
}

std::expected<bool, RpcError> FilterStore::remove(std::string_view params_json) {
  const auto found = find(params_json);
  if (!found) return std::unexpected(found.error());
  if (*found == filters_.end()) return false;
  ++counters_.removed;
  erase(*found);
  return true;
}

void FilterStore::erase(Filters::iterator found) {
  Filter& filter = found->second;
  if (is_pending(filter.kind)) {
    pending_.leave(filter.place);
  } else {
    chain_.leave(filter.place);
  }
  --count_[static_cast<std::size_t>(filter.kind)];
  bytes_ -= filter.bytes;
  const auto owner = owners_.find(filter.owner);
  owner->second.bytes -= filter.bytes;
  if (--owner->second.filters == 0) owners_.erase(owner);
  by_asked_.erase(filter.asked_place);
  filters_.erase(found);
}

void FilterStore::asked(Filters::iterator found, Instant now) {
  found->second.asked = now;
  by_asked_.splice(by_asked_.end(), by_asked_, found->second.asked_place);
}

void FilterStore::expire(Instant now) {
  while (!by_asked_.empty()) {
    const auto oldest = filters_.find(by_asked_.front());
    if (now - oldest->second.asked < limits_.idle_max) return;
    ++counters_.expired;
    erase(oldest);
  }
}

std::optional<Instant> FilterStore::next_expiry() const {
  if (by_asked_.empty()) return std::nullopt;
  return filters_.at(by_asked_.front()).asked + limits_.idle_max;
}

Interest FilterStore::interest() const {
  Interest interest;
  interest.logs = wants(FilterKind::logs);
  if (interest.logs) interest.logs_after = logs_after_;
  if (wants(FilterKind::pending_hashes)) interest.pending = PendingWanted::hashes;
  if (wants(FilterKind::pending_bodies)) interest.pending = PendingWanted::bodies;
  return interest;
}

// --- changes ---------------------------------------------------------------------------------------

std::expected<std::string, RpcError> FilterStore::logs_query(std::string_view params_json, Instant now) {
  expire(now);
  const auto found = find(params_json);
  if (!found) return std::unexpected(found.error());
  if (*found == filters_.end() || (*found)->second.kind != FilterKind::logs) return not_found();
  asked(*found, now);
  return (*found)->second.query;
}

std::expected<std::string, RpcError> FilterStore::changes(std::string_view params_json, Instant now,
                                                          const HasRoom& has_room) {
  expire(now);
  const auto found = find(params_json);
  if (!found) return std::unexpected(found.error());
  if (*found == filters_.end()) return not_found();
  Filter& filter = (*found)->second;
  std::string out = "[";
  const bool pending = is_pending(filter.kind);
  const auto place = pending ? append_pending_changes(filter, out) : append_chain_changes(filter, out);
  if (!place) {
    ++counters_.lost;
    erase(*found);
    return not_found();
  }
  asked(*found, now);
  out += ']';
  if (has_room && !has_room(out.size())) return filter_error(0, "");
  const std::uint64_t before = std::exchange(filter.place, *place);
  if (pending) {
    pending_.move(before, *place);
  } else {
    chain_.move(before, *place);
  }
  return out;
}

std::optional<std::uint64_t> FilterStore::append_chain_changes(const Filter& filter, std::string& out) const {
  const bool of_logs = filter.kind == FilterKind::logs;
  std::uint64_t place = filter.place;
  if (filter.waits_for) return place;
  if (place < chain_.begin()) return std::nullopt;
  for (; place < chain_.end() && out.size() < limits_.changes_bytes_max; ++place) {
    const ChainEntry& entry = chain_.at(place);
    if (entry.header == nullptr) {
      if (of_logs || !entry.logs_only) return std::nullopt;
    } else if (of_logs) {
      if (entry.logs != nullptr) append_matching(*entry.logs, entry.removed, filter.criteria, out);
    } else if (entry.head) {
      append_element(out, "\"" + to_hex(entry.header->hash) + "\"");
    }
  }
  return place;
}

std::optional<std::uint64_t> FilterStore::append_pending_changes(const Filter& filter,
                                                                 std::string& out) const {
  const bool of_bodies = filter.kind == FilterKind::pending_bodies;
  std::uint64_t place = filter.place;
  if (place < pending_.begin()) return std::nullopt;
  for (; place < pending_.end() && out.size() < limits_.changes_bytes_max; ++place) {
    const PendingEntry& entry = pending_.at(place);
    if (entry.json.empty()) {
      if (of_bodies || !entry.bodies_only) return std::nullopt;
    } else if (entry.body == of_bodies) {
      append_element(out, entry.json);
    }
  }
  return place;
}

void FilterStore::on_event(const SourceEvent& event) {
  std::visit(Visitor{[this](const Baseline& baseline) { on_baseline(baseline); },
                     [this](const BlockAdded& block) { on_block(block); },
                     [this](const BlockLogsLate& late) { on_late_logs(late); },
                     [this](const BlockRemoved& block) { on_removed(block); },
                     [this](const LogsMissing& missing) { on_logs_missing(missing); },
                     [this](const Reorg& reorg) {
                       if (reorg.beyond_window) chain_hole(true);
                     },
                     [this](const Gap&) {
                       chain_hole(false);
                       logs_told_to_.reset();
                       begin_waiting();
                     },
                     [this](const PendingHash& hash) {
                       if (!wants(FilterKind::pending_hashes)) return;
                       pending_.push({.json = "\"" + hash.hash + "\""}, kEntryBytes, limits_.kept_bytes_max);
                     },
                     [this](const PendingBody& body) {
                       if (!wants(FilterKind::pending_bodies)) return;
                       pending_.push({.json = body.transaction_json, .body = true},
                                     kEntryBytes + body.transaction_json.size(), limits_.kept_bytes_max);
                     },
                     [this](const PendingMissed& missed) {
                       pending_.push({.json = {}, .bodies_only = missed.bodies_only}, kEntryBytes,
                                     limits_.kept_bytes_max);
                     },
                     Ignores<ReceiptsKnown, ReceiptsMissing, FeedEvent>{}},
             event);
}

void FilterStore::on_baseline(const Baseline& baseline) {
  if (published_) chain_hole(false);
  published_ = BlockId{.number = baseline.header->number, .hash = baseline.header->hash};
  logs_told_to_ = baseline.header->number;
  begin_waiting();
}

// Filters created while logs of announced blocks were outstanding begin once those logs have arrived.
void FilterStore::begin_waiting() {
  for (auto& [id, filter] : filters_) {
    if (!filter.waits_for || (logs_told_to_ && *logs_told_to_ < *filter.waits_for)) continue;
    filter.waits_for.reset();
    const std::uint64_t before = std::exchange(filter.place, chain_.end());
    chain_.move(before, filter.place);
  }
}

// The next block does not follow what was known: a fork deeper than that. Its logs are new to every filter.
void FilterStore::begin_chain_at(std::uint64_t number) {
  logs_told_to_ = number > 0 ? std::optional(number - 1) : std::nullopt;
  for (auto& [id, filter] : filters_) {
    if (filter.waits_for) filter.waits_for = std::min(*filter.waits_for, logs_told_to_.value_or(0));
  }
  begin_waiting();
}

void FilterStore::on_block(const BlockAdded& block) {
  published_ = BlockId{.number = block.header->number, .hash = block.header->hash};
  const bool still_stands = !taken_back_.empty() && taken_back_.front() == block.header->hash;
  if (still_stands) {
    taken_back_.pop_front();
  } else {
    taken_back_.clear();
  }
  if (!logs_told_to_ || *logs_told_to_ >= block.header->number) begin_chain_at(block.header->number);
  ChainEntry entry{.header = block.header, .head = !still_stands};
  if (wants(FilterKind::logs)) entry.logs = block.logs;
  if (block.logs != nullptr) logs_told_to_ = block.header->number;
  const std::size_t bytes = kEntryBytes + (entry.logs != nullptr ? bytes_of(*entry.logs) : 0);
  chain_.push(std::move(entry), bytes, limits_.kept_bytes_max);
}

void FilterStore::on_removed(const BlockRemoved& block) {
  taken_back_.push_front(block.header->hash);
  published_ = std::nullopt;
  if (block.header->number > 0) {
    published_ = BlockId{.number = block.header->number - 1, .hash = block.header->parent_hash};
  }
  for (auto& [id, filter] : filters_) {
    if (filter.waits_for && published_) filter.waits_for = std::min(*filter.waits_for, published_->number);
  }
  begin_waiting();
  // Logs that were never reported need not be retracted.
  if (!has_logs_of(block.header->number)) return;
  logs_told_to_ = block.header->number > 0 ? std::optional(block.header->number - 1) : std::nullopt;
  if (!wants(FilterKind::logs) || block.logs == nullptr) return;
  chain_.push({.header = block.header, .logs = block.logs, .removed = true},
              kEntryBytes + bytes_of(*block.logs), limits_.kept_bytes_max);
}

void FilterStore::on_late_logs(const BlockLogsLate& late) {
  const std::uint64_t number = late.header->number;
  if (!wants(FilterKind::logs) || has_logs_of(number)) return;
  logs_told_to_ = number;
  chain_.push({.header = late.header, .logs = late.logs}, kEntryBytes + bytes_of(*late.logs),
              limits_.kept_bytes_max);
  begin_waiting();
}

void FilterStore::on_logs_missing(const LogsMissing& missing) {
  const std::uint64_t number = missing.header->number;
  if (!wants(FilterKind::logs) || has_logs_of(number)) return;
  logs_told_to_ = number;
  chain_hole(true);
  begin_waiting();
}

void FilterStore::chain_hole(bool logs_only) {
  chain_.push({.header = nullptr, .logs = nullptr, .logs_only = logs_only}, kEntryBytes,
              limits_.kept_bytes_max);
}

}  // namespace fanfare::eth
