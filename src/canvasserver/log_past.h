#pragma once
// The past for moderators, from a room's log. It may be slow; used on the storage's thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "canvas/past.h"
#include "canvasserver/place_strokes.h"
#include "canvasserver/storage.h"

namespace fanfare::canvasserver {

class LogPast final : public canvas::Past {
 public:
  // Both must outlive it.
  LogPast(PastLog& log, const canvas::RoomSpec& spec) : log_(log), spec_(spec) {}

  std::vector<canvas::PastPixel> drawn_at(std::uint16_t x, std::uint16_t y, std::size_t count_max) override;
  canvas::Restoration without_user(canvas::UserNumber user, std::int64_t since_ms) override;
  canvas::Restoration as_at(const canvas::Area& area, std::int64_t at_ms) override;

  // Why what was returned is not complete; empty: it is.
  const std::string& problem() const { return problem_; }
  // The log does not go back to the moment that was asked for; problem() says where it begins.
  bool is_too_old() const { return is_too_old_; }

 private:
  // The pixels of an area as they were, by place (y * 65536 + x). Blank places are left out.
  class Board;
  using Places = std::unordered_map<std::uint16_t, PlaceStrokes>;  // of a chunk
  bool is_replayed(canvas::ChunkId chunk, Places& places, std::int64_t since_ms, std::uint64_t from);
  bool are_shown(const canvas::Area& area, std::int64_t first_ms, std::span<const LogTakenBack> taken_back,
                 Places& places);
  canvas::Area area_of(canvas::ChunkId chunk) const;
  canvas::Restoration failed(std::string problem);
  // The log does not know this moment any more: is_too_old().
  bool is_before(const PastLog::Span& span, std::int64_t at_ms);
  // Empty: as far back as the log goes.
  bool is_read(Board& board, const canvas::Area& area, std::optional<std::int64_t> at_ms);

  PastLog& log_;
  const canvas::RoomSpec& spec_;
  std::string problem_;
  bool is_too_old_ = false;
};

}  // namespace fanfare::canvasserver
