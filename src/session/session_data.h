#pragma once
// The application's data for a session. A server creates it when it accepts the upgrade, before the session
// exists.

#include <string_view>

namespace fanfare::session {

class Session;
struct SessionDescription;

class SessionData {
 public:
  SessionData() = default;
  virtual ~SessionData() = default;
  SessionData(const SessionData&) = delete;
  SessionData& operator=(const SessionData&) = delete;

  // The session that it belongs to from here on, and the negotiated subprotocol (empty: none); before on_open.
  virtual void on_opening(Session& /*session*/, std::string_view /*subprotocol*/) {}
  // Fills in what it knows (session_description.h). Loop thread, while the session is open.
  virtual void describe(SessionDescription& /*out*/) const {}
};

}  // namespace fanfare::session
