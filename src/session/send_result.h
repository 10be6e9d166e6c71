#pragma once
// The result of sending on a session, or of writing a piece of an HTTP response.

#include <cstdint>

namespace fanfare::session {

enum class SendResult : std::uint8_t {
  queued,
  congested,  // queued, but the peer reads too slowly: wait for on_drained or on_writable
  closed,     // not queued: the session is not open, or its outbox was full (slow_consumer)
};

}  // namespace fanfare::session
