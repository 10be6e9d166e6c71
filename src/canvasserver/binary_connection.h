#pragma once
// A client with the binary protocol (docs/canvas.md). Each chunk that it watches is either as the room has it, and gets each
// tick, or lacks something (LackingChunks). The room is asked for what is lacking, a few chunks at a time.

#include "canvasserver/connection.h"

namespace fanfare::canvasserver {

// Asked for at once.
inline constexpr std::size_t kChunksPerRequest = 16;

class BinaryConnection final : public Connection {
 public:
  BinaryConnection(LoopRoom& room, session::Session& session, Visitor visitor,
                   std::unique_ptr<Permit> permit);
  ~BinaryConnection() override;

  void send_tick(TickOut& tick, std::span<const std::uint16_t> sections, SharedBytes& frame) override;
  void send_presence(const TickOut& tick) override;
  void send_cursors(const TickOut::AreaCursors& cursors) override;
  void welcome(const Joined& joined) override;
  void watch(const canvas::Area& area) override;

 private:
  void receive_binary(Bytes message) override;
  void send_error(canvas::ProtocolError error) override;
  void pump() override;
  void handle(canvas::PixelsMessage& message);
  void handle(const canvas::WatchMessage& message);
  void handle(const canvas::FetchMessage& message);
  void handle(const canvas::CursorMessage& message) { cursor(message.position); }
  void handle(const canvas::UndoMessage& message);
  void watch_cursors(const canvas::ChunkArea& area);
  void take_chunks(std::uint64_t asked, const std::vector<canvas::ChunkId>& ids,
                   const std::vector<SharedBytes>& frames);

  canvas::UserNumber user_ = 0;  // 0: it has no WELCOME yet
  LackingChunks lacking_;
  bool is_asking_ = false;
  // Grows when what is asked for is no longer what is lacking: then the answer is dropped.
  std::uint64_t asked_ = 0;
};

}  // namespace fanfare::canvasserver
