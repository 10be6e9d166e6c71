#pragma once
// Subscribers that read more slowly than their topics publish: the one implementation of TopicPolicy. One
// thread.
//
//   live      nothing waits: an event is sent as it is published
//   behind    `next` is the first event of the topic's log that was not sent; the owner of the outbox calls
//             take() when there is room again. A subscriber that replays the history is behind, no more.
//   ahead     it has seen events that this loop has yet to see: they are skipped
//   apart     it replays what only the disk has (pubsub/replays.h): `next` is in a chain of its own, or empty until
//             the next piece is read. What is published meanwhile is found in the log or on disk when it gets there.
//
// What a subscriber does not get is found by comparing positions when it goes on, so the account is exact
// whatever was dropped, or lost before it came here.

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "fanfare/topic.h"
#include "pubsub/event_log.h"
#include "pubsub/topic_table.h"

namespace fanfare::pubsub {

class PacedSubscriber;

// Those of one outbox that have something waiting: the first to wait first.
struct WaitingList {
  std::list<PacedSubscriber*> order;
  // What waits for subscribers that must not lose anything (WhenFull::close), without the history they
  // replay.
  std::size_t whole_bytes = 0;
};

class PacedSubscriber : public Subscriber {
 public:
  PacedSubscriber(const PacedSubscriber&) = delete;
  PacedSubscriber& operator=(const PacedSubscriber&) = delete;

  // The policy from here on; at first it is WhenFull::close, which needs neither list nor log. For what
  // waits, too: fewer may wait, or, back at close, all of it has to go. The list and the log, always the same
  // ones, outlive the subscriber.
  void set_policy(TopicPolicy policy, WaitingList& list, EventLog& log);
  void set_close_policy();
  // Before it is subscribed: begins behind, at `next` (empty: live), and has had everything up to `position`.
  // Events after `position` that the log has yet to get are taken from there, earlier ones are skipped.
  void begin(const EventRef& next, Position position, WaitingList& list, EventLog& log);

  // Before it is subscribed: begins apart, and has had everything up to `position`. Then feed() with each piece,
  // when nothing of the last one waits, and at the end join_log().
  void begin_apart(Position position, WaitingList& list, EventLog& log);
  void feed(const EventRef& first);
  // Back to before begin_apart().
  void end_apart();
  // `next` is in the log; empty: live, or ahead.
  void join_log(const EventRef& next, Position position);
  // It has seen events that the log has yet to get.
  bool is_ahead() const;
  // Those do not come: it goes on with everything that the log has. Returns what the subscriber must be told before.
  Missed end_ahead();
  // While apart, or ahead: the last that was sent.
  Position sent() const { return pace_->sent; }
  const EventLog& log() const { return pace_->log; }

  bool deliver(const SharedBytes& frame) override;
  // Between append() and settle() of its log, instead of deliver(): the newest event is not for this one, and is
  // neither sent nor missed.
  void skip_newest();
  // The newest entry of the log is a mark, behind which `missed` is lost: a live subscriber is notified
  // now, one that is behind when it comes to it. The subscriber may be gone when this returns.
  void meet_mark(const Missed& missed);

  struct Next {
    std::optional<Missed> missed;  // first
    SharedBytes frame;             // empty: nothing but the notice, if there is one
  };
  // The oldest that waits; empty when nothing does.
  std::optional<Next> take();
  // What the subscriber does not get, before what follows: by the owner after take(), and within meet_mark().
  // May end the subscriber's life.
  virtual void on_missed(const Missed& missed) = 0;
  virtual std::string_view topic_name() const = 0;
  bool is_behind() const { return pace_ != nullptr && pace_->next; }
  // Nothing waits, and nothing is to be skipped: the fast path of deliver().
  bool is_plain() const { return pace_ == nullptr; }

 protected:
  PacedSubscriber() = default;
  ~PacedSubscriber();

  // The outbox. send() is false for one that is closed.
  virtual bool is_open() const = 0;
  bool is_congested() const override = 0;
  virtual bool send(const SharedBytes& frame) = 0;
  // Whether the outbox may hold so many bytes more; otherwise it ends as too slow.
  virtual bool has_room_behind(std::size_t bytes) = 0;
  // That of set_policy() or begin(); not while is_plain().
  WaitingList& waiting_list() const { return pace_->list; }
  // Something waits although the outbox has room: the owner calls take() later, not within this call.
  virtual void on_ready() = 0;
  // Apart, and nothing of the piece waits any more. feed() or join_log() follows later, not within this call.
  virtual void on_piece_end() {}

 private:
  struct Pace {
    Pace(WaitingList& its_list, EventLog& its_log, std::size_t its_waiting_max, bool is_whole)
        : list(its_list), log(its_log), waiting_max(its_waiting_max), whole(is_whole) {}

    WaitingList& list;
    EventLog& log;
    std::size_t waiting_max;       // not under whole
    std::uint64_t free_until = 0;  // entries up to here are history: they wait without counting
    EventRef next;                 // empty: nothing waits
    Position sent;                 // the last event sent or announced; while something waits, and ahead
    std::list<PacedSubscriber*>::iterator place;          // while something waits
    std::unique_ptr<std::vector<std::uint64_t>> skipped;  // indices of what waits and is not for this one
    bool whole;                                           // WhenFull::close: this goes once nothing waits
    bool ahead = false;
    bool apart = false;
  };
  static_assert(sizeof(Pace) <= 80, "what a subscriber that is behind costs more, whatever waits");

  bool deliver_paced(const SharedBytes& frame);
  void start_waiting(const EventRef& first, Position sent);
  void drop_excess();
  // Of what waits, without the history that is replayed.
  std::size_t counted_bytes() const;
  void stop_waiting();
  bool is_skipped(std::uint64_t index) const;
  // Forgets those before `index`; returns how many they were.
  std::size_t forget_skipped_before(std::uint64_t index);

  std::unique_ptr<Pace> pace_;  // null: WhenFull::close, and live
};

}  // namespace fanfare::pubsub
