#include "session/member.h"

#include <algorithm>

#include "session/milliseconds.h"
#include "session/session_table.h"

namespace fanfare::session {

SessionId Member::id() const {
  if (slot_ == kNoSlot) return {};
  return {.slot = slot_, .generation = generation_};
}

std::string Member::peer() const {
  return table().peer_of(*transport_);
}

std::uint32_t Member::now_ms() const {
  return table().now_ms();
}

void Member::join() {
  table().add(*this);
}

void Member::leave_table() {
  forget_drain();
  if (slot_ != kNoSlot) table().remove(*this);
}

std::uint32_t Member::waited_ms(std::uint32_t now, std::uint32_t from, Duration timeout,
                                std::uint32_t bytes_per_second_min) {
  const std::uint32_t since = now - from;
  auto& drains = table().drains_;
  if (!has_drain_) {
    // Checking our own system's buffer is worth a system call only when the deadline approaches.
    if (queued_bytes() == 0 && since < to_ms(timeout) / 2) return since;
    const net::SendProgress progress = transport_->send_progress();
    if (progress.is_complete) return since;
    drains.emplace(this, DrainWatch(progress, now));
    has_drain_ = true;
  }
  DrainWatch& drain = drains.at(this);
  // A single check proves nothing: if the deadline is barely longer than a sweep, the next sweep decides.
  if (drain.began_at(now)) return std::min(since, std::max(to_ms(timeout), 1U) - 1);
  if (!drain.is_complete()) drain.look(transport_->send_progress(), now, bytes_per_second_min);
  return drain.counted(since, now);
}

void Member::renew_drain() {
  if (has_drain_) table().drains_.at(this).begin_again();
}

void Member::note_ping_in_drain() {
  if (has_drain_) table().drains_.at(this).note_ping();
}

void Member::forget_drain() {
  if (!has_drain_) return;
  table().drains_.erase(this);
  has_drain_ = false;
}

}  // namespace fanfare::session
