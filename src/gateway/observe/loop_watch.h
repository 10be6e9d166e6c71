#pragma once
// Follows the HTTP requests and the WebSocket sessions of one loop, for the access log and for the calls in them. A request is recorded
// with the settings with which it began; a WebSocket's next call, and its end, with those of that time.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/observe/recording.h"
#include "http/request_parser.h"
#include "session/http_connection.h"
#include "session/session_watcher.h"
#include "trace/call.h"

namespace fanfare::gateway {

class Watch;

class LoopWatch final : public session::SessionWatcher, public trace::RecorderPlace {
 public:
  explicit LoopWatch(const Watch& watch);

  // Records as the watch says now.
  void switch_over();
  bool is_on() const { return now_ != nullptr; }

  // Before the request is handled: from here on it has an id, and its answer is recorded. Nothing happens if it is off.
  void begin(session::HttpConnection& connection, const http::Request& request, bool is_upgrade);
  // The same for one that could not be read.
  void begin_unreadable(session::HttpConnection& connection);
  // Where the calls of the connection's current request come from; `place` and `principal` become known now. Null: it was
  // not begun here.
  static std::shared_ptr<trace::Request> request_of(const session::HttpConnection& connection,
                                                    const std::string& place, std::string_view principal);
  // The same of a WebSocket that was opened while it was off. It must be on.
  std::shared_ptr<trace::Request> request_of(const session::Session& session, const std::string& place);

  std::shared_ptr<trace::Recorder> recorder() const override { return now_; }
  void on_session_ended(const session::Session& session, const session::CloseInfo& info) override;

 private:
  class Note;
  // A WebSocket that is open.
  struct Open {
    std::shared_ptr<trace::Request> request;
    Instant since;
    std::uint64_t messages_before = 0;  // requests on the connection until the upgrade
  };

  Open open_now(const session::Session& session) const;

  const Watch& watch_;
  RecordingPtr now_;                                  // null: nothing is recorded
  std::unordered_map<std::uint64_t, Open> sessions_;  // by id
};

}  // namespace fanfare::gateway
