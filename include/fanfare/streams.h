#pragma once
// Named streams of JSON values with the protocol of docs/streams.md: over a WebSocket, and as Server-Sent Events for
// clients that cannot use one. Browsers read them with @fanfare/client.
//
//   fanfare::Server server({.port = 9001});
//   fanfare::Hub hub(server);
//   fanfare::Streams streams(server);                         // /streams and /streams/sse
//   const auto load = *streams.add("load");
//   ...
//   load.publish("{\"percent\": 71}");                        // any thread
//
// Threads: any, unless stated otherwise. Handles can be copied freely and may outlive the server; their calls are then
// rejected.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/server.h"
#include "fanfare/topic.h"

namespace fanfare {

namespace streams {
class Stream;
}  // namespace streams

// Of all streams of a server. The limits are explained in docs/streams.md, "Errors".
struct StreamsOptions {
  std::string path = "/streams";  // of the WebSocket; Server-Sent Events are at path + "/sse"
  // RFC6455§10.2: origins that may connect, as in WebSocket::origins. Empty: all.
  std::vector<std::string> origins = {};
  std::size_t connections_max = 10'000;
  std::size_t subscriptions_per_connection_max = 64;
  std::size_t message_bytes_max = 4096;
  std::uint32_t messages_per_second = 20;  // 1 to 1,000,000; other values count as the nearest of these
};

struct StreamOptions {
  // The number of values and notices kept for new and returning subscribers; at least 2.
  std::size_t history_messages = 300;
  // Their bytes; at least 64 KiB. A value may take an eighth of it.
  std::size_t history_bytes = std::size_t{4} << 20;
  // For slow subscribers.
  TopicPolicy slow_readers = {.when_full = WhenFull::keep_latest};
  // The interval at which values are published, as a hint to clients. Zero: unknown.
  std::chrono::milliseconds interval = std::chrono::milliseconds::zero();
};

enum class StreamResult : std::uint8_t {
  published,
  not_json,  // not one JSON value (RFC 8259), or nested more than 32 deep
  too_long,  // more than an eighth of StreamOptions::history_bytes
  refused,   // the hub is at a limit, the server is not running, or the stream was removed
};

// A stream of a server. A handle without a stream (default-constructed) refuses every call.
class FANFARE_EXPORT JsonStream {
 public:
  JsonStream() = default;
  explicit operator bool() const { return stream_ != nullptr; }

  // A value for all subscribers. Its timestamp is now.
  StreamResult publish(std::string_view json) const;
  // Notifies subscribers once that no values follow until restore(). `reason` is for people; one that is not
  // UTF-8 is left out.
  void interrupt(std::string_view reason) const;
  // The last value follows at once, if there is one.
  void restore() const;
  // The number of subscribers. Without any, a program need not compute values.
  std::size_t subscribers() const;

 private:
  friend class Streams;
  std::shared_ptr<streams::Stream> stream_;
  std::weak_ptr<api::ServerImpl> impl_;
};

// The streams of one server.
class FANFARE_EXPORT Streams {
 public:
  // Call before Server::start(), once per server, after the server's Hub was created; otherwise the process ends with
  // a message. The streams belong to the server; this object is a handle.
  explicit Streams(Server& server, StreamsOptions options = {});

  // Before or after start(). bad_option: the name is invalid or in use, or an option is invalid.
  [[nodiscard]] Expected<JsonStream, Error> add(std::string name, StreamOptions options = {}) const;
  // Subscribers are unsubscribed. False: there is no such stream.
  bool remove(std::string_view name) const;

 private:
  std::shared_ptr<api::ServerImpl> impl_;
};

}  // namespace fanfare
