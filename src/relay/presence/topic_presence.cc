#include "relay/presence/topic_presence.h"

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "base/log.h"

namespace fanfare::relay {
namespace {

PresenceChange change_between(const NameSet& before, const NameSet& now) {
  PresenceChange change;
  std::ranges::set_difference(now, before, std::back_inserter(change.joined));
  std::ranges::set_difference(before, now, std::back_inserter(change.left));
  return change;
}

}  // namespace

TopicPresence::TopicPresence(const Teller::World& world, std::string topic, std::uint64_t instance,
                             pubsub::RelayedPresenceSetup setup)
    : world_(world),
      topic_(std::move(topic)),
      setup_(std::move(setup)),
      table_(MemberLog{.instance = instance, .turn = 0}) {}

void TopicPresence::wish(const PresenceChange& change) {
  for (const std::string& name : change.joined) table_.wish(name, true);
  for (const std::string& name : change.left) table_.wish(name, false);
  may_close_ = false;
  wake();
}

void TopicPresence::take(std::optional<MemberLog> log, std::uint64_t sequence, const PresenceRecord& record) {
  wake();
  if (!log) {
    table_.take_told(sequence, record);
    return teller_.note(record, world_.clock.now());
  }
  world_.peers.know(log->instance);
  table_.take(*log, sequence, record);
}

void TopicPresence::set_current(bool is_current) {
  if (is_current_ == is_current) return;
  is_current_ = is_current;
  wake();
  if (is_current && before_) teller_.reloaded(*before_, world_.clock.now());
}

void TopicPresence::reload() {
  if (!before_) {
    before_ = table_.told_names();
    const PresenceChange unreported = table_.take_news();
    for (const std::string& name : unreported.joined) before_->erase(name);
    before_->insert(unreported.left.begin(), unreported.left.end());
  }
  forget();
}

// All but the wishes.
void TopicPresence::forget() {
  PresenceTable fresh(table_.self());
  for (const std::string& name : table_.wished()) fresh.wish(name, true);
  table_ = std::move(fresh);
  writer_.forget();
  is_current_ = false;
}

void TopicPresence::close() {
  forget();
  before_.reset();
  teller_.reloaded({}, Instant{});
  may_close_ = false;
  quiet_since_.reset();
  instances_ = 0;
  run_guarded("presence", [&] { setup_.report({.gone = gone_, .is_over = true}); });
}

Progress TopicPresence::advance() {
  due_ = Instant::max();
  if (!is_current_) return Progress::good;
  const Instant now = world_.clock.now();
  if (table_.is_gone(table_.self())) begin_again();
  if (const Progress step = write_own(now); step != Progress::good) {
    wait_until(writer_.due());
    return step;
  }
  const Progress step = teller_.advance(table_, now);
  wait_until(step == Progress::no_answer ? saturating_add(now, LogWriter::kRetryAfter) : teller_.due());
  leave_if_quiet(now);
  report();
  return step;
}

// Others were told that this instance's members left. They join again.
void TopicPresence::begin_again() {
  log::warn("presence_counted_as_gone",
            {{"topic", log::excerpt(topic_)}, {"members", table_.wished().size()}});
  table_.begin_again();
  writer_.forget();
}

Progress TopicPresence::write_own(Instant now) {
  const RecordLog& log = table_.own_log();
  const bool is_long = LogWriter::is_long(log, table_.own_names().size());
  if (!table_.has_unwritten() && !is_long) return Progress::good;
  if (writer_.is_lost(log, now)) return Progress::reload;
  wait_until(std::max(writer_.due(), saturating_add(now, LogWriter::kRetryAfter)));
  if (!writer_.may_write(log, now)) return Progress::good;
  const PresenceSubject subject{.topic = topic_, .log = table_.self()};
  if (!is_long) return writer_.append(subject, log, {.change = table_.unwritten()}, now);
  return writer_.write_base(subject, log, table_.own_names(), {}, now);
}

void TopicPresence::leave_if_quiet(Instant now) {
  const bool is_quiet = table_.wished().empty() && !table_.has_unwritten() && teller_.is_quiet();
  if (!is_quiet) return quiet_since_.reset();
  if (!quiet_since_) quiet_since_ = now;
  const Instant leave_at = saturating_add(*quiet_since_, kStayFor);
  if (now < leave_at) return wait_until(leave_at);
  const auto logs = table_.logs();
  const bool is_here = std::ranges::any_of(
      logs, [&](const auto& known) { return known.log == table_.self() && !known.has_left; });
  may_close_ = !is_here;
  if (!is_here) return;
  wait_until(saturating_add(now, LogWriter::kRetryAfter));
  if (!writer_.may_write(table_.own_log(), now)) return;
  writer_.append({.topic = topic_, .log = table_.self()}, table_.own_log(),
                 {.kind = PresenceRecord::Kind::bye}, now);
}

void TopicPresence::report() {
  const auto logs = table_.logs();
  const auto instances = static_cast<std::size_t>(
      std::ranges::count_if(logs, [](const auto& known) { return known.members > 0; }));
  PresenceChange change = table_.take_news();
  if (before_) {
    // What was told meanwhile, and not what was read again. If the broker has forgotten what was told, the teller writes it again.
    const bool is_forgotten = table_.told_log().last == 0 && !before_->empty();
    if (is_forgotten || table_.is_reading_told()) return;
    change = change_between(*std::exchange(before_, std::nullopt), table_.told_names());
  }
  const bool has_news = !change.joined.empty() || !change.left.empty();
  if (!has_news && instances == instances_ && gone_ == teller_.gone()) return;
  instances_ = instances;
  gone_ = teller_.gone();
  run_guarded("presence",
              [&] { setup_.report({.change = std::move(change), .instances = instances_, .gone = gone_}); });
}

}  // namespace fanfare::relay
