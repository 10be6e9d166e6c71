#include "gateway/stream_source.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"

namespace fanfare::gateway {

void StreamSource::start() {
  wake_on_subscribers();
  worker_.post([self = shared_from_this()] { self->begin({}); });
}

void StreamSource::set_interval(Duration interval) {
  worker_.post([self = shared_from_this(), interval] {
    self->spec_.interval = interval;
    if (!self->poller_) return;
    if (self->leases_ != nullptr) self->leases_->set_length(self->lease_, lease_of(interval));
    self->poller_->interval_changed();
    self->plan();
  });
}

void StreamSource::end(std::shared_ptr<StreamSource> successor) {
  if (successor == nullptr) {
    stream_->on_watched({});
  } else {
    successor->wake_on_subscribers();
  }
  worker_.post([self = shared_from_this(), successor = std::move(successor)] {
    self->has_ended_ = true;
    self->worker_.cancel(self->timer_);
    self->timer_ = {};
    streams::PollerMemory memory;
    if (self->poller_) {
      memory = self->poller_->take_memory();
      if (self->leases_ != nullptr) self->leases_->remove(self->lease_);
    }
    // A poll in flight ends with the poller, whose callbacks it has.
    self->poller_.reset();
    if (successor == nullptr) return;
    if (self->spec_.new_only != successor->spec_.new_only) memory.new_entries.reset();
    successor->worker_.post(
        [successor, memory = std::move(memory)]() mutable { successor->begin(std::move(memory)); });
  });
}

// The stream must not keep its source.
void StreamSource::wake_on_subscribers() {
  stream_->on_watched([weak = weak_from_this()] {
    const auto source = weak.lock();
    if (source == nullptr) return;
    source->worker_.post([source] {
      if (source->poller_) source->wake();
    });
  });
}

void StreamSource::begin(streams::PollerMemory memory) {
  if (has_ended_) return;  // before its predecessor had
  was_interrupted_ = stream_->is_interrupted();
  node_.emplace(backend_());
  poller_.emplace(spec_, *stream_, *node_, system_clock(), [this] { plan(); }, std::move(memory));
  if (leases_ != nullptr) {
    lease_ = leases_->add(stream_->name(), lease_of(spec_.interval), [weak = weak_from_this()](bool is_held) {
      const auto source = weak.lock();
      if (source == nullptr) return;
      source->worker_.post([source, is_held] { source->on_lease(is_held); });
    });
  }
  wake();
}

// Somebody may watch. Whoever polls a shared stream has its lease, and wants it while somebody watches.
void StreamSource::wake() {
  if (leases_ != nullptr && stream_->watchers() > 0 && may_want()) leases_->want(lease_, true);
  if (may_poll()) poller_->wake();
  plan();
}

void StreamSource::on_lease(bool is_held) {
  if (!poller_) return;
  if (is_held) lease_began_ = system_clock().now();
  if (is_held && may_poll()) {  // this thread may have stood still since
    note_predecessor();
    poller_->wake();
  } else {
    poller_->rest();
  }
  plan();
}

// Whoever polled before, also here, has left the time until which nothing is lost.
void StreamSource::note_predecessor() {
  const std::string note = leases_->note(lease_);
  std::int64_t until = 0;
  std::from_chars(note.data(), note.data() + note.size(), until);
  poller_->note_polled_until(until);
}

// Where the relay is down although the lease is held, the broker stores nothing of some topic. Others may do better; and those who do not
// find out by trying, and tell their subscribers.
void StreamSource::let_others_try() {
  if (leases_ == nullptr || !may_poll() || !stream_->is_degraded()) return;
  const Instant now = system_clock().now();
  const Duration turn = 2 * lease_of(spec_.interval);
  if (now - lease_began_ < turn) return;
  may_want_from_ = now + turn;
  leases_->want(lease_, false);
}

void StreamSource::advance() {
  let_others_try();
  if (!may_poll()) poller_->rest();
  poller_->advance();
  plan();
}

void StreamSource::plan() {
  log_changes();
  if (leases_ != nullptr && poller_->polled_until())
    leases_->leave(lease_, std::to_string(*poller_->polled_until()));
  // Also if the last subscriber had left before the lease came.
  if (leases_ != nullptr && !poller_->is_active() && may_want())
    leases_->want(lease_, stream_->watchers() > 0);
  worker_.cancel(timer_);
  timer_ = {};
  const Instant due = may_want() ? poller_->next_due() : std::min(poller_->next_due(), may_want_from_);
  if (due == Instant::max()) return;
  timer_ = worker_.call_at(due, [this] { advance(); });
}

void StreamSource::log_changes() {
  if (std::exchange(was_interrupted_, stream_->is_interrupted()) == stream_->is_interrupted()) return;
  if (stream_->is_interrupted()) {
    log::warn("stream_interrupted", {{"stream", stream_->name()}, {"reason", stream_->reason()}});
  } else {
    log::info("stream_restored", {{"stream", stream_->name()}});
  }
}

}  // namespace fanfare::gateway
