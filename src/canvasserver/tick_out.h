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

class TickOut {
 public:
  // The specification must outlive it.
  TickOut(const canvas::RoomSpec& spec, canvas::Tick tick) : spec_(spec), tick_(std::move(tick)) {}

  // Set before it is shared:
  SharedBytes presence;       // a PRESENCE frame; empty: nothing has changed
  SharedBytes presence_json;  // the same as user_joined and user_left
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
// The PRESENCE frame, and the JSON messages.
void set_presence(TickOut& out, const canvas::PresenceDelta& delta);

}  // namespace fanfare::canvasserver
