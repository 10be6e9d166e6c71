#pragma once
// Learns of the end of every WebSocket of a loop, whatever its endpoint, such as for a log of accesses. Loop thread.

namespace fanfare::session {

class Session;
struct CloseInfo;

class SessionWatcher {
 public:
  SessionWatcher() = default;
  virtual ~SessionWatcher() = default;
  SessionWatcher(const SessionWatcher&) = delete;
  SessionWatcher& operator=(const SessionWatcher&) = delete;

  // Before the endpoint learns of it: the session's data still describes it.
  virtual void on_session_ended(const Session& session, const CloseInfo& info) = 0;
};

}  // namespace fanfare::session
