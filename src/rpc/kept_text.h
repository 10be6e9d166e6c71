#pragma once
// The text of a message that outlives the call in which it came. A long one is not copied: its connection had it in memory of
// its own, which it hands over.

#include <string_view>

#include "base/growing_bytes.h"
#include "session/http_connection.h"
#include "session/session.h"
#include "ws/incoming.h"

namespace fanfare::rpc {

class KeptText {
 public:
  // Of the message that the session hands out, or of the request that the connection does.
  KeptText(session::Session& session, std::string_view text);
  KeptText(session::HttpConnection& connection, std::string_view text);

  // Its address does not change when this object moves.
  std::string_view view() const { return text_; }

 private:
  void copy(std::string_view text);

  ws::IncomingPtr message_;
  GrowingBytes bytes_;
  std::string_view text_;
};

}  // namespace fanfare::rpc
