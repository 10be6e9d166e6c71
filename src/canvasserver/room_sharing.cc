// A room's thread and the instances that share the room (shared_room.h).
#include <algorithm>
#include <utility>

#include "canvas/wire.h"
#include "canvasserver/loop_room.h"
#include "canvasserver/room_thread.h"

namespace fanfare::canvasserver {

using canvas::UserNumber;

namespace {

// Everything that is drawn in a chunk.
LoggedChunk drawn_in(const canvas::Chunk& chunk, const canvas::RoomSpec& spec) {
  LoggedChunk logged{.chunk = chunk.id(), .version = chunk.version(), .pixels = {}};
  for (std::uint32_t y = 0; y < canvas::rows_of(spec, chunk.id()); ++y) {
    for (std::uint32_t x = 0; x < canvas::columns_of(spec, chunk.id()); ++x) {
      const auto index = static_cast<std::uint16_t>((y * canvas::kChunkSide) + x);
      const UserNumber author = chunk.author_at(index);
      if (author == 0) continue;
      logged.pixels.push_back({.index = index, .user = author, .colour = chunk.colour_at(index)});
    }
  }
  return logged;
}

}  // namespace

SharedRoom::Host RoomThread::host() {
  return {.room = [this]() -> canvas::Room& { return *room_; },
          .renew = [this](std::uint64_t epoch) -> canvas::Room& { return renew(epoch); },
          .begin_past = [this](std::int64_t time_ms) { begin_past(time_ms); },
          .applied =
              [this](const canvas::Tick& tick, std::int64_t time_ms) {
                log_clock_.tick(time_ms, [&](std::int64_t at_ms) { log(tick, at_ms); });
                metrics_.ticks.fetch_add(1, std::memory_order_relaxed);
              },
          .began = [this] { epoch_.store(room_->epoch(), std::memory_order_release); },
          .close_clients = [this] { close_clients(); },
          .post =
              [this](UniqueFunction<void(SharedRoom&)> task) {
                post([task = std::move(task)](RoomThread& there) mutable { task(*there.shared_); });
              },
          .told = [this](const SharedBytes& message) { told(message); }};
}

canvas::Room& RoomThread::renew(std::uint64_t epoch) {
  room_ = std::make_unique<canvas::Room>(canvas::RoomOptions{
      .spec = spec_, .limits = canvas::shared_limits(*limits()), .epoch = epoch, .proof = proof_});
  // What was under way belongs to the room before.
  restorations_.clear();
  is_restoring_ = restoration_ended_ = false;
  logged_users_.clear();
  untold_cursors_.clear();
  return *room_;
}

// What was drawn before is known as it is now, with its authors, and not when it was drawn.
void RoomThread::begin_past(std::int64_t time_ms) {
  LoggedTick base{.tick = room_->last_tick(), .time_ms = time_ms, .is_base = true};
  for (const canvas::ChunkId id : room_->board().chunks())
    base.chunks.push_back(drawn_in(*room_->board().find(id), spec_));
  for (const LoggedChunk& chunk : base.chunks) {
    for (const canvas::TickPixel& pixel : chunk.pixels) log_user(pixel.user, base.users);
  }
  log_clock_.tick(time_ms, [&](std::int64_t at_ms) { base.time_ms = at_ms; });
  metrics_.first_ms = base.chunks.empty() ? 0 : base.time_ms;
  metrics_.last_ms = metrics_.first_ms.load();
  appended_ = base.tick;
  if (storage_ != nullptr) storage_->append(std::move(base));
}

void RoomThread::close_clients() {
  for (const auto& [link, connections] : links_) add_to(out_, link, [](LoopRoom& room) { room.close_all(); });
}

void RoomThread::join_shared(const std::shared_ptr<Member>& member, const canvas::JoinRequest& request,
                             Task joined) {
  const bool has_place = room_->presence().count() < limits()->users_max;
  if (!shared_->is_ready() || !has_place) return joined(*this);
  auto done = [this, member, joined = std::move(joined)](UserNumber user) mutable {
    if (member->has_left) return;
    member->user = user;
    if (user != 0) ++links_[member->link];
    joined(*this);
  };
  member->shared_user = shared_->join({.identity = std::string(request.identity),
                                       .name = std::string(request.name),
                                       .payer = std::string(request.payer),
                                       .colour = request.colour},
                                      std::move(done));
}

void RoomThread::tell_cursors(Instant now) {
  const Duration interval = std::chrono::nanoseconds(std::chrono::seconds(1)) /
                            std::max<std::uint32_t>(1, room_->limits().cursors_per_second);
  if (untold_cursors_.empty() || now - cursors_told_at_ < interval) return;
  cursors_told_at_ = now;
  if (!shared_->has_others(now)) return untold_cursors_.clear();
  std::vector<std::uint8_t> bytes;
  canvas::WireWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(Told::cursors));
  out.u64(shared_->instance());
  const std::size_t count = std::min(untold_cursors_.size(), room_->limits().cursors_per_round_max);
  out.varint(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [user, position] = *untold_cursors_.begin();
    out.varint(user);
    out.u8(position ? 1 : 0);
    out.u16(position ? position->x : 0);
    out.u16(position ? position->y : 0);
    untold_cursors_.erase(untold_cursors_.begin());
  }
  shared_->tell(SharedBytes(Bytes(bytes)));
}

void RoomThread::told(const SharedBytes& message) {
  canvas::WireReader in(message.view());
  const auto kind = in.u8();
  const auto instance = in.u64();
  if (!kind || !instance) return;
  shared_->heard(*instance, system_clock().now());
  if (*kind == static_cast<std::uint8_t>(Told::state_wanted))
    return shared_->state_wanted(system_clock().now());
  if (*kind != static_cast<std::uint8_t>(Told::cursors) || *instance == shared_->instance()) return;
  const auto count = in.varint32();
  for (std::uint32_t i = 0; count && i < *count; ++i) {
    const auto user = in.varint32();
    const auto is_here = in.u8();
    const auto x = in.u16();
    const auto y = in.u16();
    if (!user || !is_here || !x || !y || !canvas::has_pixel(spec_, *x, *y)) return;
    if (room_->presence().find(*user) == nullptr) continue;
    if (*is_here != 0) {
      room_->cursors().move(*user, *x, *y);
    } else {
      room_->cursors().remove(*user);
    }
    note_cursor();
  }
}

}  // namespace fanfare::canvasserver
