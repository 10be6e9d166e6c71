#pragma once
// The limits of the stream protocol, per connection unless stated otherwise. Each has a test at the limit and past it.

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace fanfare::streams {

struct Limits {
  std::size_t connections_max = 10'000;  // of the process, both transports: one more is refused with 503
  std::size_t subscriptions_per_connection_max = 64;  // one more is answered too_many_subscriptions
  // A longer message is answered message_too_big; one of over 16 times the size closes with 1009.
  std::size_t message_bytes_max = 4096;
  // Messages from the client. A burst of as many is allowed. Further ones are answered too_many_messages, once a
  // second, and ignored; ten times the rate closes with 1008.
  std::uint32_t messages_per_second = 20;
  std::size_t history_answer_bytes_max = std::size_t{1} << 20;  // of the values in one answer: fewer are sent
  // A client with so many unsent bytes is closed with 1013.
  std::size_t outbox_bytes_max = std::size_t{4} << 20;
  // Hints for clients that reconnect.
  Duration reconnect_min = std::chrono::milliseconds(500);
  Duration reconnect_max = std::chrono::seconds(30);
  Duration ping_interval = std::chrono::seconds(30);  // of the WebSocket
  Duration heartbeat = std::chrono::seconds(15);      // comment lines of Server-Sent Events
  // A client for which a quarter of outbox_bytes_max waits, and that takes no byte for this time, is closed: with 1013
  // over a WebSocket; the answer of Server-Sent Events is cut off.
  Duration slow_timeout = std::chrono::seconds(10);

  bool operator==(const Limits&) const = default;
};

inline constexpr std::size_t kMessageBytesFactor = 16;  // message_bytes_max times this closes with 1009
inline constexpr std::uint32_t kFloodFactor = 10;       // messages_per_second times this closes with 1008
inline constexpr std::size_t kHistoryAskedMax = 10'000;
inline constexpr std::size_t kIdBytesMax = 64;

}  // namespace fanfare::streams
