#pragma once
// What the streams of a gateway need to be shared with other instances: the relay, and the leases that decide who polls.

#include <functional>
#include <memory>
#include <string>

#include "fanfare/nats.h"
#include "relay/leases.h"
#include "relay/nats_relay.h"

namespace fanfare::gateway {

class StreamSharing {
 public:
  // Limits of the broker are those of the largest history.
  StreamSharing(NatsOptions options, std::uint64_t messages_max, std::uint64_t bytes_max);
  StreamSharing(const StreamSharing&) = delete;
  StreamSharing& operator=(const StreamSharing&) = delete;

  relay::NatsRelay& relay() { return relay_; }
  const relay::NatsRelay& relay() const { return relay_; }
  relay::Leases& leases() { return leases_; }

  // The length of the lease for a stream that is polled at this interval.
  static Duration lease_of(Duration interval) { return std::max(interval, kLeaseMin); }
  // Another instance polls within two intervals, or twice this.
  static constexpr Duration kLeaseMin = std::chrono::milliseconds(500);

 private:
  const NatsOptions options_;
  relay::NatsRelay relay_;
  relay::Leases leases_;
};

}  // namespace fanfare::gateway
