#pragma once
// A relay (fanfare/relay.h) over NATS JetStream: topics of a hub that all instances of a program share (docs/relay.md).
//
//   auto relay = fanfare::make_nats_relay({.servers = {"nats://10.0.0.1:4222", "nats://10.0.0.2:4222"}, .replicas = 3});
//   if (!relay) return fail(relay.error());            // an option is invalid, a file cannot be read
//   hub.set_relay(*relay);                             // before start()
//   const auto prices = *hub.add_topic("prices", {.history = {.messages_max = 1000}, .relayed = true, .encode = ...});
//
// Each relayed topic is one JetStream stream, whose sequence numbers are the topic's offsets. The broker need not be
// reachable when the program starts. Link with fanfare::nats.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/relay.h"

namespace fanfare {

// What the broker keeps of each topic. Taken when a stream is created; an existing stream keeps its own.
struct NatsStreamLimits {
  std::uint64_t messages_max = 1000;
  std::uint64_t bytes_max = std::uint64_t{16} << 20;
  std::chrono::milliseconds age_max = std::chrono::milliseconds::zero();  // zero: any age

  friend bool operator==(const NatsStreamLimits&, const NatsStreamLimits&) = default;
};

struct NatsOptions {
  std::vector<std::string> servers;  // at least one: nats://HOST:PORT or tls://HOST:PORT, of one cluster
  // Names the streams of this program ("NAME_topic"): 1 to 32 of A-Z a-z 0-9 - _. Programs with the same name share
  // their topics.
  std::string name = "fanfare";
  // At most one way: user and password, a token, or a credentials file (JWT and NKey seed).
  std::string user = {};
  std::string password = {};
  std::string token = {};
  std::string credentials_file = {};
  // TLS: required with `tls`, or if one of the files is given.
  bool tls = false;
  std::string ca_file = {};
  std::string certificate_file = {};  // of this client; with key_file
  std::string key_file = {};
  std::string expected_host = {};  // in the broker's certificate; empty: the host of its URL
  int replicas = 1;                // of each stream: 1, 3 or 5 servers of the cluster
  bool in_memory = false;          // the broker keeps the streams in memory, not on disk
  NatsStreamLimits limits = {};
  // Events that were accepted and that the broker has not acknowledged. One more is refused.
  std::size_t in_flight_messages_max = 4096;
  std::size_t in_flight_bytes_max = std::size_t{16} << 20;
  // An event that was not acknowledged for so long is given up: its receipt is empty, and nobody knows its fate. At most
  // one minute, because the broker recognises repeated events for two.
  std::chrono::milliseconds publish_timeout = std::chrono::seconds(30);
  // The broker sends a sign of life for each topic that often; after three it counts as lost. 100 ms or more.
  std::chrono::milliseconds heartbeat = std::chrono::seconds(1);
  // Between attempts to reach the broker.
  std::chrono::milliseconds reconnect_wait = std::chrono::milliseconds(250);

  friend bool operator==(const NatsOptions&, const NatsOptions&) = default;
};

// bad_option: what is invalid, and why. Connects in Server::start(), and keeps trying.
FANFARE_EXPORT Expected<std::shared_ptr<Relay>, Error> make_nats_relay(NatsOptions options);

}  // namespace fanfare
