#pragma once
// The streams of a process, their limits and counters. Any thread.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pubsub/hub.h"
#include "streams/limits.h"
#include "streams/messages.h"
#include "streams/stream.h"

namespace fanfare::streams {

enum class Transport : std::uint8_t { websocket, events };
inline constexpr std::size_t kTransportCount = 2;

struct StreamOptions {
  std::string name;
  std::int64_t interval_ms = 0;  // for clients; zero: it is not polled
  bool on_change = false;        // for clients
  std::size_t history_messages = 300;
  std::size_t history_bytes = std::size_t{4} << 20;
  TopicPolicy slow_readers = {.when_full = WhenFull::keep_latest};
  // Other instances have the stream as well. Needs a relay of the hub, which keeps at least as much.
  bool shared = false;
  bool new_only = false;  // with `shared`: its publisher asks for the values of all instances
};

// The name of its topic.
std::string topic_of(std::string_view stream);

class Catalog {
 public:
  // The hub must outlive the catalog.
  Catalog(pubsub::Hub& hub, const Limits& limits) : hub_(hub) { set_limits(limits); }
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  // The error says what cannot be used, or that the name is taken.
  std::expected<std::shared_ptr<Stream>, std::string> add(const StreamOptions& options);
  // Null: there is none.
  std::shared_ptr<Stream> find(std::string_view name) const;
  // In the order in which they were added.
  std::vector<std::shared_ptr<Stream>> all() const;
  std::vector<std::string> names() const;
  // Subscribers get `unsubscribed`. False: it was removed before.
  bool remove(const std::string& name);

  // Valid as long as the catalog.
  const Limits& limits() const { return *limits_.load(std::memory_order_acquire); }
  // One thread at a time. Each set is kept, because others may be reading it.
  void set_limits(const Limits& limits) {
    limits_.store(&all_limits_.emplace_back(limits), std::memory_order_release);
  }
  pubsub::Hub& hub() const { return hub_; }

  // One of the connections of the process. False: connections_max is reached.
  bool reserve_connection(Transport transport);
  void release_connection(Transport transport);
  std::size_t connections(Transport transport) const {
    return connections_[static_cast<std::size_t>(transport)].load(std::memory_order_relaxed);
  }
  std::uint64_t connections_refused() const { return refused_.load(std::memory_order_relaxed); }
  void count_error(ErrorCode code) {
    errors_[static_cast<std::size_t>(code)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t errors(ErrorCode code) const {
    return errors_[static_cast<std::size_t>(code)].load(std::memory_order_relaxed);
  }

 private:
  pubsub::Hub& hub_;
  std::deque<Limits> all_limits_;  // the last one is in use
  std::atomic<const Limits*> limits_ = nullptr;
  std::atomic<std::size_t> open_ = 0;
  std::array<std::atomic<std::size_t>, kTransportCount> connections_ = {};
  std::atomic<std::uint64_t> refused_ = 0;
  std::array<std::atomic<std::uint64_t>, kErrorCodeCount> errors_ = {};
  mutable std::shared_mutex mutex_;  // guards streams_
  std::vector<std::shared_ptr<Stream>> streams_;
};

}  // namespace fanfare::streams
