#pragma once
// The connections of one loop in all their phases, by id, and the sweep that checks their heartbeats and
// deadlines without a timer per connection.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/block_pool.h"
#include "base/growing_bytes.h"
#include "base/long_list.h"
#include "base/random.h"
#include "net/loop.h"
#include "session/connection_facts.h"
#include "session/drain_watch.h"
#include "session/session.h"
#include "session/session_watcher.h"
#include "session/unfinished_input.h"
#include "ws/deflate_pool.h"

namespace fanfare::session {

class HttpConnection;

// Written only by the loop's thread, readable by any thread.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

struct SessionCounters {
  Counter messages_received;
  Counter messages_sent;
  Counter bytes_received;
  Counter bytes_sent;         // queued for sending, frames and HTTP alike
  Counter turn_shares_spent;  // times a session had to wait for its next turn
};

class SessionTable {
 public:
  // So many are kept for the next connections when others have gone.
  static constexpr std::size_t kSlotsKept = 256;

  // `sweep_interval`: the accuracy of heartbeats and deadlines. The timeouts of the loop's endpoints should
  // be several times as long.
  SessionTable(net::Loop& loop, Duration sweep_interval);
  virtual ~SessionTable();
  // Loop thread. The next sweep is an interval from now, if it is another one.
  void set_sweep_interval(Duration interval);
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // The WebSocket with this id; null if it has ended, or the id is of another kind of member.
  Session* find(SessionId id) const;
  // The HTTP connection with this id; null if it has ended or is a WebSocket now.
  HttpConnection* find_http(SessionId id) const;
  // Of members of every kind.
  std::size_t size() const { return size_; }
  template <typename Visit>
  void for_each_member(Visit&& visit) {
    // By index: a visit may add members, which may move the slots.
    // NOLINTNEXTLINE(modernize-loop-convert)
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i] != nullptr) visit(*slots_[i]);
    }
  }
  template <typename Visit>
  void for_each_session(Visit&& visit) {
    for_each_member([&](Member& member) {
      if (member.kind_ == Member::Kind::websocket) visit(static_cast<Session&>(member));
    });
  }

  // For callers that look at all members in steps. Visits the members in the slots from `first` on, at most `slots_max`
  // slots; returns the first slot that was not visited, or slot_count(). A visit must not add members.
  std::size_t slot_count() const { return slots_.size(); }
  template <typename Visit>
  std::size_t visit_slots(std::size_t first, std::size_t slots_max, Visit&& visit) {
    const std::size_t end = first + std::min(slots_max, slots_.size() - std::min(first, slots_.size()));
    for (std::size_t i = first; i < end; ++i) {
      if (slots_[i] != nullptr) visit(*slots_[i]);
    }
    return end;
  }
  // Whether facts are kept. Those of members that are there begin now.
  void keep_facts(bool keep);
  // Null: nobody is told. It must outlive the table.
  void set_session_watcher(SessionWatcher* watcher) { session_watcher_ = watcher; }
  SessionWatcher* session_watcher() const { return session_watcher_; }
  // Null: they are not kept. Of a member that has joined.
  const ConnectionFacts* facts_of(const Member& member) const {
    return is_kept(member) ? &facts_->of(member.slot_) : nullptr;
  }
  // Null: the member is no WebSocket. Valid as long as the member.
  static Session* as_session(Member& member);
  static HttpConnection* as_http(Member& member);
  static const SessionData* data_of(const Session& session) { return session.data_.get(); }

  // Closes every connection and runs the loop until they have ended. The loop must not be running.
  void close_all();

  // True: HTTP connections end after their next response, and say so in it.
  void end_http_after_responses(bool end) { ends_http_ = end; }
  bool ends_http() const { return ends_http_; }

  net::Loop& loop() const { return loop_; }
  Random& random() { return random_; }
  SessionCounters& counters() { return counters_; }
  void count_received(const Member& member, std::uint64_t messages) {
    counters_.messages_received.add(messages);
    if (is_kept(member)) facts_->of(member.slot_).messages_received += messages;
  }
  void count_bytes_received(const Member& member, std::uint64_t bytes) {
    counters_.bytes_received.add(bytes);
    if (is_kept(member)) facts_->of(member.slot_).bytes_received += bytes;
  }
  void count_sent(const Member& member) {
    counters_.messages_sent.add();
    if (is_kept(member)) ++facts_->of(member.slot_).messages_sent;
  }
  void count_bytes_sent(const Member& member, std::size_t bytes) {
    if (is_kept(member)) facts_->of(member.slot_).bytes_sent += bytes;
  }
  // The state shared by this loop's compressed sessions with these options.
  ws::DeflatePool& deflate_pool(const ws::DeflateOptions& options);
  BlockPool& session_memory() { return session_memory_; }
  UnfinishedInput& unfinished() { return unfinished_; }
  // Calls member.go_on() in the loop's next turn, or in this turn if the loop has not run its mailbox yet.
  // Only once, however often it is requested.
  void go_on_next_turn(Member& member);
  // Milliseconds since the table was created. It wraps after 49 days, so only differences are meaningful.
  std::uint32_t now_ms() const;
  // The peer's address, as known to this table.
  virtual std::string peer_of(const net::Transport& transport) const { return transport.peer(); }
  // `next` takes the slot of `before`, with an id of its own; `before` is a member no longer.
  void replace(Member& before, Member& next);

 protected:
  // The member is a connection that the table's server has let in. This is kept over replace(), and
  // on_admitted_left() is called when the connection ends.
  static void mark_admitted(Member& member) { member.holds_admission_ = true; }
  static std::uint32_t slot_of(const Member& member) { return member.slot_; }
  static const net::Transport& transport_of(const Member& member) { return *member.transport_; }
  virtual void on_admitted_left(Member&) {}
  // No member has a slot of this number or a higher one.
  virtual void on_slots_dropped(std::size_t count);
  ConnectionFactsTable* facts() { return facts_.get(); }

 private:
  friend class Member;
  friend class SessionOutput;
  friend class Session;
  // Input that a session received while paused or beyond a turn's share. Stored here, because few sessions
  // have any.
  struct Unread {
    GrowingBytes bytes;
    std::size_t done = 0;
  };

  // Messages behind one that is sent in pieces.
  struct HeldMessage {
    SessionOutput::Form form;
    ws::Opcode opcode;  // unless it is a frame
    SharedBytes bytes;  // a frame, or a payload
  };
  struct Held {
    std::vector<HeldMessage> messages;
    std::size_t bytes = 0;
  };

  // A member that has left may still finish its turn.
  bool is_kept(const Member& member) const { return facts_ != nullptr && member.slot_ != Member::kNoSlot; }
  void go_on();
  Member* find_member(SessionId id) const;
  void add(Member& member);
  void give_id(Member& member);
  void remove(Member& member);
  void sweep();
  // Frees the last slots that nobody has, once most slots are free. A member that has one of the last keeps them all.
  void drop_slots();
  void schedule();

  net::Loop& loop_;
  Duration sweep_interval_;
  const Instant started_;
  SystemRandom random_;
  SessionCounters counters_;
  std::unique_ptr<ConnectionFactsTable> facts_;  // null: they are not kept
  SessionWatcher* session_watcher_ = nullptr;
  std::vector<std::unique_ptr<ws::DeflatePool>> deflate_pools_;
  BlockPool session_memory_{sizeof(Session)};
  LongList<Member*> slots_;  // null: free
  std::vector<std::uint32_t> free_slots_;
  std::size_t size_ = 0;
  bool ends_http_ = false;
  std::uint32_t last_generation_ = 0;
  std::unordered_map<const Session*, Unread> unread_;
  std::unordered_map<const SessionOutput*, Held> held_;
  UnfinishedInput unfinished_;
  std::unordered_map<const Member*, DrainWatch> drains_;  // of those that a deadline waits for
  std::vector<SessionId> going_on_;                       // in the next turn
  std::shared_ptr<SessionTable*> self_;                   // tasks posted to the loop may outlive the table
  net::TimerId timer_;
};

}  // namespace fanfare::session
