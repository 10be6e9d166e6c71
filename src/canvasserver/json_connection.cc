#include "canvasserver/json_connection.h"

#include <algorithm>
#include <utility>

#include "canvas/json_messages.h"

namespace fanfare::canvasserver {

using canvas::Area;
using canvas::ChunkId;
using canvas::kChunkSide;

void JsonConnection::welcome(const Joined& joined) {
  user_ = joined.welcome.user;
  send_text(canvas::welcome_message(spec(), room().limits(), joined.welcome, joined.users));
  const Area all = Area::whole(spec());
  // It may have asked for an area already.
  const bool is_small = std::uint64_t{all.width} * all.height <= canvas::kWholeWatchPixelsMax &&
                        canvas::ChunkArea::of(all).count() <= room().limits().watched_chunks_max;
  if (!area() && is_small) watch(all);
}

void JsonConnection::receive_binary(Bytes /*message*/) {
  send_error({.code = canvas::ErrorCode::bad_message, .message = "messages must be text"});
}

void JsonConnection::send_error(canvas::ProtocolError error) {
  room().room().metrics().count(error.code);
  send_json_error(error);
}

void JsonConnection::watch(const Area& area) {
  ++asked_;
  watched_ = area;
  lacking_ = {};
  reader_ = std::make_shared<canvas::StateReader>(area);
  const auto chunks = canvas::ChunkArea::of(area);
  set_area(chunks);
  request([member = member(), id = id(), chunks](RoomThread& room) {
    if (member->user == 0) return;
    room.watch_cursors(*member, chunks);
    room.send(*member, to<JsonConnection>(id, [moves = room.room().cursors().all_in(chunks)](
                                                  JsonConnection& there) { there.take_cursors(moves); }));
  });
  is_asking_ = false;
  pump();
}

Area JsonConnection::part_in(ChunkId chunk) const {
  const std::uint32_t left = std::max(watched_.x, chunk.x * kChunkSide);
  const std::uint32_t top = std::max(watched_.y, chunk.y * kChunkSide);
  return {.x = left,
          .y = top,
          .width = std::min(watched_.x + watched_.width, (chunk.x + 1U) * kChunkSide) - left,
          .height = std::min(watched_.y + watched_.height, (chunk.y + 1U) * kChunkSide) - top};
}

void JsonConnection::pump() {
  if (is_asking_ || is_congested() || !is_open()) return;
  if (reader_ == nullptr) {
    if (lacking_.empty()) return;
    const ChunkId chunk = lacking_.first(1).ids.front();
    lacking_.remove(chunk);
    // Until the answer comes its ticks are sent, too: what they change comes again.
    reader_ = std::make_shared<canvas::StateReader>(part_in(chunk));
  }
  is_asking_ = true;
  request([member = member(), id = id(), asked = asked_, reader = reader_](RoomThread& room) {
    if (member->user == 0) return;
    std::optional<std::string> message = reader->next(room.room().board());
    if (!message) return;
    room.send(*member, to<JsonConnection>(id, [asked, message = *std::move(message),
                                               is_complete = reader->is_complete()](JsonConnection& there) {
      there.take_state(asked, message, is_complete);
    }));
  });
}

void JsonConnection::take_state(std::uint64_t asked, const std::string& message, bool is_complete) {
  if (asked != asked_) return;
  is_asking_ = false;
  if (is_complete) reader_.reset();
  send_text(message);
  pump();
}

void JsonConnection::send_tick(TickOut& tick, std::span<const std::uint16_t> sections,
                               SharedBytes& /*frame*/) {
  if (is_congested()) {
    for (const std::uint16_t section : sections) lacking_.add(tick.chunks()[section].chunk, 0);
    room().room().metrics().ticks_skipped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  for (const std::uint16_t section : sections) {
    const ChunkId chunk = tick.chunks()[section].chunk;
    if (lacking_.contains(chunk)) continue;
    const Area part = part_in(chunk);
    const bool is_whole =
        part.width == canvas::columns_of(spec(), chunk) && part.height == canvas::rows_of(spec(), chunk);
    const SharedBytes messages = is_whole ? tick.messages_of(section) : tick.messages_of(section, part);
    if (!messages.empty()) send(messages);
  }
}

void JsonConnection::send_presence(const TickOut& tick) {
  if (user_ == 0) return;
  const SharedBytes messages = tick.presence.messages_for(user_);
  if (!messages.empty()) send(messages);
}

void JsonConnection::send_cursors(const TickOut::AreaCursors& cursors) {
  if (!is_congested()) show(cursors.moves);
}

// All of the area that it watches now: what was shown before and is not among them has left the area.
void JsonConnection::take_cursors(std::vector<canvas::CursorMove> moves) {
  std::unordered_set<canvas::UserNumber> missing = shown_cursors_;
  for (const canvas::CursorMove& move : moves) missing.erase(move.user);
  for (const canvas::UserNumber user : missing) moves.push_back(canvas::CursorMove::left(user));
  show(moves);
}

// The moves are those of whole chunks, and the area may be a part of one.
void JsonConnection::show(const std::vector<canvas::CursorMove>& moves) {
  TextFrames frames;
  for (const canvas::CursorMove& move : moves) {
    if (move.user == user_) continue;
    if (!move.has_left && watched_.contains(move.x, move.y)) {
      shown_cursors_.insert(move.user);
      frames.add(canvas::cursor_message(move));
    } else if (shown_cursors_.erase(move.user) > 0) {
      frames.add(canvas::cursor_message(canvas::CursorMove::left(move.user)));
    }
  }
  if (!frames.empty()) send(frames.shared());
}

}  // namespace fanfare::canvasserver
