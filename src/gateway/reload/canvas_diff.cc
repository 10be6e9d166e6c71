#include "gateway/reload/canvas_diff.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/reload/shown_value.h"

namespace fanfare::gateway {
namespace {

using canvasserver::RoomPlan;

std::string shown_colour(std::uint32_t rgb) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "#";
  for (unsigned shift = 24; shift > 0; shift -= 4) text += kDigits[(rgb >> (shift - 4)) & 15U];
  return text;
}

std::string sync_of(const RoomPlan& room) {
  return room.full_sync ? "full" : format_duration(room.sync_interval);
}

// One room of both plans.
class RoomDiffer {
 public:
  RoomDiffer(const RoomPlan& present, const RoomPlan& wanted, std::vector<PlanChange>& changes)
      : present_(present), wanted_(wanted), changes_(changes) {}

  RoomPlan run() {
    compare_fixed();
    const std::size_t before = changes_.size();
    compare_rates(present_.limits, wanted_.limits);
    compare_limits(present_.limits, wanted_.limits);
    if (present_.limits != wanted_.limits && changes_.size() == before) {
      add(PlanChange::Kind::changed, name("another limit"));
    }
    RoomPlan result = present_;
    result.limits = wanted_.limits;
    return result;
  }

 private:
  std::string name(std::string_view key) const {
    return "room " + present_.spec.name + " " + std::string(key);
  }
  void add(PlanChange::Kind kind, std::string text) {
    changes_.push_back({.kind = kind, .text = std::move(text)});
  }
  template <typename Value>
  void live(std::string_view key, const Value& from, const Value& to) {
    if (from != to) add(PlanChange::Kind::changed, arrow(name(key), from, to));
  }
  template <typename Value>
  void fixed(std::string_view key, const Value& from, const Value& to) {
    if (from != to) add(PlanChange::Kind::needs_restart, arrow(name(key), from, to));
  }

  // What is drawn, and where it is kept.
  void compare_fixed() {
    const canvas::RoomSpec& from = present_.spec;
    const canvas::RoomSpec& to = wanted_.spec;
    fixed("width", from.width, to.width);
    fixed("height", from.height, to.height);
    fixed("background", shown_colour(from.background), shown_colour(to.background));
    if (from.palette != to.palette) add(PlanChange::Kind::needs_restart, name("palette"));
    fixed("file", present_.file, wanted_.file);
    if (present_.relayed != wanted_.relayed) {
      add(PlanChange::Kind::needs_restart, name(wanted_.relayed ? "relay: true" : "relay: false"));
    }
    fixed("sync", sync_of(present_), sync_of(wanted_));
    fixed("historyBytesMax", present_.history_bytes_max, wanted_.history_bytes_max);
  }
  void compare_rates(const canvas::Limits& from, const canvas::Limits& to) {
    live("tick", from.tick_min, to.tick_min);
    live("tickMax", from.tick_max, to.tick_max);
    live("pixelsPerSecond", from.pixels_per_user.per_second, to.pixels_per_user.per_second);
    live("pixelsBurst", from.pixels_per_user.burst, to.pixels_per_user.burst);
    live("pixelsPerSecondPerAddress", from.pixels_per_address.per_second, to.pixels_per_address.per_second);
    live("pixelsBurstPerAddress", from.pixels_per_address.burst, to.pixels_per_address.burst);
    live("cooldown", from.cooldown, to.cooldown);
    live("cursorsPerSecond", from.cursors_per_second, to.cursors_per_second);
  }
  void compare_limits(const canvas::Limits& from, const canvas::Limits& to) {
    live("limits.chunksMax", from.chunks_max, to.chunks_max);
    live("limits.chunksPerMinute", from.chunks_per_minute_per_user, to.chunks_per_minute_per_user);
    live("limits.chunksPerMinutePerAddress", from.chunks_per_minute_per_address,
         to.chunks_per_minute_per_address);
    live("limits.usersMax", from.users_max, to.users_max);
    live("limits.watchedChunksMax", from.watched_chunks_max, to.watched_chunks_max);
    live("limits.messageBytesMax", from.message_bytes_max, to.message_bytes_max);
    live("limits.messagesPerSecond", from.messages_per_second, to.messages_per_second);
  }

  const RoomPlan& present_;
  const RoomPlan& wanted_;
  std::vector<PlanChange>& changes_;
};

}  // namespace

bool is_same_room(const RoomPlan& present, const RoomPlan& wanted) {
  RoomPlan same_limits = wanted;
  same_limits.limits = present.limits;
  return present == same_limits;
}

std::optional<CanvasPlan> diff_rooms(const std::optional<CanvasPlan>& running,
                                     const std::optional<CanvasPlan>& wanted,
                                     std::vector<PlanChange>& changes) {
  const std::size_t before = changes.size();
  const CanvasPlan from = running.value_or(CanvasPlan{});
  const CanvasPlan to = wanted.value_or(CanvasPlan{});
  const auto find_in = [](const CanvasPlan& plan, const RoomPlan& room) {
    return std::ranges::find(plan.rooms, room.spec.name, [](const RoomPlan& one) { return one.spec.name; });
  };
  for (const RoomPlan& room : from.rooms) {
    if (find_in(to, room) == to.rooms.end()) {
      changes.push_back({.kind = PlanChange::Kind::removed, .text = "room " + room.spec.name});
    }
  }
  CanvasPlan result;
  for (const RoomPlan& room : to.rooms) {
    const auto present = find_in(from, room);
    if (present != from.rooms.end()) {
      result.rooms.push_back(RoomDiffer(*present, room, changes).run());
    } else {
      changes.push_back({.kind = PlanChange::Kind::added, .text = "room " + room.spec.name});
      result.rooms.push_back(room);
    }
  }
  if (running.has_value() != wanted.has_value() && changes.size() == before) {
    changes.push_back({.kind = wanted ? PlanChange::Kind::added : PlanChange::Kind::removed,
                       .text = "canvas without rooms"});
  }
  if (!wanted) return std::nullopt;
  return result;
}

}  // namespace fanfare::gateway
