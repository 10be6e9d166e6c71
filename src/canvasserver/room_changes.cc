// What clients change: at once, or in a shared room when the log has it.
#include <memory>
#include <utility>

#include "canvasserver/room_thread.h"

namespace fanfare::canvasserver {

using canvas::Actor;
using canvas::DrawResult;
using canvas::ErrorCode;
using canvas::ModerationEvent;
using canvas::Pixel;
using canvas::ProtocolError;
using canvas::Restoration;
using canvas::RestoredPixel;
using canvas::UserNumber;

namespace {

// Of a SharedRestore: less than an entry of the log may have (shared_log.h) in any room.
constexpr std::size_t kRestoredPixelsMax = 16'384;

bool is_same_place(const RestoredPixel& one, const RestoredPixel& other) {
  return one.x == other.x && one.y == other.y;
}

// The pixels of a place stay together.
std::vector<Restoration> parts_of(const Restoration& found) {
  std::vector<Restoration> parts;
  std::span<const RestoredPixel> rest = found.pixels;
  do {
    std::size_t size = std::min(rest.size(), kRestoredPixelsMax);
    while (size > 0 && size < rest.size() && is_same_place(rest[size - 1], rest[size])) --size;
    // More strokes of one place than a part has: the oldest decide.
    if (size == 0) size = std::min(rest.size(), kRestoredPixelsMax);
    parts.push_back({.from = found.from, .pixels = {rest.begin(), rest.begin() + static_cast<long>(size)}});
    rest = rest.subspan(size);
  } while (!rest.empty());
  return parts;
}

}  // namespace

std::optional<ProtocolError> RoomThread::sharing_problem() const {
  if (shared_->is_writable()) return std::nullopt;
  return canvas::error_of(ErrorCode::storage_full,
                          "the broker that shares this room cannot be reached at the moment");
}

void RoomThread::draw(const Actor& actor, std::span<const Pixel> pixels, std::string_view proof,
                      DrawDone done) {
  if (shared_ == nullptr) return done(*this, room_->draw(actor, pixels, proof, now()));
  if (auto problem = sharing_problem()) return done(*this, {.error = std::move(problem)});
  const DrawResult admitted = room_->admit(actor, pixels, proof, now());
  if (admitted.accepted == 0) return done(*this, admitted);
  const std::span<const Pixel> accepted = pixels.first(admitted.accepted);
  shared_->add(
      canvas::SharedDraw{.user = actor.user, .pixels = {accepted.begin(), accepted.end()}},
      [this, error = admitted.error, done = std::move(done)](const SharedOutbox::Result& result) mutable {
        done(*this, {.accepted = result.count, .error = result.error ? result.error : error});
      });
}

void RoomThread::undo(const Actor& actor, std::uint32_t count, DrawDone done) {
  if (shared_ == nullptr) return done(*this, room_->undo(actor, count, now()));
  if (auto problem = sharing_problem()) return done(*this, {.error = std::move(problem)});
  if (auto problem = room_->undo_problem(actor, now())) return done(*this, {.error = std::move(problem)});
  shared_->add(canvas::SharedUndo{.user = actor.user, .count = count},
               [this, done = std::move(done)](const SharedOutbox::Result& result) mutable {
                 done(*this, {.accepted = result.count, .error = result.error});
               });
}

void RoomThread::restore(const Actor& actor, const ModerationEvent& event, const Restoration& found,
                         RestoreDone done) {
  if (shared_ == nullptr) return done(*this, room_->restore(actor, event, found));
  auto problem = canvas::Room::moderation_problem(actor);
  if (!problem) problem = sharing_problem();
  if (problem) return done(*this, std::unexpected(*std::move(problem)));
  canvas::SharedRestore request{.event = event, .found = {}, .is_more = false};
  request.event.moderator = actor.user;
  const auto total = std::make_shared<std::size_t>(0);
  std::vector<Restoration> parts = parts_of(found);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    request.found = std::move(parts[i]);
    request.is_more = i > 0;
    if (i + 1 < parts.size()) {
      shared_->add(request, [total](const SharedOutbox::Result& result) { *total += result.count; });
    } else {
      shared_->add(std::move(request),
                   [this, total, done = std::move(done)](const SharedOutbox::Result& result) mutable {
                     done(*this, *total + result.count);
                   });
      return;
    }
  }
}

void RoomThread::ban(const Actor& actor, UserNumber user, std::uint32_t seconds, BanDone done) {
  if (shared_ == nullptr) return done(*this, room_->ban(actor, user, seconds, now()));
  auto problem = canvas::Room::moderation_problem(actor);
  if (!problem) problem = sharing_problem();
  if (problem) return done(*this, std::unexpected(*std::move(problem)));
  shared_->add(canvas::SharedBan{.moderator = actor.user, .user = user, .seconds = seconds},
               [this, done = std::move(done)](const SharedOutbox::Result& result) mutable {
                 if (result.error) return done(*this, std::unexpected(*result.error));
                 done(*this, {});
               });
}

}  // namespace fanfare::canvasserver
