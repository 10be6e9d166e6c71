#pragma once
// A client with the JSON protocol (docs/canvas.md). It gets the canvas_state of the area that it watches in pieces, and
// meanwhile each pixel that changes. Of chunks whose ticks were skipped it gets the canvas_state again.

#include <memory>
#include <unordered_set>
#include <vector>

#include "canvas/state_reader.h"
#include "canvasserver/connection.h"

namespace fanfare::canvasserver {

class JsonConnection final : public Connection {
 public:
  using Connection::Connection;

  void send_tick(TickOut& tick, std::span<const std::uint16_t> sections, SharedBytes& frame) override;
  void send_presence(const TickOut& tick) override;
  void send_cursors(const TickOut::AreaCursors& cursors) override;
  void welcome(const Joined& joined) override;
  void watch(const canvas::Area& area) override;
  // The answer to watch().
  void take_cursors(std::vector<canvas::CursorMove> moves);

 private:
  void receive_binary(Bytes message) override;
  void send_error(canvas::ProtocolError error) override;
  void pump() override;
  // The part of the area that is in the chunk, which it has.
  canvas::Area part_in(canvas::ChunkId chunk) const;
  void show(const std::vector<canvas::CursorMove>& moves);
  void take_state(std::uint64_t asked, const std::string& message, bool is_complete);

  canvas::UserNumber user_ = 0;  // 0: not welcome yet
  canvas::Area watched_;
  std::unordered_set<canvas::UserNumber> shown_cursors_;  // in the area, as the client knows it
  LackingChunks lacking_;                                 // of which ticks were skipped
  // What is being sent. The room's thread reads it.
  std::shared_ptr<canvas::StateReader> reader_;
  bool is_asking_ = false;
  std::uint64_t asked_ = 0;  // grows with each area
};

}  // namespace fanfare::canvasserver
