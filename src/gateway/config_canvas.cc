#include "gateway/config_canvas.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "gateway/canvas_files.h"
#include "gateway/duration.h"

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::string_view kColourExpected = "a colour such as \"#ff8800\", in quotes";
constexpr std::string_view kSyncExpected = "full, or a duration from 10ms to 1m";

// "#rrggbb"
std::optional<std::uint32_t> colour_of(std::string_view text) {
  std::uint32_t colour = 0;
  if (text.size() != 7 || text.front() != '#') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), colour, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return colour;
}

bool is_colour(std::string_view text) {
  return colour_of(text).has_value();
}

bool is_room_name(std::string_view text) {
  return !canvas::problem_with({.name = std::string(text)});
}

void read_colours(const MapFields& fields, canvas::RoomSpec& out) {
  if (const auto background = fields.scalar("background", kColourExpected)) {
    const auto colour = colour_of(background->text);
    if (!colour) {
      fields.report(background->location, "background", "is not a colour", background->written,
                    kColourExpected);
    }
    out.background = colour.value_or(out.background);
  }
  std::vector<std::string> palette;
  fields.read("palette", palette, is_colour, kColourExpected);
  for (const std::string& text : palette) out.palette.push_back(*colour_of(text));
}

void read_sync(const MapFields& fields, canvasserver::RoomPlan& out) {
  const auto sync = fields.scalar("sync", kSyncExpected);
  if (!sync) return;
  out.full_sync = sync->text == "full";
  if (out.full_sync) return;
  const auto interval = parse_duration(sync->text);
  if (!interval || *interval < milliseconds(10) || *interval > minutes(1)) {
    return fields.report(sync->location, "sync", "is neither", sync->written, kSyncExpected);
  }
  out.sync_interval = std::chrono::duration_cast<milliseconds>(*interval);
}

void read_rates(const MapFields& fields, canvas::Limits& out) {
  constexpr std::uint64_t kRateMax = 1'000'000;
  const auto read = [&](std::string_view rate, std::string_view burst, TokenRate& to) {
    if (fields.read(rate, to.per_second, 1, kRateMax)) to.burst = 10 * to.per_second;
    fields.read(burst, to.burst, 1, 60 * kRateMax);
  };
  read("pixelsPerSecond", "pixelsBurst", out.pixels_per_user);
  read("pixelsPerSecondPerAddress", "pixelsBurstPerAddress", out.pixels_per_address);
  fields.read("cooldown", out.cooldown, Duration::zero(), hours(24));
  fields.read("cursorsPerSecond", out.cursors_per_second, 1, 100);
}

