#include "eth/resume_turns.h"

#include <algorithm>
#include <utility>

#include "eth/resume_limits.h"

namespace fanfare::eth {

bool ResumeTurns::add(const Mark& at, std::size_t most, ByteHold& memory) {
  const auto known =
      std::ranges::find_if(turns_, [&](const Turn& turn) { return *turn.at.cursor == *at.cursor; });
  if (known != turns_.end()) {
    known->is_pinged = false;  // the client may have it from what follows that ping
    known->sent = known->pinged = {};
    std::rotate(known, known + 1, turns_.end());
    return false;
  }
  if (turns_.size() >= most || (!turns_.empty() && !memory.grow(kResumeTurnBytes))) {
    is_incomplete_ = true;
    if (turns_.empty()) return false;
    turns_.erase(turns_.begin());
  }
  turns_.push_back({.at = at});
  return true;
}

bool ResumeTurns::forget_older() {
  if (turns_.size() < 2) return false;
  turns_.erase(turns_.begin(), turns_.end() - 1);
  is_incomplete_ = true;
  return true;
}

std::size_t ResumeTurns::bytes() const {
  return turns_.empty() ? 0 : (turns_.size() - 1) * kResumeTurnBytes;
}

void ResumeTurns::put_last_first() {
  std::ranges::rotate(turns_, turns_.empty() ? turns_.end() : turns_.end() - 1);
}

void ResumeTurns::begin() {
  std::vector<Turn> held;
  for (Turn& turn : turns_) {
    const bool is_known =
        std::ranges::any_of(held, [&](const Turn& other) { return *other.at.cursor == *turn.at.cursor; });
    if (!is_known) held.push_back({.at = std::move(turn.at), .is_held = true});
  }
  turns_ = std::move(held);
}

void ResumeTurns::lower(const std::vector<Lowered>& turns) {
  std::vector<const Turn*> moved;
  for (const auto& [from, to] : turns) {
    const std::string text = to_cursor(from);
    for (Turn& turn : turns_) {
      if (!turn.is_held || *turn.now().cursor != text) continue;
      if (std::ranges::find(moved, &turn) != moved.end()) continue;
      turn.sent = mark_of(to_cursor(to));
      moved.push_back(&turn);
    }
  }
}

void ResumeTurns::settle(const std::vector<Position>& rest) {
  for (Turn& turn : turns_) {
    if (!turn.is_held) continue;
    const auto position = parse_cursor(*turn.now().cursor);
    turn.is_held = position && std::ranges::find(rest, *position) != rest.end();
  }
}

bool ResumeTurns::ping() {
  bool any = false;
  for (Turn& turn : turns_) {
    turn.is_pinged = !turn.is_held;
    turn.pinged = turn.sent;
    any = any || turn.is_pinged || turn.pinged;
  }
  return any;
}

void ResumeTurns::ping_at_end(bool all) {
  ping();
  for (Turn& turn : turns_) turn.is_pinged = turn.is_pinged || all;
}

void ResumeTurns::confirm() {
  std::erase_if(turns_, [](const Turn& turn) { return turn.is_pinged; });
  for (Turn& turn : turns_) {
    if (!turn.pinged) continue;
    if (turn.sent == turn.pinged) turn.sent = {};
    turn.at = std::exchange(turn.pinged, {});
  }
  if (!turns_.empty()) return;
  is_incomplete_ = false;
  std::vector<Turn>().swap(turns_);
}

}  // namespace fanfare::eth
