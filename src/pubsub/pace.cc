#include "pubsub/pace.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fanfare::pubsub {
namespace {

std::size_t waiting_max_of(const TopicPolicy& policy) {
  return policy.when_full == WhenFull::keep_latest ? 1 : std::max<std::size_t>(1, policy.waiting_max);
}

bool follows(const Event& event, Position sent) {
  return !event.is_mark() && event.position.epoch == sent.epoch && event.position.offset == sent.offset + 1;
}

// Was there already, or comes from a loop that is behind the subscriber.
bool is_before(Position position, Position sent) {
  return position.epoch == sent.epoch && position.offset <= sent.offset;
}

// A frame's own position is not among those that are missed.
Missed missed_before(const Event& event, Position sent) {
  Position until = event.position;
  if (!event.is_mark()) --until.offset;
  return {.after = sent, .until = until};
}

}  // namespace

std::size_t PacedSubscriber::counted_bytes() const {
  std::size_t bytes = 0;
  for (EventRef event = pace_->next; event; event = event.next()) {
    if (!pace_->apart && event->index > pace_->free_until && !is_skipped(event->index))
      bytes += event->frame.size();
  }
  return bytes;
}

PacedSubscriber::~PacedSubscriber() {
  if (is_behind()) stop_waiting();
}

void PacedSubscriber::set_policy(TopicPolicy policy, WaitingList& list, EventLog& log) {
  if (policy.when_full == WhenFull::close) return set_close_policy();
  const std::size_t waiting_max = waiting_max_of(policy);
  if (pace_ == nullptr) {
    pace_ = std::make_unique<Pace>(list, log, waiting_max, false);
    return;
  }
  FANFARE_CHECK(&pace_->list == &list && &pace_->log == &log);
  if (std::exchange(pace_->whole, false)) list.whole_bytes -= counted_bytes();
  pace_->waiting_max = waiting_max;
  if (is_behind()) drop_excess();
}

// What waits already keeps waiting, and what follows waits behind it: all of it, or the session ends.
void PacedSubscriber::set_close_policy() {
  if (pace_ == nullptr || pace_->whole) return;
  if (!pace_->next && !pace_->ahead && !pace_->apart) {
    pace_.reset();
    return;
  }
  pace_->whole = true;
  pace_->list.whole_bytes += counted_bytes();
}

void PacedSubscriber::begin(const EventRef& next, Position position, WaitingList& list, EventLog& log) {
  FANFARE_CHECK(!is_behind());
  // A log without an epoch waits for its relay to say where the topic begins.
  const bool is_unknown = log.last().epoch == 0 && position.epoch != 0;
  const bool ahead =
      is_unknown || (log.last().epoch == position.epoch && log.last().offset < position.offset);
  if (!next && !ahead) return;
  if (pace_ == nullptr) {
    pace_ = std::make_unique<Pace>(list, log, 0, true);
  }
  pace_->free_until = log.last_index();
  pace_->sent = position;
  pace_->ahead = ahead;
  if (next) start_waiting(next, position);
}

void PacedSubscriber::begin_apart(Position position, WaitingList& list, EventLog& log) {
  FANFARE_CHECK(!is_behind());
  if (pace_ == nullptr) pace_ = std::make_unique<Pace>(list, log, 0, true);
  pace_->sent = position;
  pace_->apart = true;
}

void PacedSubscriber::feed(const EventRef& first) {
  FANFARE_CHECK(pace_ != nullptr && pace_->apart && !pace_->next);
  start_waiting(first, pace_->sent);
}

void PacedSubscriber::end_apart() {
  FANFARE_CHECK(pace_ != nullptr && pace_->apart && !pace_->next);
  pace_->apart = false;
  if (pace_->whole) pace_.reset();
}

void PacedSubscriber::join_log(const EventRef& next, Position position) {
  FANFARE_CHECK(pace_ != nullptr && pace_->apart && !pace_->next);
  pace_->apart = false;
  pace_->sent = position;
  begin(next, position, pace_->list, pace_->log);
  if (pace_->whole && !pace_->next && !pace_->ahead) pace_.reset();
}

bool PacedSubscriber::is_ahead() const {
  return pace_ != nullptr && pace_->ahead && !is_before(pace_->sent, pace_->log.last());
}

Missed PacedSubscriber::end_ahead() {
  FANFARE_CHECK(is_ahead());
  EventLog& log = pace_->log;
  const EventRef first = log.find_behind(0);
  Missed missed{.after = pace_->sent, .until = log.last()};
  if (first) missed.until = {.epoch = first->position.epoch, .offset = first->position.offset - 1};
  pace_->ahead = false;
  begin(first, missed.until, pace_->list, log);
  if (pace_->whole && !pace_->next) pace_.reset();
  return missed;
}