void read_limits(const ReadContext& context, const MapFields& room, canvas::Limits& out) {
  const YamlNode* const node = room.find("limits");
  if (node == nullptr) return;
  const MapFields fields(context, *node, room.path_of("limits"),
                         {"chunksMax", "chunksPerMinute", "chunksPerMinutePerAddress", "usersMax",
                          "watchedChunksMax", "messageBytesMax", "messagesPerSecond"});
  fields.read("chunksMax", out.chunks_max, 1, 65'536);
  if (fields.read("chunksPerMinute", out.chunks_per_minute_per_user, 1, 65'536)) {
    out.chunks_per_minute_per_address = 2 * out.chunks_per_minute_per_user;
  }
  fields.read("chunksPerMinutePerAddress", out.chunks_per_minute_per_address, 1, 131'072);
  fields.read("usersMax", out.users_max, 1, 10'000'000);
  fields.read("watchedChunksMax", out.watched_chunks_max, 1, 65'536);
  fields.read("messageBytesMax", out.message_bytes_max, 1024, 1 << 20);
  fields.read("messagesPerSecond", out.messages_per_second, 1, 100'000);
}

void read_room(const ReadContext& context, const YamlNode& node, const std::string& path,
               const std::string& directory, canvasserver::RoomPlan& out) {
  const MapFields fields(
      context, node, path,
      {"name", "width", "height", "background", "palette", "tick", "tickMax", "pixelsPerSecond",
       "pixelsBurst", "pixelsPerSecondPerAddress", "pixelsBurstPerAddress", "cooldown", "cursorsPerSecond",
       "file", "relay", "sync", "historyBytesMax", "limits"},
      MapFields::Empty::refused);
  fields.require({"name"});
  if (fields.read("name", out.spec.name) && !is_room_name(out.spec.name)) {
    fields.report(fields.find("name")->location, "name", "cannot be the name of a room", out.spec.name,
                  "letters, digits, '-' and '_', at most 64");
  }
  fields.read("width", out.spec.width, 1, canvas::kSideMax);
  fields.read("height", out.spec.height, 1, canvas::kSideMax);
  read_colours(fields, out.spec);
  fields.read("tick", out.limits.tick_min, milliseconds(1), milliseconds(1000));
  fields.read("tickMax", out.limits.tick_max, milliseconds(1), milliseconds(10'000));
  if (out.limits.tick_max < out.limits.tick_min) {
    const bool is_given = fields.find("tickMax") != nullptr;
    fields.report(fields.find(is_given ? "tickMax" : "tick")->location, is_given ? "tickMax" : "tick",
                  is_given ? "is shorter than tick" : "is longer than tickMax, which is 100ms by default", "",
                  is_given ? "the longest tick" : "a tickMax of at least as much");
  }
  read_rates(fields, out.limits);
  fields.read("relay", out.relayed);
  if (!directory.empty() && !out.relayed) out.file = directory + "/" + out.spec.name + ".canvas";
  fields.read("file", out.file);
  if (out.relayed && !out.file.empty()) {
    fields.report(fields.find("file")->location, "file", "cannot be used by a room with relay: true",
                  out.file, "one of the two: the broker keeps a shared room");
  }
  read_sync(fields, out);
  if (out.full_sync && out.file.empty()) {
    fields.report(fields.find("sync")->location, "sync", "is full, but the room has no file", "",
                  "file, or canvas.dataDir");
  }
  out.history_bytes_max =
      out.file.empty() ? canvasserver::kMemoryHistoryBytesMax : canvasserver::kFileHistoryBytesMax;
  fields.read("historyBytesMax", out.history_bytes_max, 1 << 20, std::uint64_t{1} << 44);
  if (out.relayed) out.limits.chunks_max = canvasserver::kSharedChunksMax;
  read_limits(context, fields, out.limits);
  if (out.relayed && out.limits.chunks_max > canvasserver::kSharedChunksMax) {
    context.diagnostics.report(node.location,
                               path + ".limits.chunksMax is more than a room with relay: true may have (" +
                                   std::to_string(canvasserver::kSharedChunksMax) + ")");
  }
  if (context.diagnostics.first()) return;
  if (const auto problem = canvas::problem_with(out.spec)) {
    context.diagnostics.report(node.location, path + " cannot be a room: " + *problem);
  }
}

}  // namespace

void read_canvas(const ReadContext& context, const YamlNode& node, CanvasConfig& out) {
  const MapFields fields(context, node, "canvas", {"dataDir", "rooms"}, MapFields::Empty::refused);
  fields.require({"rooms"});
  std::string directory;
  fields.read("dataDir", directory);
  const auto* const nodes = fields.list("rooms", "a list of rooms with at least one entry");
  if (nodes == nullptr) return;
  std::vector<canvasserver::RoomPlan>& rooms = out.plan.rooms;
  for (const YamlNode& one : *nodes) {
    const std::string path = "canvas.rooms[" + std::to_string(rooms.size()) + "]";
    canvasserver::RoomPlan room;
    read_room(context, one, path, directory, room);
    for (const canvasserver::RoomPlan& other : rooms) {
      if (other.spec.name == room.spec.name) {
        context.diagnostics.report(one.location, path + ".name is a duplicate (" +
                                                     quoted_for_message(room.spec.name) +
                                                     "), expected another name");
      }
    }
    if (const auto collision = collision_of(room, rooms)) {
      context.diagnostics.report(one.location,
                                 path + ".file of the room " + quoted_for_message(room.spec.name) +
                                     " is a file of the room " + quoted_for_message(collision->room) + " (" +
                                     quoted_for_message(collision->file) + "), expected another file");
    }
    rooms.push_back(std::move(room));
  }
  if (rooms.size() > canvasserver::kRoomsMax) {
    context.diagnostics.report(node.location, "canvas.rooms has " + std::to_string(rooms.size()) +
                                                  " rooms, expected at most " +
                                                  std::to_string(canvasserver::kRoomsMax));
  }
}

void check_relayed_rooms(const ReadContext& context, const YamlNode& node, const CanvasConfig& canvas,
                         bool has_relay) {
  if (has_relay) return;
  for (const canvasserver::RoomPlan& room : canvas.plan.rooms) {
    if (!room.relayed) continue;
    context.diagnostics.report(node.location, "canvas has the shared room " +
                                                  quoted_for_message(room.spec.name) +
                                                  " and no broker, expected relay.nats.servers in this file");
  }
}

CanvasPlan default_canvas(std::string file) {
  CanvasPlan plan;
  const std::uint64_t bytes =
      file.empty() ? canvasserver::kMemoryHistoryBytesMax : canvasserver::kFileHistoryBytesMax;
  plan.rooms.push_back({.file = std::move(file), .history_bytes_max = bytes});
  return plan;
}

}  // namespace fanfare::gateway
