#include "eth/resume_record.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace fanfare::eth {
namespace {

bool is_below(const Mark& one, const Mark& other) {
  return one.number < other.number || (one.number == other.number && one.logs_told < other.logs_told);
}

// Where the client certainly is if it has received nothing since then: after a log was retracted, or before it was added.
// Other positions come with no logs.
std::optional<Mark> certain(const Mark& sent, ResumeRecord::Change change) {
  if (change == ResumeRecord::Change::retracts) return sent;
  if (change == ResumeRecord::Change::replaces || sent.logs_told == 0 || sent.logs_told == Position::kAll)
    return std::nullopt;
  Mark before = sent;
  --before.logs_told;
  return before;
}

// The text of a cursor with its counter, as the allocator gives them.
constexpr std::size_t kMarkBytes = 272;

// Sets `lowest` to `to` if that is lower. An empty `lowest` counts as `base`.
void lower_to(Mark& lowest, const Mark& base, const Mark& to) {
  const Mark& now = lowest ? lowest : base;
  if (!now || !is_below(to, now)) return;
  auto position = parse_cursor(*to.cursor);
  if (!position) return;
  position->logs_told = to.logs_told;
  lowest = mark_of(to_cursor(*position));
}

}  // namespace

Mark mark_of(std::string_view cursor) {
  const auto position = parse_cursor(cursor);
  if (!position) return {};
  return {.cursor = std::make_shared<const std::string>(cursor),
          .number = position->number,
          .logs_told = position->logs_told};
}

// Every instance must compute the same; a client that finds two topics with one hash harms only itself.
TopicHash hash_of_topic(std::string_view topic) {
  constexpr Salt kPublic{'f', 'a', 'n', 'f', 'a', 'r', 'e', ' ', 's', 'e', 's', 's', 'i', 'o', 'n', 's'};
  return siphash128(kPublic, as_bytes(topic));
}

ResumeRecord::Owner ResumeRecord::take() {
  const std::scoped_lock lock(mutex_);
  // Nobody refers to a slot any more.
  std::erase_if(kept_, [](const Kept& one) { return one.made == 0; });
  give_back_memory();
  for (Kept& one : kept_) {
    if (one.is_claimed) one.left = owner_;
    one.is_claimed = false;
    one.is_stale_pinged = false;
    one.pinged = one.after_gap = {};
  }
  return ++owner_;
}

bool ResumeRecord::is_owner(Owner owner) const {
  const std::scoped_lock lock(mutex_);
  return owns(owner);
}

std::size_t ResumeRecord::size() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(kept_, [](const Kept& one) { return one.made != 0; }));
}

bool ResumeRecord::is_full() const {
  const std::scoped_lock lock(mutex_);
  return kept_.size() >= limits_.subscriptions_max;
}

// --- subscriptions ---------------------------------------------------------------------------------

std::expected<ResumeRecord::Claim, ResumeRecord::Refusal> ResumeRecord::claim(Owner owner,
                                                                              const TopicHash& topic,
                                                                              const SubscriptionId& id) {
  const std::scoped_lock lock(mutex_);
  if (!owns(owner)) return std::unexpected(Refusal::not_owner);
  Kept* found = nullptr;
  for (Kept& one : kept_) {
    const bool fits = one.made != 0 && !one.is_claimed && one.topic == topic;
    if (fits && (found == nullptr || one.made < found->made)) found = &one;
  }
  if (found == nullptr) {
    const auto slot = free_slot();
    if (!slot) return std::unexpected(Refusal::no_room);
    kept_[*slot] = Kept{.made = ++made_, .is_claimed = true, .topic = topic, .id = id};
    give_back_memory();
    return Claim{.slot = *slot};
  }
  found->is_claimed = true;
  found->id = id;
  Claim claim{.slot = static_cast<Slot>(found - kept_.data()), .point = begin(*found)};
  give_back_memory();
  return claim;
}

