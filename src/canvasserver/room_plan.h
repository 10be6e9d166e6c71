#pragma once
// A room as it is configured. Plain data.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "canvas/limits.h"
#include "canvas/spec.h"

namespace fanfare::canvasserver {

// Each room has a thread of its own, and its storage two.
inline constexpr std::size_t kRoomsMax = 64;

// Of a room in memory, by default.
inline constexpr std::uint64_t kMemoryHistoryBytesMax = std::uint64_t{64} << 20;
inline constexpr std::uint64_t kFileHistoryBytesMax = std::uint64_t{4} << 30;

// Of a shared room: its snapshots fit into what the broker keeps (kSnapshotBytesMax).
inline constexpr std::size_t kSharedChunksMax = 128;

struct RoomPlan {
  canvas::RoomSpec spec = {};
  canvas::Limits limits = {};
  std::string file = {};  // empty: in memory
  bool full_sync = false;
  // Other instances have the room, too: it is in memory, and the broker keeps it.
  bool relayed = false;
  std::chrono::milliseconds sync_interval = std::chrono::milliseconds(1000);  // without full_sync
  // Of the file or the memory for the log. Zero: the default of the two.
  std::uint64_t history_bytes_max = 0;

  bool operator==(const RoomPlan&) const = default;
};

}  // namespace fanfare::canvasserver
