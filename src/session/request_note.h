#pragma once
// What a program wants to know of one HTTP request until it is answered, such as for a log of accesses. A site sets it
// (HttpOutput::set_note) before the request is handled; without one it costs a comparison. Loop thread.

#include <cstddef>
#include <vector>

#include "session/member.h"
#include "ws/handshake.h"

namespace fanfare::session {

class RequestNote {
 public:
  RequestNote() = default;
  // Destroyed after the answer, or without one if the client has disconnected before.
  virtual ~RequestNote() = default;
  RequestNote(const RequestNote&) = delete;
  RequestNote& operator=(const RequestNote&) = delete;

  // Fields of the answer, also of a 101.
  virtual void add_headers(std::vector<ws::OwnedHeader>& headers) const = 0;
  // The answer's head and body are queued. Of a body in pieces only the head: then `body_bytes` is 0.
  virtual void on_answered(int status, std::size_t body_bytes) = 0;
  // After a 101: the connection is this WebSocket now.
  virtual void on_opened(SessionId id) = 0;
};

}  // namespace fanfare::session
