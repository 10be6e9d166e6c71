#include "gateway/shared_sessions.h"

#include <algorithm>
#include <charconv>

#include "access/digest.h"
#include "base/log_limiter.h"
#include "base/text.h"
#include "gateway/shared_session_opening.h"

namespace fanfare::gateway {
namespace {

std::optional<std::uint8_t> digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

std::optional<eth::ResumeKey> key_of(std::string_view hex) {
  eth::ResumeKey key{};
  if (hex.size() != 2 * key.size()) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto high = digit_of(hex[2 * i]);
    const auto low = digit_of(hex[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    key[i] = static_cast<std::uint8_t>(*high << 4U | *low);
  }
  return key;
}

std::optional<std::pair<eth::ResumeKey, std::uint32_t>> told_of(std::string_view question) {
  const std::size_t end = question.rfind(kTaken);
  const auto key = key_of(question.substr(1, end - 1));
  const std::string_view digits = question.substr(end + 1);
  std::uint32_t turn = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), turn);
  if (!key || read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return std::pair(*key, turn);
}

// `got` is what the broker has where it has stored `revision`.
bool has_lost(std::uint64_t revision, const std::optional<relay::RecordBroker::Stored>& got) {
  return revision != 0 && (!got || got->revision < revision);
}

}  // namespace

std::string text_of(const eth::ResumeKey& key) {
  return access::to_hex(key);
}

SharedSessions::SharedSessions(relay::RecordBroker& broker, std::uint64_t instance,
                               const SharedSessionLimits& limits, Clock& clock)
    : broker_(broker), instance_(instance), limits_(limits), clock_(clock) {}

SharedSessions::~SharedSessions() = default;

void SharedSessions::add(const std::shared_ptr<eth::MemoryResumeStore>& store) {
  store->watch([this, weak = std::weak_ptr(store)](const eth::ResumeKey& key, bool is_urgent) {
    const std::scoped_lock lock(mutex_);
    is_idle_ = false;
    changes_.push_back({.key = key, .store = weak, .is_urgent = is_urgent});
  });
}

void SharedSessions::open(const std::shared_ptr<eth::MemoryResumeStore>& store, Caller caller, Opened done) {
  broker_.post([this, opening = std::make_shared<Opening>(*this, store, std::move(caller), std::move(done))] {
    begin(opening);
  });
}

void SharedSessions::begin(std::shared_ptr<Opening> opening) {
  if (openings_count_ >= limits_.openings_max) return opening->refuse({.why = Refusal::away});
  ++openings_count_;
  auto& of_key = openings_[opening->key()];
  of_key.push_back(std::move(opening));
  if (of_key.size() == 1) Opening::look(of_key.front());
}

void SharedSessions::ended(const eth::ResumeKey& key) {
  const auto of_key = openings_.find(key);
  --openings_count_;
  of_key->second.pop_front();
  if (of_key->second.empty()) {
    openings_.erase(of_key);
  } else {
    Opening::look(of_key->second.front());
  }
}

std::optional<std::uint32_t> SharedSessions::turn_here(const eth::ResumeKey& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.store->has(key)) return std::nullopt;
  return found->second.turn;
}

std::optional<std::string> SharedSessions::encode(bool is_closed, std::uint32_t turn,
                                                  eth::ResumeImage image) {
  const std::size_t bytes_max = std::min(limits_.bytes_max, broker_.bytes_max());
  auto bytes = eth::encode_session(
      {.instance = instance_, .turn = turn, .is_closed = is_closed, .image = std::move(image)}, bytes_max);
  if (!bytes) {
    counters_.too_long.fetch_add(1, std::memory_order_relaxed);
    if (bytes_max < limits_.bytes_max) broker_.want_larger();
    static LogLimiter limiter(log::Level::error, "session_too_long");
    limiter.write({{"bytes_max", bytes_max}, {"advice", "raise max_payload of the broker"}});
  }
  return bytes;
}

// Another instance has a connection for it. The session goes on there from exactly here.
std::string SharedSessions::on_asked(std::string_view question) {
  if (question.starts_with(kTaken)) {
    if (const auto told = told_of(question)) taken(told->first, told->second);
    return std::string(kNotHere);
  }
  const auto key = key_of(question);
  const auto found = key ? entries_.find(*key) : entries_.end();
  if (found == entries_.end()) return std::string(kNotHere);
  const auto copy = found->second.store->copy(*key);
  if (!copy) return std::string(kNotHere);
  // Its client would lose what it has missed.
  const std::uint32_t turn = found->second.turn;
  if (!encode(false, turn, copy->image)) return std::string(kTooLong);
  auto image = found->second.store->release(*key);
  forget(*key);
  if (!image) return std::string(kNotHere);
  counters_.handed.fetch_add(1, std::memory_order_relaxed);
  return encode(false, turn, *std::move(image)).value_or(std::string(kNotHere));
}

// --- writes ----------------------------------------------------------------------------------------