std::optional<ResumeRecord::Slot> ResumeRecord::free_slot() {
  const auto free = std::ranges::find(kept_, std::uint64_t{0}, &Kept::made);
  if (free != kept_.end()) return static_cast<Slot>(free - kept_.begin());
  if (kept_.size() < limits_.subscriptions_max) {
    // One that is about to be made again must not go for it.
    if (!memory_.grow(kResumeSubscriptionBytes)) return std::nullopt;
    kept_.emplace_back();
    return static_cast<Slot>(kept_.size() - 1);
  }
  const Kept* oldest = nullptr;
  for (const Kept& one : kept_) {
    if (!one.is_claimed && (oldest == nullptr || one.left < oldest->left)) oldest = &one;
  }
  if (oldest == nullptr) return std::nullopt;
  return static_cast<Slot>(oldest - kept_.data());
}

std::optional<ResumeRecord::Point> ResumeRecord::begin(Kept& one) {
  if (one.lowest) {
    add_turn(one, one.confirmed);
    one.turns.put_last_first();
  }
  if (one.latest && one.latest != one.confirmed) add_turn(one, one.latest);
  if (one.lowest) {
    one.confirmed = std::exchange(one.lowest, {});
  }
  one.lowest_pinged = {};
  one.latest = one.confirmed;
  one.turns.begin();
  one.is_retracting = false;
  one.is_stale_held = one.is_stale;
  const auto from = one.confirmed ? parse_cursor(*one.confirmed.cursor) : std::nullopt;
  if (!from) {
    one.turns.clear();
    return std::nullopt;
  }
  Point point{
      .from = *from, .may_have = {}, .is_incomplete = one.turns.is_incomplete(), .is_stale = one.is_stale};
  for (const auto& turn : std::views::reverse(one.turns.all())) {
    if (auto position = parse_cursor(*turn.at.cursor)) point.may_have.push_back(*std::move(position));
  }
  return point;
}

void ResumeRecord::forget(Owner owner, Slot slot) {
  const std::scoped_lock lock(mutex_);
  if (Kept* const one = find(owner, slot)) {
    *one = Kept{};
    note_change();
  }
  give_back_memory();
}

void ResumeRecord::give_back(Owner owner, Slot slot) {
  const std::scoped_lock lock(mutex_);
  Kept* const one = find(owner, slot);
  if (one == nullptr) return;
  if (!one->confirmed) {
    *one = Kept{};
    give_back_memory();
  } else {
    one->is_claimed = false;
    one->left = owner;
  }
}

bool ResumeRecord::remembers(Owner owner, const SubscriptionId& id) const {
  const std::scoped_lock lock(mutex_);
  return owns(owner) && std::ranges::any_of(kept_, [&](const Kept& one) {
           return one.made != 0 && !one.is_claimed && one.id == id;
         });
}

ResumeRecord::Kept* ResumeRecord::find(Owner owner, Slot slot) {
  return owns(owner) && slot < kept_.size() && kept_[slot].is_claimed ? &kept_[slot] : nullptr;
}

// --- positions -------------------------------------------------------------------------------------

bool ResumeRecord::note(Owner owner, Slot slot, const Mark& position, Change change) {
  const std::scoped_lock lock(mutex_);
  Kept* const one = find(owner, slot);
  if (one == nullptr) return false;
  const bool retracts = change == Change::retracts;
  const bool goes_back = change == Change::replaces && position.number <= one->latest.number;
  const bool turns = ((retracts && !one->is_retracting) || goes_back) && one->latest != one->confirmed;
  one->has_turned = turns && add_turn(*one, one->latest);
  one->lowest_before = one->lowest;
  one->lowest_pinged_before = one->lowest_pinged;
  if (const auto there = certain(position, change)) {
    lower_to(one->lowest, one->confirmed, *there);
    if (one->pinged) lower_to(one->lowest_pinged, one->pinged, *there);
  }
  one->is_retracting = retracts;
  one->before = std::exchange(one->latest, position);
  const bool begins = !one->confirmed;
  if (begins) one->confirmed = position;
  note_change(begins);
  return true;
}

void ResumeRecord::take_back(Owner owner, Slot slot) {
  const std::scoped_lock lock(mutex_);
  Kept* const one = find(owner, slot);
  if (one == nullptr) return;
  if (!one->before) one->confirmed = {};  // it had no beginning yet
  one->latest = std::exchange(one->before, {});
  one->lowest = std::exchange(one->lowest_before, {});
  one->lowest_pinged = std::exchange(one->lowest_pinged_before, {});
  if (std::exchange(one->has_turned, false)) {
    one->turns.remove_last();
    one->is_retracting = false;
    give_back_memory();
  }
  note_change();
}

