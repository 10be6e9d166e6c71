#pragma once
// Asks the broker for stored messages by their sequence (JetStream's direct get), for PastReads. On the relay's thread.

#include <cstdint>
#include <optional>
#include <string>

#include "pubsub/relay.h"
#include "relay/jet_stream.h"
#include "relay/link.h"
#include "relay/past_reads.h"

namespace fanfare::relay {

class DirectGet {
 public:
  // All outlive this.
  DirectGet(Link& link, JetStream& jet_stream, const NatsOptions& options)
      : link_(link), jet_stream_(jet_stream), options_(options) {}

  PastReads::Broker broker() {
    return {.ask = [this](const std::string& topic, std::uint64_t sequence,
                          const std::string& id) { return ask(topic, sequence, id); },
            .state_of = [this](const std::string& topic) { return state_of(topic); }};
  }
  // What an answer begins with, behind the inbox's prefix; then the id.
  static constexpr std::string_view kAnswer = "r.";
  // Empty: the broker does not have it.
  static std::optional<pubsub::RelayedEvent> event_of(const Incoming& message);

 private:
  bool ask(const std::string& topic, std::uint64_t sequence, const std::string& id);
  std::optional<StreamState> state_of(const std::string& topic);

  Link& link_;
  JetStream& jet_stream_;
  const NatsOptions& options_;
};

}  // namespace fanfare::relay
