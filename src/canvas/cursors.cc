#include "canvas/cursors.h"

#include <algorithm>

namespace fanfare::canvas {
namespace {

// Visits what `cells` has within the area: by looking up each chunk of the area or by going through all cells, whichever
// is less.
template <typename Cells, typename Visit>
void visit_cells(const Cells& cells, const ChunkArea& area, Visit&& visit) {
  if (cells.size() < area.count()) {
    for (const auto& [key, content] : cells) {
      if (area.contains(ChunkId::of_key(key))) visit(content);
    }
    return;
  }
  for (unsigned y = area.y0; y <= area.y1; ++y) {
    for (unsigned x = area.x0; x <= area.x1; ++x) {
      const ChunkId id{.x = static_cast<std::uint8_t>(x), .y = static_cast<std::uint8_t>(y)};
      if (const auto found = cells.find(id.key()); found != cells.end()) visit(found->second);
    }
  }
}

}  // namespace

void Cursors::move(UserNumber user, std::uint16_t x, std::uint16_t y) {
  wait(user, Position{.x = x, .y = y});
}

void Cursors::remove(UserNumber user) {
  wait(user, std::nullopt);
}

void Cursors::wait(UserNumber user, std::optional<Position> to) {
  const auto [at, is_new] = waiting_.insert_or_assign(user, to);
  if (is_new) queue_.push_back(user);
}

bool Cursors::start_round(Instant now) {
  if (queue_.empty()) return false;
  const Duration round = std::chrono::nanoseconds(std::chrono::seconds(1)) /
                         std::max<std::uint32_t>(1, limits_.cursors_per_second);
  if (last_round_ && now - *last_round_ < round) return false;
  last_round_ = now;
  moves_.clear();
  moves_by_cell_.clear();
  // One that does not change what is shown costs nothing.
  while (!queue_.empty() && moves_.size() < limits_.cursors_per_round_max) {
    const UserNumber user = queue_.front();
    queue_.pop_front();
    const auto found = waiting_.find(user);
    show(user, found->second);
    waiting_.erase(found);
  }
  return !moves_.empty();
}

void Cursors::show(UserNumber user, std::optional<Position> to) {
  const auto found = shown_.find(user);
  const std::optional<Position> from = found == shown_.end() ? std::nullopt : std::optional(found->second);
  if (from == to) return;
  const auto move = static_cast<std::uint32_t>(moves_.size());
  moves_.push_back({.user = user, .from = from, .to = to});
  const bool is_same_cell = from && to && cell_of(*from) == cell_of(*to);
  if (from) {
    const std::uint16_t key = cell_of(*from).key();
    moves_by_cell_[key].push_back(move);
    if (!is_same_cell) {
      const auto cell = cells_.find(key);
      cell->second.erase(user);
      if (cell->second.empty()) cells_.erase(cell);
    }
  }
  if (to) {
    const std::uint16_t key = cell_of(*to).key();
    if (!is_same_cell) {
      moves_by_cell_[key].push_back(move);
      cells_[key].insert(user);
    }
    shown_[user] = *to;
  } else {
    shown_.erase(user);
  }
}

std::vector<CursorMove> Cursors::moves_in(const ChunkArea& area) const {
  std::vector<CursorMove> gone;
  std::vector<CursorMove> moved;
  // A move between two cells of the area is visited twice.
  std::vector<bool> is_done(moves_.size());
  visit_cells(moves_by_cell_, area, [&](const std::vector<std::uint32_t>& moves) {
    for (const std::uint32_t index : moves) {
      if (is_done[index]) continue;
      is_done[index] = true;
      const Move& move = moves_[index];
      if (move.to && area.contains(cell_of(*move.to))) {
        moved.push_back({.user = move.user, .x = move.to->x, .y = move.to->y});
      } else {
        gone.push_back(CursorMove::left(move.user));
      }
    }
  });
  gone.insert(gone.end(), moved.begin(), moved.end());
  return gone;
}

std::vector<CursorMove> Cursors::all_in(const ChunkArea& area) const {
  std::vector<CursorMove> found;
  visit_cells(cells_, area, [&](const std::unordered_set<UserNumber>& users) {
    for (const UserNumber user : users) {
      if (found.size() >= limits_.cursors_per_round_max) return;
      const Position& at = shown_.at(user);
      found.push_back({.user = user, .x = at.x, .y = at.y});
    }
  });
  return found;
}

}  // namespace fanfare::canvas
