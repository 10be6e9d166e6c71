#pragma once
// The canvas of the gateway: its rooms with their files, and their part on each loop. It is there without rooms, too, so that a
// reload can add some.

#include <atomic>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "canvasserver/rooms.h"
#include "gateway/canvas_relay.h"
#include "gateway/serve_plan.h"
#include "session/server.h"

namespace fanfare::gateway {

class CanvasRuntime {
 public:
  // How long a reload waits for a room that is writing what was drawn, because it is to come back.
  static constexpr Duration kRoomEndWait = std::chrono::seconds(5);

  // The server's loops must have ended before the runtime is destroyed.
  // `relay`: the broker of shared rooms; empty: there can be none.
  CanvasRuntime(session::Server& server, std::optional<NatsOptions> relay)
      : server_(server), relay_options_(std::move(relay)) {}
  CanvasRuntime(const CanvasRuntime&) = delete;
  CanvasRuntime& operator=(const CanvasRuntime&) = delete;

  // Opens all rooms, before the loops are made. The error names the room, and what to do.
  std::expected<void, std::string> open(const std::optional<CanvasPlan>& plan);
  // The part of one loop, on its thread; the loops come in order. Kept alive by what is returned.
  std::shared_ptr<canvasserver::LoopRooms> make_loop(session::LoopServer& server,
                                                     const session::SessionSettings& settings,
                                                     Duration slow_timeout);

  // Another plan, on the thread of open(). Opens the rooms that it adds; rooms of both plans differ in their limits only. Then
  // apply(), which cannot fail. The error says which room, why, and what to do.
  struct Change {
    CanvasPlan plan;
    std::vector<canvasserver::Rooms::RoomPtr> opened;
    std::vector<std::string> brought_back;
  };
  std::expected<Change, std::string> prepare(const std::optional<CanvasPlan>& plan);
  // The time over which so many connections are closed.
  using SpreadOf = std::function<Duration(std::size_t connections)>;
  // The clients of rooms that are gone are closed with 1012 over the spread; then the rooms end.
  void apply(Change change, const SpreadOf& spread_of);
  // On the loop's thread, after apply() or for other settings.
  void apply_on(std::size_t loop, const session::SessionSettings& settings, Duration slow_timeout);

  const canvasserver::Rooms& rooms() const { return rooms_; }

 private:
  struct LoopPart {
    LoopPart(canvasserver::Rooms& all, net::Loop& loop, const session::SessionSettings& its_settings,
             Duration slow_timeout)
        : settings(its_settings), rooms(all, loop, settings, slow_timeout) {}

    session::SessionSettings settings;
    canvasserver::LoopRooms rooms;
  };

  std::expected<void, std::string> prepare_room(const canvasserver::RoomPlan& room, Change& change);
  void leave(const std::string& name, Duration spread);
  session::SessionSettings settings_of(const session::SessionSettings& settings) const;
  canvasserver::OpenSharedLog sharing();

  session::Server& server_;
  CanvasPlan plan_;
  CanvasPlan gone_;                                 // rooms that were removed, and may have their files still
  std::atomic<std::size_t> message_bytes_max_ = 0;  // the greatest of all rooms
  const std::optional<NatsOptions> relay_options_;
  std::unique_ptr<CanvasRelay> relay_;  // from the first shared room on; outlives the rooms
  canvasserver::Rooms rooms_;
  std::vector<LoopPart*> loops_;
};

}  // namespace fanfare::gateway
