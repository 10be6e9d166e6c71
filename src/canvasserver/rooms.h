#pragma once
// The rooms of a server, and their parts on each loop.
//
//   Rooms rooms;                                      // the process's, must outlive the loops
//   rooms.add({.spec = ..., .storage = ...});         // before the first client
//   auto loop = std::make_shared<LoopRooms>(rooms, net_loop, settings, timeout);   // one for each loop, on its thread

#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "canvasserver/loop_room.h"
#include "canvasserver/painter.h"
#include "canvasserver/past_pictures.h"
#include "canvasserver/room_plan.h"
#include "canvasserver/room_thread.h"
#include "session/endpoint.h"

namespace fanfare::canvasserver {

class Rooms {
 public:
  Rooms() = default;
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;

  // Before the first client. `open` may be empty: then the room has no past and does not survive. Error: for people.
  std::expected<void, std::string> add(const RoomPlan& plan, const OpenStorage& open,
                                       canvas::ProofHook* proof = nullptr);
  // Any thread, below. Null: there is none.
  RoomThread* find(std::string_view name) const;
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [name, room] : rooms_) visit(name, *room);
  }
  Painter& painter() { return painter_; }
  PastPictures& past_pictures() { return past_pictures_; }

 private:
  Painter painter_;  // its pictures may be of rooms
  PastPictures past_pictures_;
  std::map<std::string, std::unique_ptr<RoomThread>, std::less<>> rooms_;
};

// The settings of a canvas's sessions, from those of the server.
session::SessionSettings session_settings(const canvas::Limits& limits, session::SessionSettings settings);

// The rooms of one loop, and the endpoint of their WebSockets. Loop thread.
class LoopRooms final : public session::Endpoint {
 public:
  // All must outlive it, and it must outlive its sessions.
  LoopRooms(Rooms& rooms, net::Loop& loop, const session::SessionSettings& settings, Duration slow_timeout)
      : session::Endpoint(settings), rooms_(rooms), loop_(loop), slow_timeout_(slow_timeout) {}

  Rooms& rooms() { return rooms_; }
  LoopRoom& part_of(RoomThread& room);
  net::Loop& loop() { return loop_; }

  void on_open(session::Session& session) override;
  void on_message(session::Session& session, const session::Message& message) override;
  void on_drained(session::Session& session) override;
  void on_close(session::Session& session, const session::CloseInfo& info) override;

 private:
  Rooms& rooms_;
  net::Loop& loop_;
  const Duration slow_timeout_;
  std::map<RoomThread*, std::unique_ptr<LoopRoom>> parts_;
};

}  // namespace fanfare::canvasserver
