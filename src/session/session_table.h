#pragma once
// The sessions of one loop: who is here, by id, and the sweep that gives each its heartbeat and its deadlines
// without a timer of its own.

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "net/loop.h"
#include "session/drain_watch.h"
#include "session/session.h"
#include "ws/deflate_pool.h"

namespace fanfare::session {

// Written by the loop's thread alone, read by anyone.
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
  // `sweep_interval`: how exact heartbeats and deadlines are; those of every endpoint of the loop should be
  // several times as long.
  SessionTable(net::Loop& loop, Duration sweep_interval);
  ~SessionTable();
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // Null when that session is gone.
  Session* find(SessionId id) const;
  std::size_t size() const { return size_; }
  template <typename Visit>
  void for_each(Visit&& visit) {
    // By index: a visit may add sessions, and then the places move.
    // NOLINTNEXTLINE(modernize-loop-convert)
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_[i] != nullptr) visit(*places_[i]);
    }
  }

  // Closes every session and runs the loop, which must not be running, until they are gone.
  void close_all();

  net::Loop& loop() const { return loop_; }
  Random& random() { return random_; }
  SessionCounters& counters() { return counters_; }
  // What the compressed sessions of this loop with these options share.
  ws::DeflatePool& deflate_pool(const ws::DeflateOptions& options);
  // Calls session.go_on() in the loop's next turn, or, if this one has not come to its mailbox, already then.
  // Once, however often it is asked for.
  void go_on_next_turn(Session& session);
  // Milliseconds since the table was made; wraps after 49 days, so only differences mean anything.
  std::uint32_t now_ms() const;

 private:
  friend class Session;
  // What a session received while it was paused, or past the share of a turn. Here, because hardly any has
  // some.
  struct Unread {
    std::vector<std::uint8_t> bytes;
    std::size_t done = 0;
  };

  // Messages behind one that is sent in pieces.
  struct HeldMessage {
    Session::Form form;
    ws::Opcode opcode;  // unless it is a frame
    SharedBytes bytes;  // a frame, or a payload
  };
  struct Held {
    std::vector<HeldMessage> messages;
    std::size_t bytes = 0;
  };

  void go_on();
  void add(Session& session);
  void remove(Session& session);
  void sweep();
  void schedule();

  net::Loop& loop_;
  const Duration sweep_interval_;
  const Instant started_;
  SystemRandom random_;
  SessionCounters counters_;
  std::vector<std::unique_ptr<ws::DeflatePool>> deflate_pools_;
  std::deque<Session*> places_;  // null: free
  std::vector<std::uint32_t> free_places_;
  std::size_t size_ = 0;
  std::uint32_t last_generation_ = 0;
  std::unordered_map<const Session*, Unread> unread_;
  std::unordered_map<const Session*, Held> held_;
  std::unordered_map<const Session*, DrainWatch> drains_;  // of those that a deadline waits for
  std::vector<SessionId> going_on_;                        // in the next turn
  std::shared_ptr<SessionTable*> self_;                    // what is posted to the loop may outlive the table
  net::TimerId timer_;
};

}  // namespace fanfare::session
