#pragma once
// A connection as the admin API names it: "LOOP-SLOT-GENERATION", such as "0-17-42". No other connection of the
// process has the same one; a WebSocket has another one than the HTTP connection that it was.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "session/member.h"

namespace fanfare::admin {

struct ConnectionId {
  std::size_t loop = 0;
  session::SessionId session;
  bool operator==(const ConnectionId&) const = default;
};

std::string to_string(const ConnectionId& id);
std::optional<ConnectionId> parse_connection_id(std::string_view text);

}  // namespace fanfare::admin
