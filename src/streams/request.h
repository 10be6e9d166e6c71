#pragma once
// The messages of clients: docs/streams.md, "Client to server".

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "fanfare/topic.h"
#include "streams/messages.h"

namespace fanfare::streams {

struct Request {
  enum class Type : std::uint8_t { subscribe, unsubscribe, ping, hello, authenticate };

  Type type = Type::ping;
  std::string stream = {};  // of subscribe and unsubscribe
  std::string id = {};      // raw JSON; empty: none
  std::string token = {};   // of authenticate
  // Of subscribe:
  bool position = false;  // messages carry their offsets
  bool delta = false;     // values may be merge patches
  std::optional<Position> since = {};
  std::optional<std::size_t> history = {};
};

// An error has the id and the stream of the message, as far as they could be read.
std::expected<Request, ProtocolError> parse_request(std::string_view text);

}  // namespace fanfare::streams
