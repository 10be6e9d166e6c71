#pragma once
// What a session is to its program, for an operator who looks at it (SessionData::describe).

#include <cstddef>
#include <string>
#include <vector>

namespace fanfare::session {

struct SessionDescription {
  // Set by the caller: further topics are only counted.
  std::size_t topics_max = 0;

  std::string service;              // "rpc", "streams", "canvas"; empty: unknown
  std::string place;                // where in the service: a network "main/1", a room
  std::string principal;            // the authenticated identity; empty: none
  std::size_t subscriptions = 0;    // all of them
  std::vector<std::string> topics;  // of the subscriptions
  std::size_t waiting_bytes = 0;    // for the client, outside the session's outbox
};

}  // namespace fanfare::session
