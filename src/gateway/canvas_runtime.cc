#include "gateway/canvas_runtime.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "canvasstore/disk_room.h"
#include "gateway/canvas_files.h"
#include "gateway/reload/canvas_diff.h"
#include "gateway/reload/closing.h"
#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

using canvasserver::RoomPlan;
using canvasserver::Rooms;

constexpr std::string_view kRoomRemoved = "this room was removed from the configuration";

auto find_in(auto& rooms, const std::string& name) {
  return std::ranges::find(rooms, name, [](const RoomPlan& room) { return room.spec.name; });
}

// The endpoint's limit; each room has its own below it.
std::size_t widest_message(const CanvasPlan& plan) {
  std::size_t bytes = canvas::Limits{}.message_bytes_max;
  for (const RoomPlan& room : plan.rooms) bytes = std::max(bytes, room.limits.message_bytes_max);
  return bytes;
}

std::unexpected<std::string> problem_of(const RoomPlan& room, const std::string& problem) {
  return std::unexpected("room " + room.spec.name + ": " + problem);
}

}  // namespace

std::expected<void, std::string> CanvasRuntime::open(const std::optional<CanvasPlan>& plan) {
  auto change = prepare(plan);
  if (!change) return std::unexpected(std::move(change.error()));
  for (Rooms::RoomPtr& room : change->opened) rooms_.insert(std::move(room));
  message_bytes_max_ = widest_message(change->plan);
  plan_ = std::move(change->plan);
  return {};
}

std::shared_ptr<canvasserver::LoopRooms> CanvasRuntime::make_loop(session::LoopServer& server,
                                                                  const session::SessionSettings& settings,
                                                                  Duration slow_timeout) {
  const auto part = std::make_shared<LoopPart>(rooms_, server.loop(), settings_of(settings), slow_timeout);
  loops_.push_back(part.get());
  return {part, &part->rooms};
}

session::SessionSettings CanvasRuntime::settings_of(const session::SessionSettings& settings) const {
  return canvasserver::session_settings({.message_bytes_max = message_bytes_max_}, settings);
}

std::expected<CanvasRuntime::Change, std::string> CanvasRuntime::prepare(
    const std::optional<CanvasPlan>& plan) {
  std::erase_if(gone_.rooms, [&](const RoomPlan& room) { return rooms_.has_ended(room.spec.name); });
  Change change{.plan = plan.value_or(CanvasPlan{}), .opened = {}, .brought_back = {}};
  for (const RoomPlan& room : change.plan.rooms) {
    if (find_in(plan_.rooms, room.spec.name) != plan_.rooms.end()) continue;
    if (auto prepared = prepare_room(room, change); !prepared) {
      // Its clients are closed after all.
      for (const std::string& name : change.brought_back) leave(name, Duration::zero());
      return std::unexpected(std::move(prepared.error()));
    }
  }
  return change;
}

std::expected<void, std::string> CanvasRuntime::prepare_room(const RoomPlan& room, Change& change) {
  const std::string& name = room.spec.name;
  const auto before = find_in(gone_.rooms, name);
  if (before != gone_.rooms.end()) {
    if (is_same_room(*before, room) && rooms_.bring_back(name) != nullptr) {
      change.brought_back.push_back(name);
      return {};
    }
    if (!rooms_.has_ended(name, kRoomEndWait)) {
      return problem_of(room, "the room of that name that was removed has not ended yet: reload again later");
    }
    gone_.rooms.erase(before);
  }
  // A file that a room of this process has must not even be opened: that would end its locks.
  for (const CanvasPlan* const others : {&std::as_const(plan_), &std::as_const(gone_)}) {
    const auto collision = collision_of(room, others->rooms);
    if (!collision) continue;
    return problem_of(room, "its file " + collision->file + " is still that of the room " + collision->room +
                                ": remove that room first, and reload again when it has ended");
  }
  if (const std::string problem = rooms_.problem_with_name(name, change.opened.size()); !problem.empty())
    return problem_of(room, problem);
  auto opened = Rooms::open(room, &canvasstore::DiskRoom::open, nullptr,
                            room.relayed ? sharing() : canvasserver::OpenSharedLog());
  if (!opened) return problem_of(room, opened.error());
  change.opened.push_back(*std::move(opened));
  return {};
}

canvasserver::OpenSharedLog CanvasRuntime::sharing() {
  if (!relay_options_) return {};
  if (relay_ == nullptr) relay_ = std::make_unique<CanvasRelay>(*relay_options_);
  return [relay = relay_.get()](const std::string& room) { return relay->open(room); };
}

void CanvasRuntime::apply(Change change, const SpreadOf& spread_of) {
  for (Rooms::RoomPtr& room : change.opened) rooms_.insert(std::move(room));
  for (const std::string& name : change.brought_back) gone_.rooms.erase(find_in(gone_.rooms, name));
  for (const RoomPlan& room : change.plan.rooms) {
    const Rooms::RoomPtr there = rooms_.find(room.spec.name);
    if (*there->limits() != room.limits) there->set_limits(room.limits);
  }
  for (const RoomPlan& room : plan_.rooms) {
    if (find_in(change.plan.rooms, room.spec.name) != change.plan.rooms.end()) continue;
    gone_.rooms.push_back(room);
    leave(room.spec.name, spread_of(rooms_.find(room.spec.name)->metrics().connections));
  }
  message_bytes_max_ = widest_message(change.plan);
  plan_ = std::move(change.plan);
}

// Its clients are closed on every loop; then the room ends, and the loops drop it.
void CanvasRuntime::leave(const std::string& name, Duration spread) {
  const auto [room, turn] = rooms_.remove(name);
  log::info("canvas_room_removed",
            {{"room", name}, {"connections", room->metrics().connections.load(std::memory_order_relaxed)}});
  Closing::start(
      server_,
      [this, room](std::size_t loop, const session::Session& session) {
        return loops_[loop]->rooms.is_in(session, *room);
      },
      ws::close_code::service_restart, kRoomRemoved, spread, [this, turn] { return rooms_.is_leaving(turn); },
      [this, room, turn] {
        if (!rooms_.end(turn)) return;
        for (std::size_t i = 0; i < loops_.size(); ++i) {
          server_.post(i, [this, i, room](session::LoopServer&) { loops_[i]->rooms.drop(*room); });
        }
      });
}

void CanvasRuntime::apply_on(std::size_t loop, const session::SessionSettings& settings,
                             Duration slow_timeout) {
  loops_[loop]->settings = settings_of(settings);
  loops_[loop]->rooms.apply(slow_timeout);
}

}  // namespace fanfare::gateway
