#pragma once
// The texts that the server sends: docs/streams.md, field by field.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "fanfare/topic.h"
#include "streams/limits.h"
#include "streams/record.h"

namespace fanfare::streams {

// The forms in which clients get the events of a stream.
enum class Form : std::uint8_t {
  plain,       // without a position
  positioned,  // with its offset
  checked,     // with its offset and, every few values, a checksum: for clients that chose patches
  patched,     // as `checked`, with the patch instead of the value
};
inline constexpr std::size_t kFormCount = 4;

// Values with an offset that is a multiple of this have a checksum.
inline constexpr std::uint64_t kChecksumEvery = 8;

// The message of an event. `patched` needs Record::patch; it counts as `checked` for notices.
std::string message_of(std::string_view stream, const Record& record, Form form);

std::string welcome_message(std::span<const std::string> streams, std::int64_t seconds);

// What the answer to `subscribe` says beyond the stream's name.
struct Subscribed {
  std::string id = {};  // raw JSON; empty: none
  std::optional<Position> position = {};
  std::optional<bool> recovered = {};
  std::optional<Missed> missing = {};
  std::optional<std::vector<Record>> history = {};
};
std::string subscribed_message(std::string_view stream, const Subscribed& subscribed);
// `reason`: only if the server ended it.
std::string unsubscribed_message(std::string_view stream, std::string_view id, std::string_view reason = {});
std::string pong_message(std::string_view id);
// `streams`: those that the fresh credentials grant.
std::string authenticated_message(std::string_view id, std::span<const std::string> streams);
std::string missed_message(std::string_view stream, const Missed& missed, std::int64_t seconds);

struct StreamInfo {
  std::string name;
  std::int64_t interval_ms = 0;  // zero: it is not polled
  bool on_change = false;        // polls that find the same value send nothing
  std::size_t history = 0;
};
std::string hello_message(std::string_view id, const Limits& limits, std::span<const StreamInfo> streams);

// What can be wrong with a message of a client.
enum class ErrorCode : std::uint8_t {
  not_json,
  not_text,
  bad_message,
  unknown_type,
  unknown_stream,
  already_subscribed,
  not_subscribed,
  too_many_subscriptions,
  message_too_big,
  too_many_messages,
  limit_reached,  // a quota of the access control
  not_authenticated,
};
inline constexpr std::size_t kErrorCodeCount = 12;
std::string_view name_of(ErrorCode code);

struct ProtocolError {
  ErrorCode code = ErrorCode::bad_message;
  std::string message;
  std::string stream = {};  // the one that the request named
  std::string id = {};      // raw JSON
  Duration retry_after{};   // zero: it does not help to wait
};
// `is_extended`: the client has said hello, and gets more than the text.
std::string error_message(const ProtocolError& error, bool is_extended);

// An event of a Server-Sent Events stream: its id (empty: none) and one line of data.
// Of the place behind which a client with this `Last-Event-ID` goes on.
std::string event_id(Position position);
std::string sse_event(std::string_view id, std::string_view data);

}  // namespace fanfare::streams
