#include "pubsub/event_log.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::pubsub {

void EventRef::release(Event* event) noexcept {
  while (event != nullptr && --event->users == 0) {
    Event* const next = event->next;
    delete event;
    event = next;
  }
}

EventLog::EventLog(Position position, const HistoryLimits& limits) : last_(position), before_last_(position) {
  if (limits.messages_max == 0 || limits.bytes_max == 0) return;
  history_ = std::make_unique<History>(
      History{.limits = limits, .age_max = saturating_duration(limits.age_max), .entries = {}});
}

void EventLog::append(Position position, SharedBytes frame, Instant at) {
  const EventRef event(new Event{
      .position = position, .frame = std::move(frame), .at = at, .index = last_index_ + 1, .next = nullptr});
  const bool is_mark = event->is_mark();
  // First, because it allocates: after a failure nothing has changed.
  if (history_ != nullptr && position.epoch == last_.epoch && !is_mark) history_->add(event);
  if (history_ != nullptr && position.epoch != last_.epoch) {
    history_->entries.clear();
    history_->bytes = 0;
    last_mark_offset_ = 0;
    if (!is_mark) history_->add(event);
  }
  if (is_mark && position.epoch == last_.epoch) last_mark_offset_ = position.offset;
  if (newest_) {
    ++event->users;  // the chain's
    newest_->next = &*event;
  }
  newest_ = event;
  before_last_ = std::exchange(last_, position);
  ++last_index_;
  if (history_ != nullptr) trim(at);
}

void EventLog::settle() {
  if (newest_ && newest_->users == 1) newest_ = EventRef();
}

void EventLog::History::add(const EventRef& event) {
  entries.push_back(event);
  bytes += event->frame.size();
}

void EventLog::History::drop_oldest() {
  bytes -= entries.front()->frame.size();
  entries.pop_front();
}

void EventLog::trim(Instant now) {
  if (history_ == nullptr) return;
  History& history = *history_;
  const auto is_over = [&] {
    if (history.entries.size() > history.limits.messages_max) return true;
    if (history.bytes > history.limits.bytes_max) return true;
    return history.age_max > Duration::zero() && now - history.entries.front()->at > history.age_max;
  };
  while (!history.entries.empty() && is_over()) history.drop_oldest();
}

EventRef EventLog::find_behind(std::uint64_t offset) const {
  if (history_ == nullptr) return EventRef();
  const auto& entries = history_->entries;
  const auto found = std::ranges::upper_bound(entries, offset, {},
                                              [](const EventRef& event) { return event->position.offset; });
  return found == entries.end() ? EventRef() : *found;
}

Instant EventLog::oldest_due() const {
  if (history_ == nullptr || history_->entries.empty() || history_->age_max == Duration::zero()) {
    return Instant::max();
  }
  return saturating_add(history_->entries.front()->at, history_->age_max);
}

}  // namespace fanfare::pubsub
