#include "canvasserver/log_past.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

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

bool LogPast::is_before(const PastLog::Span& span, std::int64_t at_ms) {
  if (span.is_complete || at_ms >= span.first_ms) return false;
  is_too_old_ = true;
  problem_ = "the log begins at " + std::to_string(span.first_ms);
  return true;
}

bool LogPast::is_read(Board& board, const Area& area, std::optional<std::int64_t> at_ms) {
  const auto span = log_.span();
  if (!span) return problem_ = span.error(), false;
  if (at_ms && is_before(*span, *at_ms)) return false;
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

canvas::Restoration LogPast::failed(std::string problem) {
  problem_ = std::move(problem);
  return {};
}

canvas::Restoration LogPast::without_user(canvas::UserNumber user, std::int64_t since_ms) {
  std::map<std::uint16_t, Places> chunks;
  const auto visited = log_.visit(Area::whole(spec_), since_ms, kEver, user, [&](const LogPixel& pixel) {
    const auto x = static_cast<std::uint16_t>(pixel.x);
    const auto y = static_cast<std::uint16_t>(pixel.y);
    chunks[canvas::chunk_of(x, y).key()].try_emplace(canvas::index_of(x, y));
    return true;
  });
  if (!visited) return failed(visited.error());
  const auto from = log_.tick_from(since_ms);
  if (!from) return failed(from.error());
  canvas::Restoration found{.from = *from, .pixels = {}};
  for (auto& [key, places] : chunks) {
    const auto chunk = canvas::ChunkId::of_key(key);
    if (!is_replayed(chunk, places, since_ms, *from)) return {};
    for (const auto& [index, strokes] : places) {
      strokes.append_without(user, *from,
                             {.x = canvas::x_of(chunk, index),
                              .y = canvas::y_of(chunk, index),
                              .author = 0,
                              .colour = spec_.background_colour()},
                             found.pixels);
    }
  }
  return found;
}

// Replays these places of a chunk, from `since_ms` on if that is enough.
bool LogPast::is_replayed(canvas::ChunkId chunk, Places& places, std::int64_t since_ms, std::uint64_t from) {
  const Area area = area_of(chunk);
  const auto span = log_.span();
  if (!span) return problem_ = span.error(), false;
  bool is_whole = since_ms == 0;
  if (!is_whole && is_before(*span, since_ms - 1)) return false;
  auto taken_back = log_.taken_back(chunk, is_whole ? 0 : from);
  if (!taken_back) return problem_ = taken_back.error(), false;
  if (!is_whole && std::ranges::any_of(*taken_back, [&](const LogTakenBack& one) {
        return one.what.from < from && places.contains(canvas::index_of(one.what.x, one.what.y));
      })) {
    is_whole = true;
    taken_back = log_.taken_back(chunk, 0);
    if (!taken_back) return problem_ = taken_back.error(), false;
  }
  Board before(spec_);
  if (!is_read(before, area, is_whole ? std::nullopt : std::optional(since_ms - 1))) return false;
  // A log that was cut begins with what its first moment shows.
  const std::int64_t first_ms = !is_whole ? since_ms : span->is_complete ? 0 : span->first_ms + 1;
  const auto first = log_.tick_from(first_ms);
  if (!first) return problem_ = first.error(), false;
  for (auto& [index, strokes] : places) {
    const RestoredPixel pixel = before.at(canvas::x_of(chunk, index), canvas::y_of(chunk, index));
    strokes.begin(*first - 1, pixel.author, pixel.colour);
  }
  std::erase_if(*taken_back, [&](const LogTakenBack& one) {
    return one.tick < *first || !places.contains(canvas::index_of(one.what.x, one.what.y));
  });
  return are_shown(area, first_ms, *taken_back, places);
}

// Of each tick, what was taken back comes before what was then visible.
bool LogPast::are_shown(const Area& area, std::int64_t first_ms, std::span<const LogTakenBack> taken_back,
                        Places& places) {
  std::unordered_map<std::uint16_t, std::pair<std::vector<LogTakenBack>, std::size_t>>
      waiting;  // and the next one
  for (const LogTakenBack& one : taken_back)
    waiting[canvas::index_of(one.what.x, one.what.y)].first.push_back(one);
  // Whether the place was drawn in this tick, as far as is known.
  const auto take_back = [&](std::uint16_t index, PlaceStrokes& strokes, std::uint64_t until) {
    const auto found = waiting.find(index);
    if (found == waiting.end()) return true;
    auto& [all, next] = found->second;
    bool is_drawn = true;
    for (; next < all.size() && all[next].tick <= until; ++next) {
      strokes.take_back(all[next].what);
      const bool is_last_of_tick = next + 1 == all.size() || all[next + 1].tick != all[next].tick;
      if (all[next].tick == until) {
        is_drawn = all[next].what.is_drawn;
      } else if (is_last_of_tick) {
        strokes.end_tick();
      }
    }
    return is_drawn;
  };
  const auto visited = log_.visit(area, first_ms, kEver, std::nullopt, [&](const LogPixel& pixel) {
    const auto index =
        canvas::index_of(static_cast<std::uint16_t>(pixel.x), static_cast<std::uint16_t>(pixel.y));
    const auto place = places.find(index);
    if (place == places.end()) return true;
    const bool is_drawn = take_back(index, place->second, pixel.tick);
    place->second.show(pixel.tick, pixel.user, pixel.colour, is_drawn);
    return true;
  });
  if (!visited) return problem_ = visited.error(), false;
  for (auto& [index, strokes] : places) take_back(index, strokes, std::numeric_limits<std::uint64_t>::max());
  return true;
}

Area LogPast::area_of(canvas::ChunkId chunk) const {
  return {.x = chunk.x * canvas::kChunkSide,
          .y = chunk.y * canvas::kChunkSide,
          .width = canvas::columns_of(spec_, chunk),
          .height = canvas::rows_of(spec_, chunk)};
}

canvas::Restoration LogPast::as_at(const Area& area, std::int64_t at_ms) {
  Board then(spec_);
  if (!is_read(then, area, at_ms)) return {};
  const auto from = log_.tick_from(at_ms + 1);
  if (!from) return failed(from.error());
  std::unordered_map<std::uint32_t, RestoredPixel> places;
  const auto visited = log_.visit(area, at_ms + 1, kEver, std::nullopt, [&](const LogPixel& pixel) {
    const auto x = static_cast<std::uint16_t>(pixel.x);
    const auto y = static_cast<std::uint16_t>(pixel.y);
    places.try_emplace(place_of(x, y), then.at(x, y));
    return true;
  });
  if (!visited) return failed(visited.error());
  canvas::Restoration found{.from = *from, .pixels = {}};
  found.pixels.reserve(places.size());
  for (const auto& [place, pixel] : places) found.pixels.push_back(pixel);
  return found;
}

}  // namespace fanfare::canvasserver
