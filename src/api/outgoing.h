#pragma once
// What threads other than the client's hand over to be sent: in order, bounded, and true about what becomes
// of it. One lock, held for a moment; the client's thread passes on to the connection what is here.
//
//   refusing   before start(), after the end, from close() on: nothing is taken
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
    bool first = false;  // of those that wait: the client's thread has to be asked to pass them on
  };

  explicit Outgoing(const ClientOptions& options);

  // Any thread.
  Taken push(ws::Opcode opcode, Bytes payload, SendOptions options = {});
  // False: it was called already, since the last start().
  bool close();
  bool is_open() const { return is_open_.load(std::memory_order_acquire); }
  std::size_t bytes() const;  // here and in the outbox
  std::uint64_t unsent_messages() const { return unsent_.load(std::memory_order_relaxed); }

  // Any thread, before the client is told to connect.
  void start();

  // The client's thread.
  void opened();
  // `may_reopen`: the connection is lost, and another one will be tried. Otherwise it was the last one.
  // Returns the bytes of what is given up.
  std::size_t lost(bool may_reopen);
  // The oldest one.
  std::optional<Item> take();
  // One that was taken could not be sent.
  void count_unsent(const Item& item);
  bool empty() const;
  void set_outbox_bytes(std::size_t bytes) { outbox_bytes_.store(bytes, std::memory_order_relaxed); }
  // The drain handler is owed a call: somebody was told congested for what was passed on directly.
  void owe_drain();
  // The outbox is empty. True: all that waited when somebody was told congested has been sent, and the drain
  // handler is to be called, whatever waits behind it by now.
  bool take_owed_drain();

 private:
  enum class State : std::uint8_t { refusing, waiting, open };

  void set_state(State state);
  void owe_drain_after(std::uint64_t item);
  std::size_t drop(bool pings_only);

  const std::size_t outbox_bytes_max_;
  const std::size_t outbox_bytes_high_;
  const std::size_t queue_bytes_max_;

  mutable std::mutex mutex_;  // for what follows, up to the empty line
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  State state_ = State::refusing;
  bool closing_ = false;      // close() was called
  std::uint64_t pushed_ = 0;  // items, ever
  // What was the newest item when somebody was told congested: the first time since the drain handler was
  // called, and the last time. Zero is before all items.
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