void SharedSessions::on_tick(Instant now) {
  counters_.is_up.store(broker_.is_up(), std::memory_order_relaxed);
  take_changes();
  if (broker_.is_up()) {
    write_due(now);
    look_for_losses(now);
  }
  note_idle();
}

// Only the instance that holds a session can write its copy again.
void SharedSessions::on_forgotten() {
  counters_.losses.fetch_add(1, std::memory_order_relaxed);
  for (auto& [key, entry] : entries_) {
    entry.is_changed = true;
    entry.is_doubted = true;
    schedule(key, entry, clock_.now());
  }
}

void SharedSessions::take_changes() {
  std::vector<Change> changes;
  {
    const std::scoped_lock lock(mutex_);
    changes.swap(changes_);
  }
  for (const Change& change : changes) note_change(change);
}

void SharedSessions::note_change(const Change& change) {
  const auto found = entries_.find(change.key);
  if (found == entries_.end()) return;  // it is not ours any more, or it is being opened
  Entry& entry = found->second;
  if (entry.store != change.store.lock()) return;
  entry.is_changed = true;
  entry.is_urgent = entry.is_urgent || change.is_urgent;
  schedule(change.key, entry, due_of(change.key, entry));
}

Instant SharedSessions::due_of(const eth::ResumeKey& key, const Entry& entry) const {
  if (is_flushing_ || !entry.written || !entry.store->is_open(key)) return clock_.now();
  return saturating_add(*entry.written, entry.is_urgent ? limits_.urgent_interval : limits_.write_interval);
}

void SharedSessions::note_reopened(const eth::ResumeKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  found->second.is_changed = true;
  schedule(key, found->second, clock_.now());
}

void SharedSessions::schedule(const eth::ResumeKey& key, Entry& entry, Instant at) {
  if (entry.due) schedule_.erase({*entry.due, key});
  entry.due = at;
  schedule_.emplace(at, key);
}

void SharedSessions::write_due(Instant now) {
  std::vector<eth::ResumeKey> due;
  for (const auto& [at, key] : schedule_) {
    if (at > now || under_way_ + due.size() >= limits_.writes_in_flight_max) break;
    due.push_back(key);
  }
  for (const eth::ResumeKey& key : due) {
    Entry& entry = entries_.at(key);
    schedule_.erase({*std::exchange(entry.due, std::nullopt), key});
    // Its end looks for changes.
    if (entry.under_way == 0) write(key, entry);
  }
}

void SharedSessions::write(const eth::ResumeKey& key, Entry& entry) {
  entry.is_changed = entry.is_urgent = false;
  const auto copy = entry.store->copy(key);
  if (!copy && entry.revision == 0) return forget(key);
  // One that is not remembered any more is written too: another instance must not continue it.
  const auto value = encode(!copy || !copy->is_open, entry.turn, copy ? copy->image : eth::ResumeImage{});
  if (!value) return;
  entry.under_way = ++last_write_;
  ++under_way_;
  broker_.put(text_of(key), *value, entry.revision,
              [this, key, number = last_write_](const std::expected<std::uint64_t, Failure>& result) {
                written(key, number, result);
              });
}

SharedSessions::Entry* SharedSessions::end_write(const eth::ResumeKey& key, std::uint64_t number) {
  --under_way_;
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.under_way != number) return nullptr;
  found->second.under_way = 0;
  return &found->second;
}

void SharedSessions::written(const eth::ResumeKey& key, std::uint64_t number,
                             std::expected<std::uint64_t, Failure> result) {
  if (!result && result.error() == Failure::conflict) return repair(key, number);
  Entry* const entry = end_write(key, number);
  if (entry == nullptr) return;
  if (!result) return again(key, *entry);
  counters_.written.fetch_add(1, std::memory_order_relaxed);
  keep(key, entry->store, *result, entry->turn);
}

void SharedSessions::keep(const eth::ResumeKey& key, const Store& store, std::uint64_t revision,
                          std::uint32_t turn) {
  Entry& entry = entries_.try_emplace(key, Entry{.store = store}).first->second;
  entry.store = store;
  entry.revision = revision;
  entry.turn = turn;
  entry.is_doubted = false;
  entry.under_way = 0;
  entry.written = clock_.now();
  if (!store->has(key)) return forget(key);
  if (entry.is_changed) {
    schedule(key, entry, due_of(key, entry));
  } else if (store->is_open(key)) {
    // The broker forgets what is not written again.
    schedule(key, entry, saturating_add(*entry.written, limits_.age_max / 4));
  }
}

void SharedSessions::again(const eth::ResumeKey& key, Entry& entry) {
  counters_.failed.fetch_add(1, std::memory_order_relaxed);
  entry.is_changed = true;
  schedule(key, entry, saturating_add(clock_.now(), limits_.write_interval));
}

void SharedSessions::repair(const eth::ResumeKey& key, std::uint64_t number) {
  broker_.get(text_of(key), [this, key, number](const std::expected<std::optional<Stored>, Failure>& got) {
    repaired(key, number, got);
  });
}

