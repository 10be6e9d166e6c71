#include "api/outgoing.h"

#include <algorithm>
#include <utility>

namespace fanfare::api {
namespace {

// The memory of an item besides its payload, so that many small items count as well.
constexpr std::size_t kItemBytes = 32;

std::size_t cost_of(const Outgoing::Item& item) {
  return kItemBytes + item.payload.size();
}

}  // namespace

Outgoing::Outgoing(const ClientOptions& options)
    : outbox_bytes_max_(options.limits.outbox_bytes_max),
      outbox_bytes_high_(options.limits.outbox_bytes_high),
      queue_bytes_max_(options.queue_bytes_max) {}

Outgoing::Taken Outgoing::push(ws::Opcode opcode, Bytes payload, SendOptions options) {
  if (!is_open() && queue_bytes_max_ == 0) return {};
  Item item{.opcode = opcode, .payload = SharedBytes(payload), .options = options};
  const std::scoped_lock lock(mutex_);
  std::size_t most = 0;
  switch (state_) {
    case State::refusing:
      return {};
    case State::waiting:
      if (opcode == ws::Opcode::ping) return {};
      most = queue_bytes_max_;
      break;
    case State::open:
      most = outbox_bytes_max_;
      break;
  }
  const std::size_t before =
      bytes_ + (state_ == State::open ? outbox_bytes_.load(std::memory_order_relaxed) : 0);
  // Only waiting messages count, so a single message may be larger, as in Session::send().
  if (before >= most) return {};
  const bool first = items_.empty();
  bytes_ += cost_of(item);
  const bool congested = before + item.payload.size() >= outbox_bytes_high_;
  items_.push_back(std::move(item));
  ++pushed_;
  if (congested) owe_drain_after(pushed_);
  return {.result = congested ? SendResult::congested : SendResult::queued, .first = first};
}

bool Outgoing::close() {
  const std::scoped_lock lock(mutex_);
  set_state(State::refusing);
  return !std::exchange(closing_, true);
}

std::size_t Outgoing::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_ - items_.size() * kItemBytes + outbox_bytes_.load(std::memory_order_relaxed);
}

void Outgoing::start() {
  const std::scoped_lock lock(mutex_);
  closing_ = false;
  set_state(State::waiting);
}

void Outgoing::opened() {
  const std::scoped_lock lock(mutex_);
  if (!closing_) set_state(State::open);
}

std::size_t Outgoing::lost(bool may_reopen) {
  const std::scoped_lock lock(mutex_);
  outbox_bytes_.store(0, std::memory_order_relaxed);
  const bool waits = may_reopen && !closing_;
  set_state(waits ? State::waiting : State::refusing);
  const bool keeps = waits && queue_bytes_max_ > 0;
  if (!keeps) owed_drain_.reset();
  return drop(keeps);
}

std::optional<Outgoing::Item> Outgoing::take() {
  const std::scoped_lock lock(mutex_);
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  bytes_ -= cost_of(item);
  return item;
}

void Outgoing::count_unsent(const Item& item) {
  if (item.opcode != ws::Opcode::ping) unsent_.fetch_add(1, std::memory_order_relaxed);
}

bool Outgoing::empty() const {
  const std::scoped_lock lock(mutex_);
  return items_.empty();
}

// A directly passed message is in the outbox, after every item that was taken.
void Outgoing::owe_drain() {
  const std::scoped_lock lock(mutex_);
  owe_drain_after(pushed_ - items_.size());
}

void Outgoing::owe_drain_after(std::uint64_t item) {
  if (!owed_drain_) owed_drain_ = OwedDrain{.first = item, .last = item};
  owed_drain_->last = item;
}

bool Outgoing::take_owed_drain() {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t sent = pushed_ - items_.size();
  if (!owed_drain_ || owed_drain_->first > sent) return false;
  if (owed_drain_->last > sent) {
    owed_drain_->first = owed_drain_->last;
  } else {
    owed_drain_.reset();
  }
  return true;
}

void Outgoing::set_state(State state) {
  state_ = state;
  is_open_.store(state == State::open, std::memory_order_release);
}

// A ping applies only to the connection for which it was sent.
std::size_t Outgoing::drop(bool pings_only) {
  std::size_t dropped = 0;
  const auto goes = [&](const Item& item) {
    if (pings_only && item.opcode != ws::Opcode::ping) return false;
    count_unsent(item);
    bytes_ -= cost_of(item);
    dropped += item.payload.size();
    return true;
  };
  std::erase_if(items_, goes);
  return dropped;
}

}  // namespace fanfare::api
