#pragma once
// What the watchers of a room get of one tick. All loops share it: each frame is encoded once, by the loop that needs it
// first.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/shared_bytes.h"
#include "canvas/cursors.h"
#include "canvas/presence.h"
#include "canvas/tick.h"

namespace fanfare::canvasserver {

// The users who joined and left since the last message, encoded for both protocols.
class PresenceOut {
 public:
  PresenceOut() = default;
  explicit PresenceOut(canvas::PresenceDelta delta);

  // Nothing has changed.
  bool empty() const { return frame_.empty(); }
  // What a connection of this user gets, without the user itself: a PRESENCE frame; or user_joined and user_left messages, of which
  // there may be none.
  SharedBytes frame_for(canvas::UserNumber user) const;
  SharedBytes messages_for(canvas::UserNumber user) const;

 private:
  bool names(canvas::UserNumber user) const;

  canvas::PresenceDelta delta_;
  // For users who are not in `delta_`.
  SharedBytes frame_;
  SharedBytes messages_;
};

class TickOut {
 public:
  // The specification must outlive it.
  TickOut(const canvas::RoomSpec& spec, canvas::Tick tick) : spec_(spec), tick_(std::move(tick)) {}

  // Set before it is shared:
  PresenceOut presence;
  struct AreaCursors {
    std::vector<canvas::CursorMove> moves;
    SharedBytes frame;  // CURSORS
  };
  std::map<canvas::ChunkArea, AreaCursors> cursors;  // of the areas that are watched and have moves

  bool is_empty() const { return tick_.chunks.empty() && presence.empty() && cursors.empty(); }
  const std::vector<canvas::ChunkTick>& chunks() const { return tick_.chunks; }
  // Any thread. A TICK with these of chunks(), by index, in order; not empty.
  SharedBytes frame_for(std::span<const std::uint16_t> sections);
  // A pixel_changed for each pixel of a chunk, one frame behind the other.
  SharedBytes messages_of(std::uint16_t section);
  // Those of its pixels that are in the area.
  SharedBytes messages_of(std::uint16_t section, const canvas::Area& area) const;

 private:
  const canvas::RoomSpec& spec_;
  const canvas::Tick tick_;
  std::mutex mutex_;  // guards what follows
  std::map<std::vector<std::uint16_t>, SharedBytes> frames_;
  std::map<std::uint16_t, SharedBytes> messages_;
};

// Text frames, one behind the other.
class TextFrames {
 public:
  void add(std::string_view message);
  bool empty() const { return bytes_.empty(); }
  SharedBytes shared() const { return SharedBytes(Bytes(bytes_)); }

 private:
  std::vector<std::uint8_t> bytes_;
};

SharedBytes binary_frame(std::span<const std::uint8_t> message);
SharedBytes text_frame(std::string_view message);

}  // namespace fanfare::canvasserver
