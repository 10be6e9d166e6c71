#pragma once
// What a relay and its leases count. Totals since the start; "now" marks current values. Any thread.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fanfare::relay {

struct RelayCounters {
  std::atomic<bool> is_up = false;            // now
  std::atomic<std::size_t> topics = 0;        // now, read from the broker
  std::atomic<std::size_t> in_flight = 0;     // now, events
  std::atomic<std::uint64_t> published = 0;   // acknowledged
  std::atomic<std::uint64_t> received = 0;    // messages of consumers
  std::atomic<std::uint64_t> refused = 0;     // publish() returned false
  std::atomic<std::uint64_t> given_up = 0;    // accepted, with an empty receipt
  std::atomic<std::uint64_t> repeated = 0;    // sent again
  std::atomic<std::uint64_t> times_down = 0;  // became unreachable
  std::atomic<std::uint64_t> stalls = 0;      // a topic was found not to be delivered
};

struct LeaseCounters {
  std::atomic<std::size_t> held = 0;       // now
  std::atomic<std::uint64_t> taken = 0;    // became held
  std::atomic<std::uint64_t> expired = 0;  // ended because they were not renewed in time
};

}  // namespace fanfare::relay
