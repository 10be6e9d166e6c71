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
  explicit StreamSharing(NatsOptions options);
  StreamSharing(const StreamSharing&) = delete;
  StreamSharing& operator=(const StreamSharing&) = delete;

  // For a stream with this history, before it is added: what the broker creates from now on keeps at least as much.
  void keep(std::uint64_t history_messages, std::uint64_t history_bytes);
  relay::NatsRelay& relay() { return relay_; }
  const relay::NatsRelay& relay() const { return relay_; }
  relay::Leases& leases() { return leases_; }
  const relay::Leases& leases() const { return leases_; }

 private:
  const NatsOptions options_;
  relay::NatsRelay relay_;
  relay::Leases leases_;
};

}  // namespace fanfare::gateway
