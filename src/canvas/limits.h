#pragma once
// The limits of a room. Each has a test at the limit and past it.

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "base/token_bucket.h"

namespace fanfare::canvas {

struct Limits {
  // Chunks with a pixel that somebody has drawn: drawing in one more is answered out_of_range, until one is blank again.
  // A chunk has 64 KiB of colours (192 KiB with 24 bits) and 256 KiB of users; with at most kSparsePixelsMax pixels, 12
  // bytes for each.
  std::size_t chunks_max = 1024;

  // Pixels. Of a user, and of an address (Actor::payer: an IPv6 /64 is one). Beyond either: too_many_pixels.
  TokenRate pixels_per_user = {.per_second = 200, .burst = 2'000};
  TokenRate pixels_per_address = {.per_second = 1'000, .burst = 10'000};
  // Chunks that were blank before, in a minute: their pixels take memory, and chunks_max of them are all. A minute's worth
  // may come at once. Beyond either: too_many_pixels.
  std::uint32_t chunks_per_minute_per_user = 30;
  std::uint32_t chunks_per_minute_per_address = 60;
  // Of a user, from one pixel to the next. Zero: none. Without access control anybody can be a new user at any time: then
  // only pixels_per_address limits him.
  Duration cooldown{};
  // Of all users in one tick: what comes later in it is answered too_many_pixels, with the wait to the next tick.
  std::size_t pixels_per_tick_max = 262'144;
  // The last pixels of all users that their authors can take back. Each takes at most 88 bytes.
  std::size_t undo_pixels_max = 1'000'000;
  // Of one user, those that somebody has drawn over and that an undo has passed: they can be taken back when they are the
  // user's again. Of more, the oldest are forgotten.
  std::size_t undo_passed_max = 4096;

  // Of a tick, from its start to the next.
  Duration tick_min = std::chrono::milliseconds(16);
  Duration tick_max = std::chrono::milliseconds(100);
  // Kept for clients that name a version. What is older is sent as a whole chunk.
  std::size_t history_ticks_per_chunk_max = 1024;
  std::size_t history_bytes_per_chunk_max = std::size_t{32} << 10;
  // Of compressed chunks that are kept for the next client. The oldest is dropped.
  std::size_t snapshot_bytes_max = std::size_t{64} << 20;
  // Of one WATCH.
  std::size_t watched_chunks_max = 4096;

  // Connected, and remembered for their return: then those are forgotten that have left first. If all are connected,
  // one more is refused.
  std::size_t users_max = 100'000;
  // Addresses whose rates are known. Further ones share one bucket until others have been idle for a minute.
  std::size_t payers_max = 100'000;
  // In force; at least 1. Of more, the one that ends first is dropped.
  std::size_t bans_max = 10'000;

  // What moderators take back, in one tick; the rest follows in the next ticks.
  std::size_t restored_pixels_per_tick_max = 65'536;
  // Waiting for that. What is more is not accepted (Room::restore says how many were).
  std::size_t restored_pixels_waiting_max = 4'000'000;

  // Positions of one user that others see. The latest counts.
  std::uint32_t cursors_per_second = 20;
  // Cursors that move in one round, in the whole room: the others do in the next rounds, those that wait longest first.
  // Also of the cursors that a new watcher gets.
  std::size_t cursors_per_round_max = 1024;

  // Between two messages of presence, and what one names.
  Duration presence_interval = std::chrono::milliseconds(100);
  std::size_t presence_joined_max = 64;
  std::size_t presence_left_max = 1024;
  // Of the list at the start of a connection, and of an answer to `users`.
  std::size_t presence_listed_max = 200;

  // Of a message of a client: a longer one is answered message_too_big, and one of over kMessageBytesFactor times the
  // size closes with 1009.
  std::size_t message_bytes_max = 65'536;
  // Messages of a connection that are not pixels of a PIXELS message: its burst is as many.
  std::uint32_t messages_per_second = 100;

  bool operator==(const Limits&) const = default;
};

inline constexpr std::size_t kMessageBytesFactor = 16;
inline constexpr std::uint32_t kMessageFloodFactor = 10;  // messages_per_second times this closes with 1008
inline constexpr std::uint32_t kPixelsPerMessageMax = 4096;
inline constexpr std::size_t kIdBytesMax = 64;
inline constexpr std::uint32_t kJsonDepthMax = 8;
inline constexpr std::size_t kNameCharactersMax = 32;
inline constexpr std::size_t kSessionBytesMin = 8;
inline constexpr std::size_t kSessionBytesMax = 64;
inline constexpr std::size_t kStatePixelsMax = 4096;              // of one canvas_state
inline constexpr std::size_t kWhoMax = 16;                        // pixels of one history
inline constexpr std::uint64_t kWholeWatchPixelsMax = 1'048'576;  // JSON clients watch such a canvas at first

}  // namespace fanfare::canvas
