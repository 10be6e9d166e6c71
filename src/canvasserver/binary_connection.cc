#include "canvasserver/binary_connection.h"

#include <utility>

#include "canvas/frames.h"
#include "canvasserver/requests.h"

namespace fanfare::canvasserver {

using canvas::ChunkArea;
using canvas::ChunkId;

namespace {

template <typename Visit>
void for_each_chunk(const ChunkArea& area, Visit visit) {
  for (unsigned y = area.y0; y <= area.y1; ++y) {
    for (unsigned x = area.x0; x <= area.x1; ++x) {
      visit(ChunkId{.x = static_cast<std::uint8_t>(x), .y = static_cast<std::uint8_t>(y)});
    }
  }
}

}  // namespace

BinaryConnection::BinaryConnection(LoopRoom& room, session::Session& session, Visitor visitor,
                                   std::unique_ptr<Permit> permit)
    : Connection(room, session, std::move(visitor), std::move(permit)) {
  room.room().metrics().binary_connections.fetch_add(1, std::memory_order_relaxed);
}

BinaryConnection::~BinaryConnection() {
  room().room().metrics().binary_connections.fetch_sub(1, std::memory_order_relaxed);
}

void BinaryConnection::welcome(const Joined& joined) {
  user_ = joined.welcome.user;
  canvas::ByteVector bytes;
  canvas::append_welcome(bytes, spec(), room().limits(), joined.welcome);
  if (!send(binary_frame(bytes))) return;
  bytes.clear();
  canvas::append_presence(bytes, joined.users);
  send(binary_frame(bytes));
}

void BinaryConnection::receive_binary(Bytes message) {
  auto parsed = canvas::parse_client_message(message, spec(), room().limits().watched_chunks_max);
  if (!parsed) return send_error(std::move(parsed.error()));
  std::visit([this](auto& one) { handle(one); }, *parsed);
}

void BinaryConnection::send_error(canvas::ProtocolError error) {
  room().room().metrics().count(error.code);
  canvas::ByteVector bytes;
  canvas::append_error(bytes, error);
  send(binary_frame(bytes));
}

void BinaryConnection::handle(canvas::PixelsMessage& message) {
  draw_pixels(*this, std::move(message));
}

void BinaryConnection::handle(const canvas::UndoMessage& message) {
  undo_pixels(*this, message);
}

void BinaryConnection::watch(const canvas::Area& area) {
  handle(canvas::WatchMessage{.area = ChunkArea::of(area), .epoch = 0, .known = {}});
}

void BinaryConnection::handle(const canvas::WatchMessage& message) {
  const std::optional<ChunkArea> before = area();
  const auto is_new = [&](ChunkId id) { return !before || !before->contains(id); };
  ++asked_;
  lacking_.remove_if([&](ChunkId id) { return !message.area.contains(id); });
  for_each_chunk(message.area, [&](ChunkId id) {
    if (is_new(id)) lacking_.add_unknown(id);
  });
  if (message.epoch == room().room().epoch()) {
    for (const canvas::KnownChunk& known : message.known) {
      if (is_new(known.id)) lacking_.set_known(known.id, known.version);
    }
  }
  set_area(message.area);
  if (before != area()) watch_cursors(message.area);
  pump();
}

void BinaryConnection::handle(const canvas::FetchMessage& message) {
  if (!area() || !area()->contains(message.chunk)) {
    return send_error({.code = canvas::ErrorCode::out_of_range, .message = "this chunk is not watched"});
  }
  ++asked_;
  lacking_.add_unknown(message.chunk);
  pump();
}

void BinaryConnection::watch_cursors(const ChunkArea& area) {
  request([member = member(), id = id(), area](RoomThread& room) {
    if (member->user == 0) return;
    room.watch_cursors(*member, area);
    const std::vector<canvas::CursorMove> moves = room.room().cursors().all_in(area);
    if (moves.empty()) return;
    canvas::ByteVector bytes;
    canvas::append_cursors(bytes, moves);
    room.send(*member, to(id, [frame = binary_frame(bytes)](Connection& there) { there.send(frame); }));
  });
}

void BinaryConnection::pump() {
  if (is_asking_ || lacking_.empty() || is_congested() || !is_open()) return;
  is_asking_ = true;
  request([member = member(), id = id(), asked = asked_,
           wanted = lacking_.first(kChunksPerRequest)](RoomThread& room) {
    if (member->user == 0) return;
    std::vector<SharedBytes> frames = room.room().frames_for(wanted.ids, wanted.known);
    room.send(*member, to<BinaryConnection>(
                           id, [asked, ids = wanted.ids, frames = std::move(frames)](
                                   BinaryConnection& there) { there.take_chunks(asked, ids, frames); }));
  });
}

// As of the last tick that was sent: what follows is in the next ones.
void BinaryConnection::take_chunks(std::uint64_t asked, const std::vector<ChunkId>& ids,
                                   const std::vector<SharedBytes>& frames) {
  is_asking_ = false;
  if (asked == asked_) {
    for (const ChunkId id : ids) lacking_.remove(id);
    for (const SharedBytes& frame : frames) {
      if (!send(frame)) return;
    }
  }
  pump();
}

void BinaryConnection::send_tick(TickOut& tick, std::span<const std::uint16_t> sections, SharedBytes& frame) {
  if (is_congested()) {
    for (const std::uint16_t section : sections) {
      const canvas::ChunkTick& chunk = tick.chunks()[section];
      lacking_.add(chunk.chunk, chunk.version - 1);
    }
    room().room().metrics().ticks_skipped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (lacking_.empty()) {
    if (frame.empty()) frame = tick.frame_for(sections);
    send(frame);
    return;
  }
  std::vector<std::uint16_t> had;
  for (const std::uint16_t section : sections) {
    if (!lacking_.contains(tick.chunks()[section].chunk)) had.push_back(section);
  }
  if (!had.empty()) send(tick.frame_for(had));
}

void BinaryConnection::send_presence(const TickOut& tick) {
  if (user_ != 0) send(tick.presence.frame_for(user_));
}

void BinaryConnection::send_cursors(const TickOut::AreaCursors& cursors) {
  if (!is_congested()) send(cursors.frame);
}

}  // namespace fanfare::canvasserver