void ResumeRecord::lower(Owner owner, Slot slot, const std::vector<Lowered>& turns) {
  const std::scoped_lock lock(mutex_);
  Kept* const one = find(owner, slot);
  if (one != nullptr) one->turns.lower(turns);
}

void ResumeRecord::settle(Owner owner, Slot slot, const std::vector<Position>& rest, bool covers_unknown) {
  const std::scoped_lock lock(mutex_);
  Kept* const one = find(owner, slot);
  if (one == nullptr) return;
  if (covers_unknown) one->is_stale_held = false;
  one->turns.settle(rest);
}

void ResumeRecord::note_gap(Owner owner, Slot slot, const Mark& position) {
  const std::scoped_lock lock(mutex_);
  if (Kept* const one = find(owner, slot)) one->after_gap = position;
}

bool ResumeRecord::ping(Owner owner) {
  const std::scoped_lock lock(mutex_);
  if (!owns(owner)) return false;
  bool any = false;
  for (Kept& one : kept_) {
    if (!one.is_claimed) continue;
    one.is_stale_pinged = one.is_stale && !one.is_stale_held;
    const bool has_turns = one.turns.ping() || one.is_stale_pinged;
    if (one.latest == one.confirmed && !has_turns) continue;
    one.pinged = one.latest;
    one.lowest_pinged = {};
    any = true;
  }
  return any;
}

void ResumeRecord::pong(Owner owner) {
  const std::scoped_lock lock(mutex_);
  if (!owns(owner)) return;
  for (Kept& one : kept_) {
    if (!one.is_claimed || !one.pinged) continue;
    Mark lowest = one.lowest_pinged;
    confirm(one, Mark(one.pinged));
    one.lowest = std::move(lowest);
    note_change();
  }
  give_back_memory();
}

void ResumeRecord::confirm(Kept& one, const Mark& position) {
  one.confirmed = position;
  one.pinged = one.lowest = one.lowest_pinged = {};
  one.turns.confirm();
  if (std::exchange(one.is_stale_pinged, false)) one.is_stale = false;
}

void ResumeRecord::confirm_all(Owner owner) {
  const std::scoped_lock lock(mutex_);
  if (!owns(owner)) return;
  for (Kept& one : kept_) {
    const bool has_gap = static_cast<bool>(one.after_gap);
    if (!one.is_claimed || !one.latest) continue;
    if (has_gap) one.latest = std::exchange(one.after_gap, {});
    one.turns.ping_at_end(has_gap);
    one.is_stale_pinged = one.is_stale && (has_gap || !one.is_stale_held);
    confirm(one, one.latest);
    note_change();
  }
  give_back_memory();
}

ResumeImage ResumeRecord::end() {
  take();  // what the connection still tries to send is refused
  ResumeImage left = image();
  const std::scoped_lock lock(mutex_);
  kept_.clear();
  memory_.release();
  return left;
}

bool ResumeRecord::give_up_turns() {
  const std::scoped_lock lock(mutex_);
  bool any = false;
  for (Kept& one : kept_) any = one.turns.forget_older() || any;
  if (any) give_back_memory();
  return any;
}

// What the session counts for after something of it has gone. A free slot before others stays for the next subscription, until the
// next connection.
void ResumeRecord::give_back_memory() {
  while (!kept_.empty() && kept_.back().made == 0) kept_.pop_back();
  if (kept_.capacity() > 2 * kept_.size()) kept_.shrink_to_fit();
  static_assert(2 * sizeof(Kept) + 9 * kMarkBytes <= kResumeSubscriptionBytes - kResumeTurnBytes);
  static_assert(2 * sizeof(ResumeTurns::Turn) + 3 * kMarkBytes <= kResumeTurnBytes);
  std::size_t bytes = base_bytes_ + kept_.size() * kResumeSubscriptionBytes;
  for (const Kept& one : kept_) bytes += one.turns.bytes();
  memory_.shrink_to(bytes);
}

}  // namespace fanfare::eth
