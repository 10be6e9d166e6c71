#include "canvasserver/log_past.h"

#include <limits>
#include <unordered_map>

namespace fanfare::canvasserver {

using canvas::Area;
using canvas::RestoredPixel;

namespace {

constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();

std::uint32_t place_of(std::uint32_t x, std::uint32_t y) {
  return (y << 16U) | x;
}

}  // namespace

class LogPast::Board {
 public:
  explicit Board(const canvas::RoomSpec& spec) : blank_(spec.background_colour()) {}
  void add(StoredChunk chunk) {
    const std::uint16_t key = chunk.chunk.key();
    chunks_.emplace(key, std::move(chunk));
  }
  RestoredPixel at(std::uint16_t x, std::uint16_t y) const {
    const auto found = chunks_.find(canvas::chunk_of(x, y).key());
    if (found == chunks_.end()) return {.x = x, .y = y, .author = 0, .colour = blank_};
    const std::uint16_t index = canvas::index_of(x, y);
    const ChunkPixels& pixels = found->second.pixels;
    return {.x = x, .y = y, .author = pixels.users[index], .colour = pixels.colours[index]};
  }

 private:
  const canvas::Colour blank_;
  std::unordered_map<std::uint16_t, StoredChunk> chunks_;
};

bool LogPast::is_read(Board& board, const Area& area, std::optional<std::int64_t> at_ms) {
  const auto span = log_.span();
  if (!span) return problem_ = span.error(), false;
  if (!span->is_complete && at_ms && *at_ms < span->first_ms) {
    is_too_old_ = true;
    return problem_ = "the log begins at " + std::to_string(span->first_ms), false;
  }
  auto chunks = log_.chunks_at(area, at_ms.value_or(span->is_complete ? -1 : span->first_ms), true);
  if (!chunks) return problem_ = chunks.error(), false;
  for (StoredChunk& chunk : *chunks) board.add(std::move(chunk));
  return true;
}

std::vector<canvas::PastPixel> LogPast::drawn_at(std::uint16_t x, std::uint16_t y, std::size_t count_max) {
  const auto found = log_.drawn_at(x, y, count_max);
  if (!found) return problem_ = found.error(), std::vector<canvas::PastPixel>();
  std::vector<canvas::PastPixel> pixels;
  for (const LogPixel& pixel : *found) {
    pixels.push_back({.user = pixel.user, .colour = pixel.colour, .time_ms = pixel.time_ms});
  }
  return pixels;
}

std::vector<RestoredPixel> LogPast::without_user(canvas::UserNumber user, std::int64_t since_ms) {
  const Area all = Area::whole(spec_);
  std::unordered_map<std::uint32_t, RestoredPixel> places;  // author ~0: nobody else has drawn there since
  constexpr canvas::UserNumber kNobodyElse = ~0U;
  auto visited = log_.visit(all, since_ms, kEver, user, [&](const LogPixel& pixel) {
    places[place_of(pixel.x, pixel.y)] = {.x = static_cast<std::uint16_t>(pixel.x),
                                          .y = static_cast<std::uint16_t>(pixel.y),
                                          .author = kNobodyElse,
                                          .colour = 0};
    return true;
  });
  if (visited && !places.empty()) {
    visited = log_.visit(all, since_ms, kEver, std::nullopt, [&](const LogPixel& pixel) {
      if (pixel.user == user) return true;
      const auto found = places.find(place_of(pixel.x, pixel.y));
      if (found == places.end()) return true;
      found->second.author = pixel.user;
      found->second.colour = pixel.colour;
      return true;
    });
  }
  if (!visited) return problem_ = visited.error(), std::vector<RestoredPixel>();
  Board before(spec_);
  const auto moment = since_ms == 0 ? std::nullopt : std::optional(since_ms - 1);
  if (!places.empty() && !is_read(before, all, moment)) return {};
  std::vector<RestoredPixel> restored;
  restored.reserve(places.size());
  for (const auto& [place, pixel] : places) {
    restored.push_back(pixel.author == kNobodyElse ? before.at(pixel.x, pixel.y) : pixel);
  }
  return restored;
}

std::vector<RestoredPixel> LogPast::as_at(const Area& area, std::int64_t at_ms) {
  Board then(spec_);
  if (!is_read(then, area, at_ms)) return {};
  std::unordered_map<std::uint32_t, RestoredPixel> places;
  const auto visited = log_.visit(area, at_ms + 1, kEver, std::nullopt, [&](const LogPixel& pixel) {
    const auto x = static_cast<std::uint16_t>(pixel.x);
    const auto y = static_cast<std::uint16_t>(pixel.y);
    places.try_emplace(place_of(x, y), then.at(x, y));
    return true;
  });
  if (!visited) return problem_ = visited.error(), std::vector<RestoredPixel>();
  std::vector<RestoredPixel> restored;
  restored.reserve(places.size());
  for (const auto& [place, pixel] : places) restored.push_back(pixel);
  return restored;
}

}  // namespace fanfare::canvasserver
