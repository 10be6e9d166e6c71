#pragma once
// What a session of a room is, from its upgrade to its end.

#include <memory>
#include <string_view>

#include "base/check.h"
#include "canvasserver/connection.h"
#include "session/session_data.h"

namespace fanfare::canvasserver {

class LoopRooms;

inline constexpr std::string_view kSubprotocol = "fanfare.canvas.v1";

class Visit final : public session::SessionData {
 public:
  // `permit`: null without access control.
  Visit(std::shared_ptr<RoomThread> room, Visitor visitor, std::unique_ptr<Permit> permit);
  ~Visit() override;

  void on_opening(session::Session& session, std::string_view subprotocol) override;
  void describe(session::SessionDescription& out) const override;
  void open(LoopRooms& loop, session::Session& session);
  // Between open() and end().
  Connection& connection() {
    FANFARE_CHECK(connection_ != nullptr);
    return *connection_;
  }
  void end() { connection_.reset(); }
  const RoomThread& room() const { return *room_; }

 private:
  const std::shared_ptr<RoomThread> room_;
  Visitor visitor_;
  std::unique_ptr<Permit> permit_;
  bool is_binary_ = false;
  std::unique_ptr<Connection> connection_;
};

}  // namespace fanfare::canvasserver