bool PacedSubscriber::deliver(const SharedBytes& frame) {
  if (pace_ != nullptr) return deliver_paced(frame);
  return is_open() && send(frame);
}

bool PacedSubscriber::deliver_paced(const SharedBytes& frame) {
  if (!is_open()) return false;
  Pace& pace = *pace_;
  if (pace.apart) return true;
  const EventRef& newest = pace.log.newest();
  FANFARE_CHECK(newest);
  if (pace.ahead) {
    if (is_before(newest->position, pace.sent)) return true;
    pace.ahead = false;
    // Another epoch, or events lost on the way to here.
    if (!follows(*newest, pace.sent)) start_waiting(newest, pace.sent);
  }
  if (!pace.next) {
    if (pace.whole) {
      pace_.reset();
      return send(frame);
    }
    if (!is_congested()) return send(frame);
    start_waiting(newest, pace.log.before_last());
    return true;
  }
  if (pace.whole) {
    if (!has_room_behind(pace.list.whole_bytes)) return false;
    pace.list.whole_bytes += frame.size();
    return true;
  }
  drop_excess();
  return true;
}

void PacedSubscriber::start_waiting(const EventRef& first, Position sent) {
  pace_->place = pace_->list.order.insert(pace_->list.order.end(), this);
  pace_->next = first;
  pace_->sent = sent;
  if (!is_congested()) on_ready();
}

void PacedSubscriber::stop_waiting() {
  Pace& pace = *pace_;
  if (pace.whole) pace.list.whole_bytes -= counted_bytes();
  pace.list.order.erase(pace.place);
  pace.next = EventRef();
}

// The oldest go, history that was to be replayed included, once more than waiting_max came meanwhile.
void PacedSubscriber::drop_excess() {
  Pace& pace = *pace_;
  if (pace.apart) return;
  const std::uint64_t newest = pace.log.last_index();
  const std::uint64_t counted_from = std::max(pace.next->index, pace.free_until + 1);
  if (newest + 1 - counted_from <= pace.waiting_max) return;
  while (newest + 1 - pace.next->index > pace.waiting_max) pace.next = pace.next.next();
}

void PacedSubscriber::meet_mark(const Missed& missed) {
  if (is_behind() || !is_open() || (pace_ != nullptr && pace_->apart)) return;
  Missed own = missed;
  if (pace_ != nullptr && pace_->ahead) {
    if (is_before(missed.until, pace_->sent)) return;
    pace_->ahead = false;
    own.after = pace_->sent;
  }
  on_missed(own);
}

void PacedSubscriber::skip_newest() {
  if (!is_behind()) return;
  Pace& pace = *pace_;
  if (pace.skipped == nullptr) pace.skipped = std::make_unique<std::vector<std::uint64_t>>();
  pace.skipped->push_back(pace.log.last_index());
  if (!pace.whole) drop_excess();
}

bool PacedSubscriber::is_skipped(std::uint64_t index) const {
  return pace_->skipped != nullptr && std::ranges::binary_search(*pace_->skipped, index);
}

std::size_t PacedSubscriber::forget_skipped_before(std::uint64_t index) {
  if (pace_->skipped == nullptr) return 0;
  std::vector<std::uint64_t>& skipped = *pace_->skipped;
  const auto end = std::ranges::lower_bound(skipped, index);
  const auto count = static_cast<std::size_t>(end - skipped.begin());
  skipped.erase(skipped.begin(), end);
  if (skipped.empty()) pace_->skipped.reset();
  return count;
}

std::optional<PacedSubscriber::Next> PacedSubscriber::take() {
  if (!is_behind()) return std::nullopt;
  Pace& pace = *pace_;
  Next next;
  while (true) {
    EventRef event = std::move(pace.next);
    const bool is_for_others = is_skipped(event->index);
    const std::size_t skipped = forget_skipped_before(event->index);
    if (!follows(*event, pace.sent)) {
      Missed missed = missed_before(*event, pace.sent);
      // What was skipped was dropped with the rest, and nobody lacks it. Only plain topics skip, whose positions
      // nobody sees.
      missed.after.offset += skipped;
      if (skipped == 0 || missed.count() > 0) next.missed = missed;
    }
    pace.sent = event->position;
    if (!is_for_others) {
      next.frame = event->frame;
      if (pace.whole && !pace.apart && event->index > pace.free_until)
        pace.list.whole_bytes -= event->frame.size();
    }
    pace.next = event.next();
    if (!pace.next) {
      pace.skipped.reset();
      pace.list.order.erase(pace.place);
      event = EventRef();
      pace.log.settle();
      if (pace.apart) on_piece_end();
      return next;
    }
    if (!is_for_others || next.missed) return next;
  }
}

}  // namespace fanfare::pubsub
