#pragma once
// Streams and consumers of the broker. Each function asks the broker and waits for its answer, for two seconds at most.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "relay/link.h"
#include "relay/reader.h"

namespace fanfare::relay {

struct StreamAddress {
  std::string name;   // NatsOptions::name
  std::string token;  // of the topic

  std::string stream() const { return stream_of(name, token); }
};

class JetStream {
 public:
  // The link is open and outlives this.
  JetStream(Link& link, const NatsOptions& options) : link_(link), options_(options) {}

  // The stream's state. It is created, with `new_epoch`, if there is none. The error is for people.
  std::expected<StreamState, std::string> open(const StreamAddress& address, std::uint64_t new_epoch);
  // What is stored from now on has this epoch.
  std::expected<void, std::string> set_epoch(const StreamAddress& address, std::uint64_t epoch);
  // An ordered consumer from this sequence on: nothing is acknowledged or repeated. Returns its name.
  std::expected<std::string, std::string> consume(const StreamAddress& address, std::uint64_t from,
                                                  const std::string& deliver_to);
  void end_consumer(const StreamAddress& address, const std::string& consumer);

 private:
  std::expected<StreamState, std::string> create(const StreamAddress& address, std::uint64_t epoch);
  // Empty: there is no such stream.
  std::expected<std::optional<StreamState>, std::string> find(const StreamAddress& address);

  Link& link_;
  const NatsOptions& options_;
};

}  // namespace fanfare::relay
