// What comes from the log. What goes into it is in shared_room_writer.cc.
#include "canvasserver/shared_room.h"

#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/log_limiter.h"
#include "base/text.h"

namespace fanfare::canvasserver {

using canvas::SharedBase;
using canvas::SharedBatch;
using canvas::Tick;

SharedRoom::SharedRoom(std::unique_ptr<SharedLog> log, canvas::InstanceId instance, Host host)
    : log_(std::move(log)), instance_(instance), host_(std::move(host)) {}

SharedRoom::~SharedRoom() {
  stop();
}

void SharedRoom::start() {
  renew();
  log_->start(*this);
  begin_loading(0);
}

void SharedRoom::stop() {
  log_->stop();
  if (packer_.joinable()) packer_.join();
}

bool SharedRoom::on_entry(Position position, SharedBytes entry) {
  if (queued_.load(std::memory_order_relaxed) >= kSharedEntriesMax) return false;
  queue({.position = position, .bytes = std::move(entry)});
  return true;
}

void SharedRoom::on_lost(Position until) {
  queue({.position = until, .bytes = {}, .is_lost = true});
}

void SharedRoom::queue(Entry entry) {
  queued_.fetch_add(1, std::memory_order_relaxed);
  host_.post(
      [entry = std::move(entry)](SharedRoom& self) mutable { self.entries_.push_back(std::move(entry)); });
}

// Behind the entries that have come.
void SharedRoom::on_current() {
  host_.post([](SharedRoom& self) { self.is_current_ = true; });
}

bool SharedRoom::on_snapshot_part(SharedBytes part) {
  host_.post([part = std::move(part)](SharedRoom& self) {
    const auto damaged = self.reader_.add(part.view());
    if (!damaged) return;
    // All are read again while none helps.
    static LogLimiter limiter(log::Level::error, "canvas_snapshot_damaged");
    limiter.write({{"room", self.host_.room().spec().name}, {"offset", damaged->offset}});
  });
  return true;
}

void SharedRoom::on_snapshots_read() {
  host_.post([](SharedRoom& self) { self.loaded(); });
}

void SharedRoom::on_up(bool is_up) {
  host_.post([is_up](SharedRoom& self) { self.set_up(is_up); });
}

void SharedRoom::on_told(SharedBytes message) {
  host_.post([message = std::move(message)](SharedRoom& self) { self.host_.told(message); });
}

// Another instance cannot go on without a state that is stored.
void SharedRoom::state_wanted(Instant now) {
  if (!is_ready() || (stored_at_ && now - *stored_at_ < kStateInterval)) return;
  stored_at_ = now;
  save(true);
}

// Nobody was heard while the broker was away.
void SharedRoom::set_up(bool is_up) {
  is_up_ = is_up;
  signs_.forget_all();
  if (!is_up) users_.refuse_waiting();
}

void SharedRoom::begin_loading(std::uint64_t wanted) {
  phase_ = Phase::loading;
  wanted_ = wanted;
  reader_ = {};
  retry_at_ = Instant::max();
  // What comes behind a base that names a snapshot is still wanted.
  if (wanted == 0) {
    queued_.fetch_sub(entries_.size(), std::memory_order_relaxed);
    entries_.clear();
  }
  if (std::exchange(is_reading_, true)) return;
  log_->read_snapshots();
}

void SharedRoom::load_again(std::string_view reason) {
  if (!std::exchange(is_missing_told_, true)) {
    log::warn("canvas_snapshot_missing",
              {{"room", host_.room().spec().name}, {"reason", std::string(reason)}});
  }
  retry_at_ = saturating_add(now_, kSharedRetry);
}

void SharedRoom::loaded() {
  is_reading_ = false;
  if (phase_ != Phase::loading) return;
  auto wanted = wanted_ == 0 ? std::nullopt : reader_.find(wanted_);
  auto found = reader_.latest();
  reader_ = {};
  if (wanted) {
    wanted->head.position = at_;
    wanted->head.is_based = true;
    if (!install(*std::move(wanted))) return;
    phase_ = Phase::following;
    return begin_epoch();
  }
  const bool is_new = at_.epoch == 0;
  if (!found && is_new) return follow({});
  // After a gap only a snapshot behind it helps.
  const bool is_of_use =
      found && (is_new || (found->head.position.epoch == at_.epoch &&
                           (found->head.is_based > is_based_ || found->head.position.offset > at_.offset)));
  if (!is_of_use) {
    return load_again(wanted_ == 0 ? "the log has lost entries, and no snapshot has them yet"
                                   : "the state with which the others began is not there");
  }
  const Position position = found->head.position;
  if (!install(*std::move(found))) return;
  follow(position);
  if (is_based_) begin_epoch();
}

// The copy is that of the snapshot from now on. False: it cannot be used.
bool SharedRoom::install(Snapshot snapshot) {
  leave_epoch();
  renew();
  if (!copy_->load(snapshot.copy)) {
    give_up("a snapshot is not one of this canvas, or of a newer version");
    return false;
  }
  at_ = snapshot.head.position;
  is_based_ = snapshot.head.is_based;
  origin_ = snapshot.head.id;
  has_state_ = true;
  drop_outbox();
  host_.begin_past(copy_->time_ms());
  counters_.resets.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void SharedRoom::renew() {
  copy_.emplace(host_.renew(at_.epoch));
  origin_ = 0;
  has_state_ = false;
}

void SharedRoom::follow(Position after) {
  phase_ = Phase::following;
  is_current_ = false;
  log_->read(after);
}

void SharedRoom::give_up(std::string_view reason) {
  log::error("canvas_not_shared", {{"room", host_.room().spec().name}, {"reason", std::string(reason)}});
  leave_epoch();
  phase_ = Phase::off;
}

// Nobody may go on with what belongs to it.
void SharedRoom::leave_epoch() {
  is_based_ = false;
  is_proposed_ = false;
  blank_since_.reset();
  origin_ = 0;  // the copy has gone on since
  if (!counters_.is_ready.exchange(false, std::memory_order_acq_rel)) return;
  users_.refuse_waiting();
  host_.close_clients();
}

void SharedRoom::begin_epoch() {
  is_based_ = true;
  is_proposed_ = is_missing_told_ = false;
  host_.room().set_epoch(at_.epoch);
  host_.began();
  // The batch that is under way is written again, for this epoch.
  ++attempt_;
  is_stored_ = is_appending_ = false;
  append_at_ = Instant{};
  agree_users();
}

void SharedRoom::drop_outbox() {
  outbox_.drop(copy_->last_batch(instance_));
  users_.forget_sent();
}

// The copy has everything that the broker had, and the epoch has begun.
void SharedRoom::note_ready() {
  if (!is_based_ || !is_current_ || has_entries() || phase_ != Phase::following || is_ready()) return;
  counters_.is_ready.store(true, std::memory_order_release);
  log::info("canvas_shared", {{"room", host_.room().spec().name}, {"offset", at_.offset}});
}

void SharedRoom::agree_users() {
  for (const canvas::UserNumber user : users_.agree(copy_->users_of(instance_)))
    outbox_.add(canvas::SharedLeave{.user = user}, {});
}

Tick SharedRoom::advance(Instant now) {
  now_ = now;
  Tick all;
  for (std::size_t i = 0; i < kSharedEntriesPerTick && has_entries(); ++i) {
    const Entry entry = std::move(entries_.front());
    entries_.pop_front();
    queued_.fetch_sub(1, std::memory_order_relaxed);
    if (entry.is_lost) {
      handle_lost(entry.position);
    } else {
      handle(entry, all);
    }
  }
  due_ = std::min(due_, now);
  note_ready();
  return all;
}

void SharedRoom::handle_lost(Position until) {
  if (until.epoch == at_.epoch) {
    if (until.offset <= at_.offset) return;
    if (!is_based_) return void(at_ = until);
    return begin_loading(0);
  }
  // A stream that was made anew, or that has lost its end.
  leave_epoch();
  at_ = until;
}

// Others have read some of what follows as part of an earlier read(): what is not next is repeated, or comes again.
void SharedRoom::handle(const Entry& entry, Tick& all) {
  if (entry.position.epoch != at_.epoch || entry.position.offset != at_.offset + 1) return;
  at_ = entry.position;
  const Bytes bytes = entry.bytes.view();
  auto decoded = canvas::decode_entry(bytes, host_.room().spec());
  if (!decoded) {
    if (decoded.error() == canvas::SharedProblem::unknown_format)
      return give_up("an instance of a newer version shares it: update this one");
    static LogLimiter limiter(log::Level::warn, "canvas_entry_ignored");
    return limiter.write({{"room", host_.room().spec().name}, {"offset", at_.offset}});
  }
  if (const auto* const base = std::get_if<SharedBase>(&*decoded)) return handle_base(*base);
  handle_batch(std::get<SharedBatch>(*decoded), bytes.size(), all);
}

void SharedRoom::handle_base(const SharedBase& base) {
  if (is_based_ || base.epoch != at_.epoch) return;
  if (base.room != canvas::hash_of(host_.room().spec()))
    return give_up("the other instances have a canvas of another size or other colours");
  if (base.snapshot != 0 && base.snapshot != origin_) return begin_loading(base.snapshot);
  if (base.snapshot == 0 && has_state_) {
    renew();
    drop_outbox();
    host_.begin_past(0);
  }
  begin_epoch();
}

void SharedRoom::handle_batch(const SharedBatch& batch, std::size_t bytes, Tick& all) {
  if (batch.epoch != at_.epoch) return;
  // The entry with which the epoch began is gone.
  if (!is_based_) return begin_loading(0);
  canvas::Replica::Applied applied = copy_->apply(batch, bytes);
  if (!applied.is_new) return;
  has_state_ = true;
  counters_.entries.fetch_add(1, std::memory_order_relaxed);
  heard(batch.instance, now_);
  if (!applied.tick.is_empty()) {
    host_.applied(applied.tick, copy_->time_ms());
    all.number = applied.tick.number;
    std::ranges::move(applied.tick.chunks, std::back_inserter(all.chunks));
  }
  const SharedBatch* const own = outbox_.batch();
  if (batch.instance == instance_ && own != nullptr && own->number == batch.number) {
    is_stored_ = is_appending_ = false;
    outbox_.applied(applied.results);
  }
  if (applied.is_snapshot_due && batch.instance == instance_) save(true);
  for (const canvas::SharedRequest& request : batch.requests) {
    const auto* const gone = std::get_if<canvas::SharedGone>(&request);
    if (gone == nullptr) continue;
    signs_.forget(gone->instance);
    if (gone->instance == instance_) agree_users();
  }
}

}  // namespace fanfare::canvasserver
