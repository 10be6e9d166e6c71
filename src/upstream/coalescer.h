#pragma once
// Identical reads in flight share one call: the first caller makes it, the others wait for the answer. No
// I/O.
//
//   const auto ticket = coalescer.join(key, need, now, waiter);
//   if (ticket) backend.call(.., [=](Result r) { coalescer.finish(*ticket, std::move(r)); });
//
// The answer of a call in flight may be older than what a caller has already seen. Two conditions prevent
// that a caller goes back in time: the block it was shown, and the moment of its own last write. (A client
// that has just sent a transaction must not get a nonce that was requested before.)
//
// A call that still waits in the gateway's queue for a node is shared only with its own client. Any other
// client would have to wait for the turn of a client that may have hundreds of calls queued.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "fanfare/unique_function.h"
#include "upstream/backend.h"

namespace fanfare::upstream {

// Equal for equivalent requests: the method, and the params without the space between tokens. `params_raw` is
// valid JSON or empty; missing, null and [] params are equal.
std::string request_key(std::string_view method, std::string_view params_raw);

struct CoalescerLimits {
  // Beyond it the next caller makes its own call and starts a new group.
  std::size_t waiters_max = 10000;
};

class Coalescer {
 public:
  // One result for all waiters: the answer still carries the id of the call.
  using SharedResult = std::shared_ptr<const Result>;
  using Waiter = UniqueFunction<void(const SharedResult&)>;
  struct Need {
    std::uint64_t head_min = 0;  // as in CallOptions
    Instant begun_after{};       // only a call made at or after it is shared
    // The call's caller in the queue and its queue time, if a call is made. No client waits in the queue for
    // another client's turn.
    Caller caller = {};
    std::shared_ptr<QueueTime> queue_time = {};
    trace::CallPtr traced = {};  // the client's call; null: nobody records it
  };
  enum class Ticket : std::uint64_t {};

  explicit Coalescer(CoalescerLimits limits = {}) : limits_(limits) {}

  // If a call that serves `need` is in flight, `waiter` waits for it and the result is empty. Otherwise the
  // caller makes the call (with need.head_min) and passes its result to finish() with the ticket.
  std::optional<Ticket> join(std::string_view key, Need need, Instant now, Waiter waiter);
  // Gives the result to every waiter of the ticket's call, in the order they came. Waiters may call join()
  // again.
  void finish(Ticket ticket, Result result);

  std::size_t calls_in_flight() const { return groups_.size(); }
  // Since the start, for the ratio of shared calls.
  std::uint64_t asked() const { return asked_; }
  std::uint64_t shared() const { return shared_; }

 private:
  struct Group {
    std::string key;
    std::uint64_t head_min;
    Instant begun;
    Caller caller = {};
    std::shared_ptr<QueueTime> queue_time = {};
    trace::CallPtr traced = {};
    std::vector<Waiter> waiters;
  };
  CoalescerLimits limits_;
  std::unordered_map<std::uint64_t, Group> groups_;
  std::unordered_multimap<std::string, std::uint64_t> by_key_;
  std::uint64_t serial_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t shared_ = 0;
};

}  // namespace fanfare::upstream
