#include "session/session_table.h"

#include <functional>
#include <utility>

#include "base/check.h"
#include "base/kept_blocks.h"
#include "session/http_connection.h"
#include "ws/incoming.h"

namespace fanfare::session {

SessionTable::SessionTable(net::Loop& loop, Duration sweep_interval)
    : loop_(loop),
      sweep_interval_(sweep_interval),
      started_(loop.now()),
      self_(std::make_shared<SessionTable*>(this)) {
  // From its first turn on the thread keeps blocks.
  loop_.call_after(Duration::zero(), [] { release_unused_blocks(); });
  schedule();
}

SessionTable::~SessionTable() {
  *self_ = nullptr;
  FANFARE_CHECK(size_ == 0);
  loop_.cancel(timer_);
}

std::uint32_t SessionTable::now_ms() const {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - started_).count());
}

Member* SessionTable::find_member(SessionId id) const {
  if (id.slot >= slots_.size()) return nullptr;
  Member* const member = slots_[id.slot];
  return member != nullptr && member->generation_ == id.generation ? member : nullptr;
}

Session* SessionTable::find(SessionId id) const {
  Member* const member = find_member(id);
  return member == nullptr ? nullptr : as_session(*member);
}

HttpConnection* SessionTable::find_http(SessionId id) const {
  Member* const member = find_member(id);
  return member == nullptr ? nullptr : as_http(*member);
}

Session* SessionTable::as_session(Member& member) {
  return member.kind_ == Member::Kind::websocket ? static_cast<Session*>(&member) : nullptr;
}

HttpConnection* SessionTable::as_http(Member& member) {
  return member.kind_ == Member::Kind::http ? static_cast<HttpConnection*>(&member) : nullptr;
}

ws::DeflatePool& SessionTable::deflate_pool(const ws::DeflateOptions& options) {
  for (const auto& pool : deflate_pools_) {
    if (pool->options() == options) return *pool;
  }
  return *deflate_pools_.emplace_back(std::make_unique<ws::DeflatePool>(options));
}

void SessionTable::close_all() {
  while (size_ > 0) {
    for_each_member([](Member& member) { member.close(); });
    loop_.run_once(Duration::zero());
  }
}

void SessionTable::add(Member& member) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(nullptr);
  }
  member.slot_ = free_slots_.back();
  free_slots_.pop_back();
  slots_[member.slot_] = &member;
  give_id(member);
  if (facts_ != nullptr) facts_->begin(member.slot_, loop_.now());
  ++size_;
}

void SessionTable::keep_facts(bool keep) {
  if (keep == (facts_ != nullptr)) return;
  facts_.reset();
  if (!keep) return;
  facts_ = std::make_unique<ConnectionFactsTable>();
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] != nullptr) facts_->begin(static_cast<std::uint32_t>(slot), loop_.now());
  }
}

void SessionTable::give_id(Member& member) {
  if (++last_generation_ == 0) ++last_generation_;  // zero is never assigned
  member.generation_ = last_generation_;
}

void SessionTable::replace(Member& before, Member& next) {
  FANFARE_CHECK(before.slot_ != Member::kNoSlot && next.slot_ == Member::kNoSlot);
  before.forget_drain();
  unfinished_.forget(before);
  next.slot_ = std::exchange(before.slot_, Member::kNoSlot);
  next.holds_admission_ = before.holds_admission_;
  before.holds_admission_ = false;
  slots_[next.slot_] = &next;
  give_id(next);
}

void SessionTable::remove(Member& member) {
  if (member.holds_admission_) on_admitted_left(member);
  unfinished_.forget(member);
  if (facts_ != nullptr) facts_->end(member.slot_);
  slots_[member.slot_] = nullptr;
  free_slots_.push_back(std::exchange(member.slot_, Member::kNoSlot));
  --size_;
}

void SessionTable::go_on_next_turn(Member& member) {
  if (member.goes_on_) return;
  member.goes_on_ = true;
  going_on_.push_back(member.id());
  if (going_on_.size() > 1) return;
  // Ahead of all tasks posted by others.
  loop_.post_urgent([self = self_] {
    if (*self != nullptr) (*self)->go_on();
  });
}

// A member without a share left, because it is still the same turn, is scheduled for the next one again.
void SessionTable::go_on() {
  for (const SessionId id : std::exchange(going_on_, {})) {
    Member* const member = find_member(id);
    if (member == nullptr) continue;
    member->goes_on_ = false;
    member->go_on();
  }
}

void SessionTable::set_sweep_interval(Duration interval) {
  if (std::exchange(sweep_interval_, interval) == interval) return;
  loop_.cancel(timer_);
  schedule();
}

void SessionTable::schedule() {
  timer_ = loop_.call_after(sweep_interval_, [this] {
    sweep();
    schedule();
  });
}

void SessionTable::sweep() {
  const std::uint32_t now = now_ms();
  for_each_member([now](Member& member) { member.check_time(now); });
  ws::release_unused_pages();
  release_unused_blocks();
  // Frees the memory that they needed for many sessions.
  if (unread_.empty()) decltype(unread_)().swap(unread_);
  if (drains_.empty()) drains_ = {};
  if (held_.empty()) held_ = {};
  session_memory_.release_empty();
  drop_slots();
}

void SessionTable::drop_slots() {
  if (slots_.size() <= kSlotsKept || size_ > slots_.size() / 4 || slots_.back() != nullptr) return;
  while (slots_.size() > kSlotsKept && slots_.back() == nullptr) slots_.pop_back();
  slots_.give_back_rest();
  std::erase_if(free_slots_, [this](std::uint32_t slot) { return slot >= slots_.size(); });
  // The lowest is taken first, so that the end becomes free.
  std::ranges::sort(free_slots_, std::greater());
  free_slots_.shrink_to_fit();
  on_slots_dropped(slots_.size());
}

void SessionTable::on_slots_dropped(std::size_t count) {
  if (facts_ != nullptr) facts_->drop_from(count);
}

}  // namespace fanfare::session
