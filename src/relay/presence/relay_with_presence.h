#pragma once
// The relay of a program: topics, and their presence over a connection of its own.

#include <utility>

#include "relay/nats_relay.h"
#include "relay/presence/nats_presence.h"

namespace fanfare::relay {

class RelayWithPresence final : public NatsRelay {
 public:
  // As NatsRelay.
  explicit RelayWithPresence(const NatsOptions& options)
      : NatsRelay(options), presence_(options, [this] { count_stall(); }) {}

  void start(pubsub::RelaySink& sink) override {
    NatsRelay::start(sink);
    start_error().empty() ? presence_.start() : presence_.stop();
  }
  void stop() override {
    presence_.stop();
    NatsRelay::stop();
  }
  pubsub::RelayedPresence* presence() override { return &presence_; }

 private:
  NatsPresence presence_;
};

}  // namespace fanfare::relay
