#pragma once
// Streams and consumers of the broker. Each function asks the broker and waits for its answer, for two seconds at most.

#include <atomic>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "relay/known_streams.h"
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

  // Streams that are made from now on keep so much, if it is more than the options say. One thread beside that of the others.
  void keep_at_least(std::uint64_t messages, std::uint64_t bytes);

  // Returns the stream's state. If there is none, it is created with `new_epoch`; one that was deleted is created again only after a
  // pause (KnownStreams). The error is for people.
  std::expected<StreamState, std::string> open(const StreamAddress& address, std::uint64_t new_epoch);
  // What is stored from now on has the epoch `to`, unless the stream has another one than `from` by now. Returns its state then.
  std::expected<StreamState, std::string> change_epoch(const StreamAddress& address, std::uint64_t from,
                                                       std::uint64_t to);
  // An ordered consumer from this sequence on: nothing is acknowledged or repeated. Returns its name. It ends soon after nobody
  // subscribes to its subject any more.
  std::expected<std::string, std::string> consume(const StreamAddress& address, std::uint64_t from,
                                                  const std::string& deliver_to);
  // Empty: there is no such stream.
  std::expected<std::optional<StreamState>, std::string> find(const StreamAddress& address);
  // Whether the stream's leader has this message.
  std::expected<bool, std::string> has(const StreamAddress& address, std::uint64_t sequence);
  // As deleted_of(). Waits for two seconds at most.
  std::expected<std::vector<std::uint64_t>, std::string> deleted(const StreamAddress& address);

 private:
  std::expected<StreamState, std::string> create(const StreamAddress& address, std::uint64_t epoch);

  Link& link_;
  const NatsOptions& options_;
  KnownStreams known_;
  std::atomic<std::uint64_t> messages_kept_ = 0;
  std::atomic<std::uint64_t> bytes_kept_ = 0;
};

}  // namespace fanfare::relay
