#pragma once
// The past for moderators, from a room's log. It may be slow; used on the storage's thread.

#include <cstdint>
#include <optional>
#include <string>

#include "canvas/past.h"
#include "canvasserver/storage.h"

namespace fanfare::canvasserver {

class LogPast final : public canvas::Past {
 public:
  // Both must outlive it.
  LogPast(PastLog& log, const canvas::RoomSpec& spec) : log_(log), spec_(spec) {}

  std::vector<canvas::PastPixel> drawn_at(std::uint16_t x, std::uint16_t y, std::size_t count_max) override;
  std::vector<canvas::RestoredPixel> without_user(canvas::UserNumber user, std::int64_t since_ms) override;
  std::vector<canvas::RestoredPixel> as_at(const canvas::Area& area, std::int64_t at_ms) override;

  // Why what was returned is not complete; empty: it is.
  const std::string& problem() const { return problem_; }
  // The log does not go back to the moment that was asked for; problem() says where it begins.
  bool is_too_old() const { return is_too_old_; }

 private:
  // The pixels of an area as they were, by place (y * 65536 + x). Blank places are left out.
  class Board;
  // Empty: as far back as the log goes.
  bool is_read(Board& board, const canvas::Area& area, std::optional<std::int64_t> at_ms);

  PastLog& log_;
  const canvas::RoomSpec& spec_;
  std::string problem_;
  bool is_too_old_ = false;
};

}  // namespace fanfare::canvasserver
