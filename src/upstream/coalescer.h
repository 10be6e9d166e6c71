#pragma once
// Identical reads under way share one call: the first asks, the others wait for the same answer. No I/O.
//
//   const auto ticket = coalescer.join(key, need, now, waiter);
//   if (ticket) backend.call(.., [=](Result r) { coalescer.finish(*ticket, std::move(r)); });
//
// An answer under way may be older than what a caller has already seen. Two things keep it from going back in
// time: the block it was shown, and the moment of its own last write (somebody who has just sent a
// transaction must not be given a nonce that was asked for before).
//
// A call that still waits in our queue for a node is shared only with its own client: whoever else asks the
// same would wait for the turn of somebody who may have hundreds of calls before it.

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

// Equal for requests that ask the same: the method, and the params without the space between tokens.
// `params_raw` is valid JSON or empty; missing, null and [] params are the same.
std::string request_key(std::string_view method, std::string_view params_raw);

struct CoalescerLimits {
  // Past it the next caller asks for itself and starts a new group.
  std::size_t waiters_max = 10000;
};

class Coalescer {
 public:
  // One result for all who wait: the answer still carries the id it was asked with.
  using SharedResult = std::shared_ptr<const Result>;
  using Waiter = UniqueFunction<void(const SharedResult&)>;
  struct Need {
    std::uint64_t head_min = 0;  // as in CallOptions
    Instant begun_after{};       // only a call made at or after it will do
    // Whose turn the call takes, and the time it waits for that, if it is made: nobody waits in the queue for
    // somebody else's turn.
    Caller caller = {};
    std::shared_ptr<QueueTime> queue_time = {};
  };
  enum class Ticket : std::uint64_t {};

  explicit Coalescer(CoalescerLimits limits = {}) : limits_(limits) {}

  // Whether a call that serves `need` is under way: then `waiter` waits for it and the result is empty.
  // Otherwise the caller makes the call (with need.head_min) and hands its end to finish() with the ticket.
  std::optional<Ticket> join(std::string_view key, Need need, Instant now, Waiter waiter);
  // Gives the result to every waiter of the ticket's call, in the order they came. They may call join()
  // again.
  void finish(Ticket ticket, Result result);

  std::size_t calls_in_flight() const { return groups_.size(); }
  // Since the start, for the ratio.
  std::uint64_t asked() const { return asked_; }
  std::uint64_t shared() const { return shared_; }

 private:
  struct Group {
    std::string key;
    std::uint64_t head_min;
    Instant begun;
    Caller caller = {};
    std::shared_ptr<QueueTime> queue_time = {};
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
