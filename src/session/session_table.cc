#include "session/session_table.h"

#include <utility>

#include "base/check.h"

namespace fanfare::session {

SessionTable::SessionTable(net::Loop& loop, Duration sweep_interval)
    : loop_(loop),
      sweep_interval_(sweep_interval),
      started_(loop.now()),
      self_(std::make_shared<SessionTable*>(this)) {
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

Session* SessionTable::find(SessionId id) const {
  if (id.slot >= slots_.size()) return nullptr;
  Session* const session = slots_[id.slot];
  return session != nullptr && session->generation_ == id.generation ? session : nullptr;
}

ws::DeflatePool& SessionTable::deflate_pool(const ws::DeflateOptions& options) {
  for (const auto& pool : deflate_pools_) {
    if (pool->options() == options) return *pool;
  }
  return *deflate_pools_.emplace_back(std::make_unique<ws::DeflatePool>(options));
}

void SessionTable::close_all() {
  while (size_ > 0) {
    for_each([](Session& session) { session.close(); });
    loop_.run_once(Duration::zero());
  }
}

void SessionTable::add(Session& session) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(nullptr);
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = &session;
  session.slot_ = slot;
  if (++last_generation_ == 0) ++last_generation_;  // zero is never assigned
  session.generation_ = last_generation_;
  ++size_;
}

void SessionTable::remove(Session& session) {
  slots_[session.slot_] = nullptr;
  free_slots_.push_back(session.slot_);
  --size_;
  if (session.has_unread_) unread_.erase(&session);
}

void SessionTable::go_on_next_turn(Session& session) {
  if (session.goes_on_) return;
  session.goes_on_ = true;
  going_on_.push_back(session.id());
  if (going_on_.size() > 1) return;
  // Ahead of all tasks posted by others.
  loop_.post_urgent([self = self_] {
    if (*self != nullptr) (*self)->go_on();
  });
}

// A session without a share left, because it is still the same turn, is scheduled for the next one again.
void SessionTable::go_on() {
  for (const SessionId id : std::exchange(going_on_, {})) {
    Session* const session = find(id);
    if (session == nullptr) continue;
    session->goes_on_ = false;
    session->go_on();
  }
}

void SessionTable::schedule() {
  timer_ = loop_.call_after(sweep_interval_, [this] {
    sweep();
    schedule();
  });
}

void SessionTable::sweep() {
  const std::uint32_t now = now_ms();
  for_each([now](Session& session) { session.check_time(now); });
  // Frees the memory that they needed for many sessions.
  if (unread_.empty()) unread_ = {};
  if (drains_.empty()) drains_ = {};
  if (held_.empty()) held_ = {};
  if (free_slots_.capacity() > 1024 + 2 * free_slots_.size()) free_slots_.shrink_to_fit();
}

}  // namespace fanfare::session
