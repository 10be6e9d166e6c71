#include "fanfare/canvas.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "api/canvas_rooms.h"
#include "api/misuse.h"
#include "api/server_impl.h"
#include "base/text.h"
#include "canvasserver/room_plan.h"
#include "canvasserver/storage.h"
#include "server/path_pattern.h"

namespace fanfare {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::uint32_t kRateMax = 1'000'000;
constexpr std::uint32_t kBurstMax = 60 * kRateMax;
constexpr std::uint32_t kUsersMax = 10'000'000;
constexpr std::uint32_t kChunksMax = 65'536;
constexpr milliseconds kTickMax{1'000};
constexpr milliseconds kStretchedTickMax{10'000};
constexpr std::uint64_t kHistoryBytesMin = std::uint64_t{1} << 20U;

// The first option outside its range. What is about size, colours and names, canvas::problem_with() checks.
std::string wrong_option(const CanvasRoom& room) {
  const auto outside = [](auto value, auto least, auto most) { return value < least || value > most; };
  if (outside(room.tick, milliseconds(1), kTickMax)) return "tick: 1 ms to 1 s";
  if (outside(room.tick_max, room.tick, kStretchedTickMax)) return "tick_max: from `tick` to 10 s";
  if (outside(room.cooldown, milliseconds(0), milliseconds(hours(24)))) return "cooldown: 0 to 24 h";
  if (outside(room.pixels_per_second, 1U, kRateMax)) return "pixels_per_second: 1 to 1000000";
  if (outside(room.pixels_burst, 1U, kBurstMax)) return "pixels_burst: 1 to 60000000";
  if (outside(room.pixels_per_second_per_address, 1U, kRateMax)) {
    return "pixels_per_second_per_address: 1 to 1000000";
  }
  if (outside(room.pixels_burst_per_address, 1U, kBurstMax)) return "pixels_burst_per_address: 1 to 60000000";
  if (outside(room.chunks_per_minute, 1U, kChunksMax)) return "chunks_per_minute: 1 to 65536";
  if (outside(room.chunks_per_minute_per_address, 1U, 2 * kChunksMax)) {
    return "chunks_per_minute_per_address: 1 to 131072";
  }
  if (outside(room.users_max, 1U, kUsersMax)) return "users_max: 1 to 10000000";
  if (outside(room.chunks_max, 1U, kChunksMax)) return "chunks_max: 1 to 65536";
  if (room.sync_full && room.file.empty()) return "sync_full: is for a room with a file";
  if (room.sync_interval < milliseconds(1)) return "sync_interval: 1 ms or more";
  if (room.history_bytes_max != 0 && room.history_bytes_max < kHistoryBytesMin) {
    return "history_bytes_max: 1 MiB or more, or 0";
  }
  return "";
}

canvasserver::RoomPlan plan_of(CanvasRoom& room) {
  canvasserver::RoomPlan plan{.spec = {.name = std::move(room.name),
                                       .width = room.width,
                                       .height = room.height,
                                       .background = room.background,
                                       .palette = std::move(room.palette)},
                              .full_sync = room.sync_full,
                              .sync_interval = room.sync_interval,
                              .history_bytes_max = room.history_bytes_max};
  if (!room.file.empty()) {
    // The program may change its folder.
    std::error_code error;
    plan.file = std::filesystem::absolute(room.file, error).string();
  }
  canvas::Limits& limits = plan.limits;
  limits.tick_min = room.tick;
  limits.tick_max = room.tick_max;
  limits.cooldown = room.cooldown;
  limits.pixels_per_user = {.per_second = room.pixels_per_second, .burst = room.pixels_burst};
  limits.pixels_per_address = {.per_second = room.pixels_per_second_per_address,
                               .burst = room.pixels_burst_per_address};
  limits.chunks_per_minute_per_user = room.chunks_per_minute;
  limits.chunks_per_minute_per_address = room.chunks_per_minute_per_address;
  limits.users_max = room.users_max;
  limits.chunks_max = room.chunks_max;
  return plan;
}

Unexpected<Error> failure(Error::Kind kind, std::string message) {
  return Unexpected(Error{.kind = kind, .message = std::move(message)});
}

}  // namespace

void api::ServerImpl::add_canvas(CanvasOptions options) {
  if (!lifecycle_.is_idle() || canvas_ != nullptr) {
    end_for_misuse("fanfare::Canvas", "a server has it once, made before start()");
  }
  const auto pattern = server::PathPattern::parse(options.path);
  if (!pattern) routes_.note_problem(pattern.error());
  canvas_ = std::make_unique<CanvasRooms>(std::move(options), session_settings_);
}

Canvas::Canvas(Server& server, CanvasOptions options) : impl_(server.impl_) {
  impl_->add_canvas(std::move(options));
}

Expected<void, Error> Canvas::add(CanvasRoom room) const {
  if (!impl_->is_idle()) return failure(Error::Kind::wrong_state, "rooms are added before Server::start()");
  if (const std::string wrong = wrong_option(room); !wrong.empty()) {
    return failure(Error::Kind::bad_option, joined({"CanvasRoom::", wrong}));
  }
  const bool has_file = !room.file.empty();
  const canvasserver::StorageOpener* const opener = room.disk.opener_.get();
  if (has_file && opener == nullptr) {
    return failure(Error::Kind::bad_option,
                   "CanvasRoom::file: needs CanvasRoom::disk, for example canvas_disk()");
  }
  const canvasserver::RoomPlan plan = plan_of(room);
  if (const auto problem = canvas::problem_with(plan.spec)) {
    return failure(Error::Kind::bad_option, joined({"canvas: ", *problem}));
  }
  if (auto added = impl_->canvas()->add(plan, opener, std::move(room.check)); !added) {
    return failure(has_file ? Error::Kind::system : Error::Kind::bad_option,
                   joined({"canvas: ", added.error()}));
  }
  return {};
}

}  // namespace fanfare
