#include "relay/presence/teller.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/guard.h"
#include "base/log.h"

namespace fanfare::relay {
namespace {

std::size_t bytes_of(const std::vector<std::string>& names) {
  return std::accumulate(names.begin(), names.end(), std::size_t{0},
                         [](std::size_t sum, const auto& name) { return sum + name.size() + kNameOverhead; });
}

// The same on every instance, and different from topic to topic.
std::uint64_t rank_of(std::uint64_t instance, std::string_view topic) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : topic) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211U;
  return SeededRandom(hash ^ instance).next_u64();
}

}  // namespace

void Teller::note(const PresenceRecord& record, Instant now) {
  if (record.kind == PresenceRecord::Kind::gone) is_urgent_ = true;
  if (record.kind != PresenceRecord::Kind::tell) return;
  last_tell_ = now;
  is_urgent_ = false;
  // A name that is not in this one, for lack of room, may be as long as this.
  static constexpr std::size_t kMemberBytesMax = 256;
  const std::size_t bytes = bytes_of(record.change.joined) + bytes_of(record.change.left);
  has_more_ = bytes + kMemberBytesMax + kNameOverhead > kRecordNameBytesMax;
}

void Teller::reloaded(const NameSet& remembered, Instant now) {
  writer_.forget();
  publication_ = Publication();
  own_event_ = 0;
  remembered_ = remembered;
  hold_until_ = remembered.empty() ? Instant{} : saturating_add(now, kHoldFor);
  untold_since_.reset();
}

Progress Teller::advance(const PresenceTable& table, Instant now) {
  due_ = Instant::max();
  if (!has_work(table, now)) return Progress::good;
  if (!is_teller(table, now)) {
    wait_until(saturating_add(*work_since_, kAnyoneAfter));
    return Progress::good;
  }
  if (writer_.is_lost(table.told_log(), now)) return Progress::reload;
  if (!writer_.may_write(table.told_log(), now)) {
    wait_until(std::max(writer_.due(), saturating_add(now, LogWriter::kRetryAfter)));
    return Progress::good;
  }
  if (table.open_tell()) return finish(table, *table.open_tell(), now);
  if (needs_base(table)) return write_base(table, now);
  if (const auto silent = silent_logs(table); !silent.empty()) return tell_gone(table, silent, now);
  wait_until(tell_due());
  return now < due_ ? Progress::good : tell_change(table, now);
}

bool Teller::needs_base(const PresenceTable& table) const {
  const RecordLog& log = table.told_log();
  const bool is_forgotten = log.last == 0 && !remembered_.empty();
  return is_forgotten || LogWriter::is_long(log, table.told_count());
}

// And since when, at this end of the told log.
bool Teller::has_work(const PresenceTable& table, Instant now) {
  if (!table.has_untold(setup_.members_max)) {
    untold_since_.reset();
    is_urgent_ = false;
    has_more_ = false;
  } else if (!untold_since_) {
    untold_since_ = now;
  }
  const bool has_work =
      untold_since_ || table.open_tell() || needs_base(table) || !silent_logs(table).empty();
  if (!has_work) {
    work_since_.reset();
  } else if (!work_since_ || work_at_ != table.told_log().last) {
    work_since_ = now;
    work_at_ = table.told_log().last;
  }
  return has_work;
}

bool Teller::is_teller(const PresenceTable& table, Instant now) const {
  if (now - *work_since_ >= kAnyoneAfter) return true;
  std::optional<std::uint64_t> best;
  for (const auto& known : table.logs()) {
    const std::uint64_t instance = known.log.instance;
    if (known.has_left || world_.peers.is_silent(instance)) continue;
    if (!best || rank_of(instance, topic_) > rank_of(*best, topic_)) best = instance;
  }
  return !best || *best == table.self().instance;
}

std::vector<PresenceTable::KnownLog> Teller::silent_logs(const PresenceTable& table) const {
  std::vector<PresenceTable::KnownLog> silent;
  for (const auto& known : table.logs()) {
    if (world_.peers.is_silent(known.log.instance)) silent.push_back(known);
  }
  return silent;
}

Progress Teller::tell_gone(const PresenceTable& table, const std::vector<PresenceTable::KnownLog>& silent,
                           Instant now) {
  PresenceRecord record{.kind = PresenceRecord::Kind::gone};
  for (const auto& known : silent) record.gone.push_back(known.log);
  const Progress step = writer_.append({.topic = topic_}, table.told_log(), record, now);
  if (step != Progress::good || writer_.due() > now) {
    wait_until(writer_.due());
    return step;
  }
  for (const auto& known : silent) {
    ++gone_;
    if (known.members > 0) {
      log::warn(
          "presence_instance_gone",
          {{"topic", log::excerpt(topic_)}, {"instance", to_text(known.log)}, {"members", known.members}});
    }
    world_.broker.purge({.topic = topic_, .log = known.log}, 0);
  }
  return Progress::good;
}

