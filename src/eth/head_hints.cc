#include "eth/head_hints.h"

#include <algorithm>
#include <utility>

namespace fanfare::eth {
namespace {

// Sources come and go with reloads. Beyond it those that have ended are forgotten.
constexpr std::size_t kSourcesMax = 64;

}  // namespace

void HeadHints::set_live(Source source, bool live) {
  if (sources_.size() >= kSourcesMax)
    std::erase_if(sources_, [](const auto& one) { return !one.second.live; });
  State& state = sources_[source];  // its pause survives: a source cannot end it by connecting again
  if (std::exchange(state.live, live) == live || live) return;
  state.waiting.reset();
  state.asked.reset();
  state.announced.clear();
  state.missed = 0;
  state.of_use = false;
}

void HeadHints::saw(Source source, Source preferred, std::uint64_t number, const Hash256& hash) {
  if (heads_.tip() == nullptr) return;
  State& state = sources_[source];
  if (!state.live) return;
  const Hint hint{.number = number, .hash = hash};
  if (is_shown(hint)) return;
  if (std::ranges::find(state.announced, hash, &BlockId::hash) == state.announced.end()) {
    if (state.announced.size() >= limits_.announced_max) state.announced.pop_front();
    state.announced.push_back({.number = number, .hash = hash});
  }
  if (source != preferred) {
    const auto found = sources_.find(preferred);
    if (found != sources_.end() && found->second.live) return;
  }
  const auto is_same = [&](const std::optional<Hint>& known) { return known && known->hash == hash; };
  if (!is_same(state.waiting) && !is_same(state.asked)) state.waiting = hint;
}

std::optional<Instant> HeadHints::due() const {
  std::optional<Instant> earliest;
  for (const auto& [source, state] : sources_) {
    if (!state.waiting) continue;
    const Instant at = std::max(state.not_before, heads_.last_poll() + heads_.poll_gap_min());
    if (!earliest || at < *earliest) earliest = at;
  }
  return earliest;
}

void HeadHints::begin_poll(Instant now) {
  for (auto& [source, state] : sources_) {
    if (state.waiting && state.not_before <= now) state.asked = std::exchange(state.waiting, std::nullopt);
  }
}

void HeadHints::step(Instant now) {
  if (!heads_.is_idle()) return;
  const bool has_failed = heads_.status().failures_in_a_row > 0;
  const HeaderPtr before = std::exchange(tip_, heads_.tip());
  const bool has_progress = before != nullptr && before != tip_;
  for (auto& [source, state] : sources_) {
    if (has_failed) {
      state.waiting.reset();
      state.asked.reset();
    }
    if (has_progress && state.live) note_round(state);
    judge(source, state, has_progress, now);
  }
}

// Polls have found new blocks.
void HeadHints::note_round(State& state) const {
  const bool was_announced = std::ranges::any_of(
      state.announced, [this](const BlockId& block) { return heads_.shows(block.number, block.hash); });
  std::erase_if(state.announced, [this](const BlockId& block) { return block.number <= tip_->number; });
  state.missed = was_announced ? 0 : std::min(state.missed + 1, limits_.missed_max);
  state.of_use = was_announced || (state.of_use && state.missed < limits_.missed_max);
}

void HeadHints::judge(Source source, State& state, bool has_progress, Instant now) {
  if (state.waiting && is_shown(*state.waiting)) state.waiting.reset();
  if (!state.asked) return;
  if (is_shown(*state.asked)) {
    state.in_vain = 0;
    state.pause = state.pause > limits_.pause_min ? state.pause / 2 : Duration::zero();
  } else if (!has_progress) {
    in_vain(source, state, now);
  }
  state.asked.reset();
}

void HeadHints::in_vain(Source source, State& state, Instant now) {
  state.pause = std::clamp(2 * state.pause, limits_.pause_min, limits_.pause_max);
  state.not_before = now + state.pause;
  if (++state.in_vain >= limits_.in_vain_max) {
    state.in_vain = 0;
    state.waiting.reset();
    return useless_.push_back(source);
  }
  Hint hint = *state.asked;
  if (++hint.tries < limits_.tries_max && !state.waiting) state.waiting = hint;
}

std::optional<HeadHints::Source> HeadHints::take_useless() {
  if (useless_.empty()) return std::nullopt;
  const Source source = useless_.back();
  useless_.pop_back();
  return source;
}

std::optional<HeadHints::Use> HeadHints::take_use() {
  for (auto& [source, state] : sources_) {
    if (std::exchange(state.of_use_told, state.of_use) != state.of_use)
      return Use{.source = source, .of_use = state.of_use};
  }
  return std::nullopt;
}

}  // namespace fanfare::eth
