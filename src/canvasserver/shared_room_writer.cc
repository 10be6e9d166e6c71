// What this instance writes: batches, snapshots, the entry with which an epoch begins, signs of life.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "canvas/wire.h"
#include "canvasserver/shared_room.h"
#include "net/thread.h"

namespace fanfare::canvasserver {

namespace {

// Users that come or go in one batch.
constexpr std::size_t kChangesMax = 512;
constexpr Duration kLookInterval = std::chrono::milliseconds(250);

}  // namespace

SharedBytes told_by(canvas::InstanceId instance, Told kind) {
  std::vector<std::uint8_t> bytes;
  canvas::WireWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(kind));
  out.u64(instance);
  return SharedBytes(Bytes(bytes));
}

SharedUsers::Id SharedRoom::join(const canvas::SharedJoin& who, SharedUsers::Joined joined) {
  const canvas::UserNumber known = who.identity.empty() ? 0 : host_.room().number_of(who.identity);
  return users_.join(who, known, is_writable(), std::move(joined));
}

void SharedRoom::poll(Instant now, std::int64_t wall_ms) {
  now_ = now;
  due_ = saturating_add(now, kLookInterval);
  if (phase_ == Phase::off) {
    due_ = Instant::max();
    return;
  }
  if (phase_ == Phase::loading) {
    if (now < retry_at_) return;
    log_->tell(told_by(instance_, Told::state_wanted));
    return begin_loading(wanted_);
  }
  note_ready();
  if (!is_up_) return;
  if (!is_based_) return propose(now);
  send_parts();
  send(now, wall_ms);
  if ((users_.count() > 0 || others_have_users_) && now - alive_at_ >= kAliveInterval) {
    alive_at_ = now;
    log_->tell(told_by(instance_, Told::alive));
  }
  look_after_others(now);
}

void SharedRoom::look_after_others(Instant now) {
  if (!is_current_ || now - looked_at_ < kLookInterval) return;
  signs_.look(std::exchange(looked_at_, now), now);
  others_have_users_ = false;
  copy_->for_each_with_users([&](canvas::InstanceId other) {
    if (other == instance_) return;
    others_have_users_ = true;
    if (!signs_.is_gone(other, now)) return;
    counters_.gone.fetch_add(1, std::memory_order_relaxed);
    log::info("canvas_instance_gone", {{"room", host_.room().spec().name}, {"instance", other}});
    outbox_.add(canvas::SharedGone{.instance = other, .last_batch = copy_->last_batch(other)}, {});
  });
}

void SharedRoom::send(Instant now, std::int64_t wall_ms) {
  if (outbox_.batch() == nullptr) {
    if (!users_.has_changes() && !outbox_.has_waiting()) return;
    const Instant next = saturating_add(sent_at_, host_.room().limits().tick_min);
    if (now < next) {
      due_ = std::min(due_, next);
      return;
    }
    std::vector<std::pair<canvas::SharedRequest, SharedOutbox::Done>> changes;
    for (SharedUsers::Change& change : users_.take_changes(kChangesMax)) {
      canvas::SharedRequest request = change.request;
      changes.emplace_back(std::move(request),
                           [this, change = std::move(change)](const SharedOutbox::Result& result) {
                             users_.applied(change, result.user);
                           });
    }
    if (outbox_.begin(instance_, wall_ms, std::move(changes)) == nullptr) return;
    sent_at_ = now;
    is_stored_ = false;
    append_at_ = Instant{};
  }
  if (is_stored_ || is_appending_) return;
  if (now >= append_at_) append_batch();
  if (!is_appending_) due_ = std::min(due_, append_at_);
}

// The batch that is under way, also again when nobody knows whether it is stored.
void SharedRoom::append_batch() {
  outbox_.set_epoch(at_.epoch);
  is_appending_ = log_->append(SharedBytes(Bytes(canvas::encode(*outbox_.batch(), host_.room().spec()))),
                               [post = host_.post, attempt = ++attempt_](bool is_stored) {
                                 post([attempt, is_stored](SharedRoom& self) {
                                   if (attempt != self.attempt_) return;
                                   self.is_appending_ = false;
                                   self.is_stored_ = is_stored;
                                 });
                               });
  append_at_ = saturating_add(now_, kSharedRetry);
}

// The epoch has no beginning yet: with what this instance has. The first one in the log counts.
void SharedRoom::propose(Instant now) {
  send_parts();
  if (!is_current_ || is_proposed_ || has_entries() || at_.epoch == 0) return;
  if (has_state_) {
    is_proposed_ = true;
    return save(false);
  }
  if (!blank_since_) blank_since_ = now;
  const Instant next = saturating_add(*blank_since_, kBlankWait);
  if (now < next) {
    due_ = std::min(due_, next);
    return;
  }
  is_proposed_ = true;
  append_base(0);
}

void SharedRoom::append_base(std::uint64_t snapshot) {
  const canvas::SharedBase base{
      .epoch = at_.epoch, .snapshot = snapshot, .room = canvas::hash_of(host_.room().spec())};
  const auto again = [](SharedRoom& self) {
    if (!self.is_based_) self.is_proposed_ = false;
  };
  const bool is_taken =
      log_->append(SharedBytes(Bytes(canvas::encode(base))), [post = host_.post, again](bool is_stored) {
        if (!is_stored) post(again);
      });
  if (!is_taken) again(*this);
}

void SharedRoom::save(bool is_based) {
  if (is_saving_) {
    if (!is_based) is_proposed_ = false;
    return;
  }
  if (packer_.joinable()) packer_.join();
  Snapshot snapshot{.head = {.id = random_.next_u64() | 1U, .is_based = is_based, .position = at_},
                    .copy = {}};
  copy_->save(snapshot.copy);
  if (!is_based) origin_ = snapshot.head.id;
  is_saving_ = true;
  proposes_ = !is_based;
  saving_ = snapshot.head.id;
  auto thread = net::start_thread([post = host_.post, snapshot = std::move(snapshot)] {
    std::vector<SharedBytes> parts = parts_of(snapshot);
    post([parts = std::move(parts)](SharedRoom& self) mutable {
      self.parts_.assign(parts.begin(), parts.end());
      if (!self.parts_.empty()) return self.send_parts();
      log::error("canvas_snapshot_too_long", {{"room", self.host_.room().spec().name}});
      self.is_saving_ = false;
    });
  });
  if (thread) {
    packer_ = *std::move(thread);
  } else {
    is_saving_ = false;
    is_proposed_ = false;
  }
}

// One after another: each when the one before is stored. A snapshot of which one is not is given up.
void SharedRoom::send_parts() {
  if (parts_.empty() || is_part_under_way_) return;
  is_part_under_way_ = log_->append_snapshot_part(parts_.front(), [post = host_.post](bool is_stored) {
    post([is_stored](SharedRoom& self) { self.part_done(is_stored); });
  });
}

void SharedRoom::part_done(bool is_stored) {
  is_part_under_way_ = false;
  if (!is_stored) {
    parts_.clear();
    is_saving_ = false;
    if (proposes_) is_proposed_ = false;
    return;
  }
  parts_.pop_front();
  if (!parts_.empty()) return send_parts();
  is_saving_ = false;
  counters_.snapshots.fetch_add(1, std::memory_order_relaxed);
  if (proposes_ && !is_based_ && origin_ == saving_) append_base(saving_);
}

}  // namespace fanfare::canvasserver