void SharedSessions::repaired(const eth::ResumeKey& key, std::uint64_t number,
                              const std::expected<std::optional<Stored>, Failure>& got) {
  Entry* const entry = end_write(key, number);
  if (entry == nullptr) return;
  if (!got) return again(key, *entry);
  if (!entry->is_doubted && has_lost(entry->revision, *got)) note_loss();
  const auto stored = *got ? eth::decode_session((*got)->value) : std::nullopt;
  const bool is_another = got->has_value() && (!stored || stored->instance != instance_);
  const bool is_of_before = stored && stored->turn < entry->turn;
  if (is_another && !is_of_before) return lose(key);
  // Ours, of which we have not heard, or none or an older one: the broker has forgotten it.
  entry->revision = *got ? (*got)->revision : 0;
  entry->is_changed = true;
  schedule(key, *entry, clock_.now());
}

// A broker that loses its end has lost the newest copy; one that was purged, the oldest one, which may be the only one that was not
// written again. Not those that it may have forgotten by their age. And closed ones in turn, which another instance may have continued
// without our hearing of it.
void SharedSessions::look_for_losses(Instant now) {
  if (now < look_at_) return;
  look_at_ = saturating_add(now, limits_.look_interval);
  const auto has = [&](const auto& one) {
    const Entry& entry = one.second;
    return entry.revision != 0 && !entry.is_doubted && now - *entry.written < limits_.age_max / 4 * 3;
  };
  const auto oldest = std::ranges::min_element(
      entries_, {}, [&](const auto& one) { return has(one) ? one.second.revision : UINT64_MAX; });
  const auto newest = std::ranges::max_element(
      entries_, {}, [&](const auto& one) { return has(one) ? one.second.revision : 0; });
  if (oldest == entries_.end() || !has(*oldest)) return;
  look_at(oldest->first, oldest->second.revision);
  if (newest != oldest) look_at(newest->first, newest->second.revision);
  auto one = entries_.upper_bound(looked_);
  for (std::size_t looks = std::min(limits_.closed_looks, entries_.size()); looks > 0; --looks, ++one) {
    if (one == entries_.end()) one = entries_.begin();
    looked_ = one->first;
    if (has(*one) && !one->second.store->is_open(one->first)) look_at(one->first, one->second.revision);
  }
}

void SharedSessions::taken(const eth::ResumeKey& key, std::uint32_t turn) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.turn >= turn || found->second.store->is_open(key)) return;
  const Store store = found->second.store;
  forget(key);
  store->release(key);
}

void SharedSessions::look_at(const eth::ResumeKey& key, std::uint64_t revision) {
  broker_.get(text_of(key), [this, key, revision](const std::expected<std::optional<Stored>, Failure>& got) {
    const auto session = got && *got ? eth::decode_session((*got)->value) : std::nullopt;
    if (session && session->instance != instance_) taken(key, session->turn);
    if (!got || !has_lost(revision, *got)) return;
    const auto found = entries_.find(key);
    // Not if it was written meanwhile, or is not ours any more.
    const bool is_same =
        found != entries_.end() && found->second.revision == revision && !found->second.is_doubted;
    if (is_same) note_loss();
  });
}

void SharedSessions::note_loss() {
  log::warn("records_forgotten",
            {{"reason", "a session's copy is gone, or is an older one"}, {"sessions", entries_.size()}});
  on_forgotten();
}

// Another instance has taken the session without asking, because this one did not answer.
void SharedSessions::lose(const eth::ResumeKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const Store store = found->second.store;
  forget(key);
  if (!store->release(key)) return;
  counters_.lost.fetch_add(1, std::memory_order_relaxed);
  static LogLimiter limiter(log::Level::warn, "session_lost");
  limiter.write({{"reason", "another instance has taken it"}});
}

void SharedSessions::forget(const eth::ResumeKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  if (found->second.due) schedule_.erase({*found->second.due, key});
  entries_.erase(found);
}

// --- the stop --------------------------------------------------------------------------------------

void SharedSessions::flush(Duration at_most) {
  broker_.post([this] {
    is_flushing_ = true;
    for (auto& [key, entry] : entries_) {
      if (entry.is_changed) schedule(key, entry, clock_.now());
    }
  });
  std::unique_lock lock(mutex_);
  wants_idle_ = true;
  is_idle_ = false;
  idle_.wait_for(lock, at_most, [this] { return is_idle_; });
  wants_idle_ = false;
}

void SharedSessions::note_idle() {
  std::unique_lock lock(mutex_);
  if (!wants_idle_ || !is_flushing_ || !changes_.empty() || under_way_ > 0) return;
  is_idle_ = std::ranges::none_of(entries_, [](const auto& one) { return one.second.is_changed; });
  if (is_idle_) idle_.notify_all();
}

}  // namespace fanfare::gateway
