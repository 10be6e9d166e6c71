#pragma once
// The queue of messages that other threads send through a client: in order, bounded, and with reliable
// results. One lock, held only briefly. The client's thread moves messages from this queue to the connection.
//
//   refusing   before start(), after the end, after close(): nothing is taken
//   waiting    no connection, but one may come: taken up to queue_bytes_max
//   open       taken up to outbox_bytes_max, with what the connection's outbox holds

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "base/shared_bytes.h"
#include "fanfare/options.h"
#include "fanfare/session.h"
#include "ws/opcode.h"

namespace fanfare::api {

class Outgoing {
 public:
  struct Item {
    ws::Opcode opcode;  // text, binary or ping
    SharedBytes payload;
    SendOptions options;
  };
  struct Taken {
    SendResult result = SendResult::closed;
    bool first = false;  // first in the queue: the caller must wake the client's thread to pass it on
  };

  explicit Outgoing(const ClientOptions& options);

  // Any thread.
  Taken push(ws::Opcode opcode, Bytes payload, SendOptions options = {});
  // Returns false if it was already called since the last start().
  bool close();
  bool is_open() const { return is_open_.load(std::memory_order_acquire); }
  std::size_t bytes() const;  // in this queue and in the outbox
  std::uint64_t unsent_messages() const { return unsent_.load(std::memory_order_relaxed); }

  // Any thread, before the client connects.
  void start();

  // The client's thread.
  void opened();
  // `may_reopen`: the connection is lost, and the client will reconnect. Otherwise it was the last
  // connection. Returns the number of bytes discarded.
  std::size_t lost(bool may_reopen);
  // Takes the oldest message.
  std::optional<Item> take();
  // Counts a message that was taken but could not be sent.
  void count_unsent(const Item& item);
  bool empty() const;
  void set_outbox_bytes(std::size_t bytes) { outbox_bytes_.store(bytes, std::memory_order_relaxed); }
  // Requests a call of the drain handler, because a directly passed message returned congested.
  void owe_drain();
  // Called when the outbox is empty. Returns true if all messages that waited when congested was returned
  // have been sent. Then the drain handler must be called, even if newer messages wait.
  bool take_owed_drain();

 private:
  enum class State : std::uint8_t { refusing, waiting, open };

  void set_state(State state);
  void owe_drain_after(std::uint64_t item);
  std::size_t drop(bool pings_only);

  const std::size_t outbox_bytes_max_;
  const std::size_t outbox_bytes_high_;
  const std::size_t queue_bytes_max_;

  mutable std::mutex mutex_;  // guards the members up to the empty line
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  State state_ = State::refusing;
  bool closing_ = false;      // close() was called
  std::uint64_t pushed_ = 0;  // total number of items
  // The newest item when congested was returned: the first time since the last drain call, and the latest
  // time. Zero means before all items.
  struct OwedDrain {
    std::uint64_t first;
    std::uint64_t last;
  };
  std::optional<OwedDrain> owed_drain_;

  std::atomic<bool> is_open_ = false;  // state_ == open
  std::atomic<std::size_t> outbox_bytes_ = 0;
  std::atomic<std::uint64_t> unsent_ = 0;
};

}  // namespace fanfare::api