// Half the interval after the first change, so that who goes from one instance to another is no change; and once an interval.
Instant Teller::tell_due() const {
  if (!untold_since_) return Instant::max();
  if (has_more_) return std::max(*untold_since_, hold_until_);
  const Instant at_least = std::max(saturating_add(last_tell_, setup_.interval), hold_until_);
  return is_urgent_ ? at_least : std::max(at_least, saturating_add(*untold_since_, setup_.interval / 2));
}

Progress Teller::tell_change(const PresenceTable& table, Instant now) {
  const auto state = world_.broker.state_of(topic_);
  if (!state) return Progress::no_answer;
  PresenceRecord record{.kind = PresenceRecord::Kind::tell,
                        .event = world_.random.next_u64(),
                        .at = {.epoch = state->epoch, .offset = state->last},
                        .change = table.untold(setup_.members_max)};
  own_event_ = record.event;
  const Progress step = writer_.append({.topic = topic_}, table.told_log(), record, now);
  wait_until(std::max(writer_.due(), saturating_add(now, LogWriter::kRetryAfter)));
  return step;
}

Progress Teller::write_base(const PresenceTable& table, Instant now) {
  const NameSet names = table.told_log().last == 0 ? remembered_ : table.told_names();
  const std::vector<MemberLog> gone(table.gone().begin(), table.gone().end());
  const Progress step = writer_.write_base({.topic = topic_}, table.told_log(), names, gone, now);
  wait_until(std::max(writer_.due(), saturating_add(now, LogWriter::kRetryAfter)));
  if (step != Progress::good) return step;
  // What a teller that was killed could not delete.
  for (const MemberLog& log : gone) world_.broker.purge({.topic = topic_, .log = log}, 0);
  return Progress::good;
}

void Teller::begin_publication(const PresenceRecord& open) {
  publication_ = {.event = open.event,
                  .payload = {},
                  .end = {.epoch = open.at.epoch, .first = 1, .last = open.at.offset},
                  .searched = open.at.offset,
                  // Nobody else has tried, so the end that it names may be the end still.
                  .needs_state = open.event != own_event_};
  if (setup_.describe)
    run_guarded("describe_presence", [&] { publication_.payload = setup_.describe(open.change); });
  publication_.is_over = publication_.payload.empty();
}

Progress Teller::finish(const PresenceTable& table, const PresenceRecord& open, Instant now) {
  if (publication_.event != open.event) begin_publication(open);
  if (!publication_.is_over) {
    const Progress step = publish();
    wait_until(saturating_add(now, LogWriter::kRetryAfter));
    if (step != Progress::good || !publication_.is_over) return step;
  }
  PresenceRecord done{.kind = PresenceRecord::Kind::done, .event = open.event};
  const Progress step = writer_.append({.topic = topic_}, table.told_log(), done, now);
  wait_until(std::max(writer_.due(), saturating_add(now, LogWriter::kRetryAfter)));
  return step;
}

// Behind an end up to which the event is not in the topic: so nobody adds it twice, whoever else tries.
Progress Teller::publish() {
  Publication& one = publication_;
  for (int tries = 0; tries < kFencedMax && !one.is_over; ++tries) {
    // A topic that never rests has no place that stays free so long.
    const bool is_fenced = one.attempts < kFencedMax;
    if (one.needs_state) {
      const auto state = world_.broker.state_of(topic_);
      if (!state) return Progress::no_answer;
      if (state->epoch != one.end.epoch) one.searched = 0;
      one.end = *state;
      one.searched = std::max(one.searched, state->first - 1);
      if (is_fenced) {
        if (const Progress step = search(); step != Progress::good) return step;
      }
    }
    one.needs_state = true;
    ++one.attempts;
    if (one.is_over || (is_fenced && one.searched < one.end.last))
      return Progress::good;  // or more in the next step
    if (!is_fenced && !world_.peers.is_heard(world_.clock.now())) return Progress::no_answer;
    const auto stored = world_.broker.publish(topic_, one.payload, one.event, one.end.epoch,
                                              is_fenced ? std::optional(one.end.last) : std::nullopt);
    if (stored.put == PresenceBroker::Put::unknown) return Progress::no_answer;
    if (stored.put == PresenceBroker::Put::impossible) {
      log::error("presence_event_too_large",
                 {{"topic", log::excerpt(topic_)}, {"bytes", one.payload.size()}});
    }
    one.is_over = stored.put != PresenceBroker::Put::refused;
  }
  return Progress::good;
}

Progress Teller::search() {
  Publication& one = publication_;
  for (int searches = 0; searches < kSearchesMax && one.searched < one.end.last; ++searches) {
    const auto searched = world_.broker.search(topic_, one.event, one.searched, one.end.last);
    if (!searched) return Progress::no_answer;
    one.is_over = searched->is_found;
    one.searched = searched->until;
    if (one.is_over) break;
  }
  return Progress::good;
}

}  // namespace fanfare::relay
