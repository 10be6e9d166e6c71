#pragma once
// What a viewer asks for and how its messages are checked: each version follows its last one, and is the one that all others have.

#include <array>
#include <cstdint>
#include <memory>

#include "canvas/peer.h"
#include "canvas/report.h"
#include "canvas/truth.h"

namespace fanfare::bench::canvas {

// Chunk columns and rows, inclusive.
using Area = std::array<std::uint32_t, 4>;
inline constexpr Area kEverything = {0, 0, 255, 255};

class Watching {
 public:
  Watching(Dialer& dialer, Counts& counts) : dialer_(dialer), counts_(counts) {}

  // The first WELCOME says what the room is. Gives up if a later one says something else.
  void greeted(const Welcome& room);
  const Welcome& room() const { return room_; }
  const Truth& truth() const { return *truth_; }

  // Sends WATCH, with the versions that the peer has.
  void watch(Peer& peer, Area area);
  void chunk(Peer& peer, Bytes message);
  void current(Peer& peer, Bytes message);
  // Null: it is malformed, or leaves out a version, which is asked for.
  const TickFrame* tick(Peer& peer, Bytes message);

  bool has_all(const Peer& peer, Area area) const;
  bool are_equal(const Peer& left, const Peer& right, Area area) const;

 private:
  Area cut(Area area) const;
  void missed(Peer& peer, const Section& section);

  Dialer& dialer_;
  Counts& counts_;
  Welcome room_;
  std::unique_ptr<Truth> truth_;
};

}  // namespace fanfare::bench::canvas
