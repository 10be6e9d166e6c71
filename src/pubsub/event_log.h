#pragma once
// The events of one topic on one loop: a chain that lives as long as somebody has to read it. One thread.
//
//   history ---->[41]->[42]->[43]->[44]<---- newest
//                        ^
//                a reader that is behind: its EventRef
//
// An entry lives while a reader, the history or an older entry refers to it. So a reader that is behind keeps
// what it has not read, and nothing else; who lets it fall too far behind is its policy (pubsub/pace.h).
// An entry without a frame is a mark: what lies between it and the entry before is lost.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "base/shared_bytes.h"
#include "base/time.h"
#include "fanfare/topic.h"

namespace fanfare::pubsub {

struct Event {
  Position position;
  SharedBytes frame;  // empty: a mark
  Instant at;
  std::uint64_t index = 0;  // one more than the entry before, whatever the offsets
  Event* next = nullptr;
  std::uint32_t users = 0;

  bool is_mark() const { return frame.empty(); }
};

class EventRef {
 public:
  EventRef() = default;
  explicit EventRef(Event* event) : event_(event) {
    if (event_ != nullptr) ++event_->users;
  }
  EventRef(const EventRef& other) : EventRef(other.event_) {}
  EventRef(EventRef&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  EventRef& operator=(EventRef other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~EventRef() { release(event_); }

  explicit operator bool() const { return event_ != nullptr; }
  Event* operator->() const { return event_; }
  Event& operator*() const { return *event_; }
  // Empty at the newest.
  EventRef next() const { return EventRef(event_->next); }

 private:
  // A long chain goes entry by entry, not by recursion.
  static void release(Event* event) noexcept;

  Event* event_ = nullptr;
};

class EventLog {
 public:
  // Without a history: what a plain topic needs.
  EventLog() = default;
  // Stands at `position`.
  EventLog(Position position, const HistoryLimits& limits);
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Stands at `position`; before the first append().
  void begin_at(Position position) { last_ = before_last_ = position; }

  // The next event, whose position the caller knows. A mark (empty frame) stays in the chain, not in the
  // history.
  void append(Position position, SharedBytes frame, Instant at);
  // As the event that follows the last one, for topics whose positions nobody sees.
  void append(SharedBytes frame) { append({last_.epoch, last_.offset + 1}, std::move(frame), Instant{}); }
  // After each append(), when the subscribers have had it: the newest entry goes if nobody needs it.
  void settle();

  // Where the log stands: the position of the newest event, gone or not.
  Position last() const { return last_; }
  // Before the newest append().
  Position before_last() const { return before_last_; }
  std::uint64_t last_index() const { return last_index_; }
  // Between append() and settle(): that event. Else the newest one if somebody still needs it.
  const EventRef& newest() const { return newest_; }

  // Drops what is older than the history's age_max.
  void trim(Instant now);
  // The first event of the history behind this offset; empty when there is none.
  EventRef find_behind(std::uint64_t offset) const;
  // The offset of the latest mark at or before which the history is not whole; zero: none.
  std::uint64_t last_mark_offset() const { return last_mark_offset_; }
  std::size_t history_messages() const { return history_ == nullptr ? 0 : history_->entries.size(); }
  std::size_t history_bytes() const { return history_ == nullptr ? 0 : history_->bytes; }
  // When the oldest event of the history is due to go; Instant::max(): never.
  Instant oldest_due() const;

 private:
  struct History {
    HistoryLimits limits;
    Duration age_max;
    std::deque<EventRef> entries;
    std::size_t bytes = 0;

    void add(const EventRef& event);
    void drop_oldest();
  };

  Position last_;
  Position before_last_;
  std::uint64_t last_index_ = 0;
  std::uint64_t last_mark_offset_ = 0;
  EventRef newest_;
  std::unique_ptr<History> history_;
};

static_assert(sizeof(EventLog) <= 64, "a topic has one on each loop");
static_assert(sizeof(Event) <= 56,
              "what an event in the history costs on each loop, beside the shared bytes");

}  // namespace fanfare::pubsub
