#pragma once
// The rooms of a server, and their parts on each loop.
//
//   Rooms rooms;                                      // the process's, must outlive the loops
//   rooms.add({.spec = ..., .storage = ...});
//   auto loop = std::make_shared<LoopRooms>(rooms, net_loop, settings, timeout);   // one for each loop, on its thread
//
// A room ends in three steps: remove() hides it, and its clients go on; when the last one has gone, end() writes what was drawn and
// releases its file; each loop drops its part of it. Until end() it can be brought back.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "canvasserver/loop_answers.h"
#include "canvasserver/loop_room.h"
#include "canvasserver/painter.h"
#include "canvasserver/past_pictures.h"
#include "canvasserver/room_ender.h"
#include "canvasserver/room_plan.h"
#include "canvasserver/room_thread.h"
#include "session/endpoint.h"
#include "session/session.h"

namespace fanfare::canvasserver {

// Any thread.
class Rooms {
 public:
  using RoomPtr = std::shared_ptr<RoomThread>;

  Rooms() = default;
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;
  // Ends all rooms.
  ~Rooms();

  // `open` may be empty: then the room has no past and does not survive. Error: for people.
  std::expected<void, std::string> add(const RoomPlan& plan, const OpenStorage& open,
                                       canvas::ProofHook* proof = nullptr);
  // The same in two steps: a room that is not inserted ends with its last reference.
  // `share`: for a relayed room.
  static std::expected<RoomPtr, std::string> open(const RoomPlan& plan, const OpenStorage& open,
                                                  canvas::ProofHook* proof = nullptr,
                                                  const OpenSharedLog& share = {});
  // The name must be free (problem_with_name()).
  void insert(RoomPtr room);
  // Why there cannot be a room of this name now, for people; empty: there can. `more`: others that are to be inserted.
  std::string problem_with_name(std::string_view name, std::size_t more = 0) const;

  // From now on find() does not find it. The room must be there.
  struct Removed {
    RoomPtr room;
    std::uint64_t turn = 0;  // another one for each removal
  };
  Removed remove(std::string_view name);
  // Whether the room waits for its last client since this removal.
  bool is_leaving(std::uint64_t turn) const;
  // The last client has gone. False: the room was brought back. Otherwise it ends soon, and the loops should drop it.
  bool end(std::uint64_t turn);
  // Null: no room of that name is leaving.
  RoomPtr bring_back(std::string_view name);
  // Whether the room of this name, if there was one, has released its file; after at most this time, if it is being ended.
  bool has_ended(std::string_view name, Duration at_most = {});

  // Null: there is none.
  RoomPtr find(std::string_view name) const;
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [name, room] : all()) visit(name, *room);
  }
  Painter& painter() { return painter_; }
  PastPictures& past_pictures() { return past_pictures_; }

 private:
  using ByName = std::map<std::string, RoomPtr, std::less<>>;

  ByName all() const;
  std::map<std::uint64_t, RoomPtr>::iterator find_leaving(std::string_view name);

  Painter painter_;  // its pictures may be of rooms that have ended
  PastPictures past_pictures_;
  RoomEnder ender_;
  mutable std::mutex mutex_;  // guards what follows
  ByName rooms_;
  std::map<std::uint64_t, RoomPtr> leaving_;  // by turn
  std::uint64_t turn_ = 0;
};

// The settings of a canvas's sessions, from those of the server.
session::SessionSettings session_settings(const canvas::Limits& limits, session::SessionSettings settings);

// The rooms of one loop, and the endpoint of their WebSockets. Loop thread.
class LoopRooms final : public session::Endpoint {
 public:
  // All must outlive it, and it must outlive its sessions.
  LoopRooms(Rooms& rooms, net::Loop& loop, const session::SessionSettings& settings, Duration slow_timeout)
      : session::Endpoint(settings), rooms_(rooms), loop_(loop), slow_timeout_(slow_timeout) {}
  ~LoopRooms() override { answers_->close(); }

  Rooms& rooms() { return rooms_; }
  LoopRoom& part_of(const Rooms::RoomPtr& room);
  // A room that was removed, and has no session here any more.
  void drop(const RoomThread& room) { parts_.erase(&room); }
  net::Loop& loop() { return loop_; }
  const std::shared_ptr<LoopAnswers>& answers() const { return answers_; }
  // Takes over the limits of the rooms. For open connections, too.
  void apply(Duration slow_timeout);
  // Whether the session of this loop is one of this room.
  bool is_in(const session::Session& session, const RoomThread& room) const;

  void on_open(session::Session& session) override;
  void on_message(session::Session& session, const session::Message& message) override;
  void on_drained(session::Session& session) override;
  void on_close(session::Session& session, const session::CloseInfo& info) override;

 private:
  Rooms& rooms_;
  net::Loop& loop_;
  Duration slow_timeout_;
  const std::shared_ptr<LoopAnswers> answers_ = std::make_shared<LoopAnswers>(loop_);
  std::map<const RoomThread*, std::unique_ptr<LoopRoom>> parts_;
};

}  // namespace fanfare::canvasserver
