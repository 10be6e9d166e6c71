#include "eth/resume_store.h"

#include <cstring>
#include <utility>

namespace fanfare::eth {

ResumeLease::~ResumeLease() {
  if (store_ != nullptr) store_->close(key_, *record_, owner_);
}

bool ResumeLease::make_room() {
  return store_->make_room(key_);
}

bool ResumeLease::watch(std::function<void()> on_taken) {
  return store_->watch(key_, *record_, owner_, std::move(on_taken));
}

// The key is a digest: any part of it is one, too.
std::size_t MemoryResumeStore::KeyHash::operator()(const ResumeKey& key) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, key.data(), sizeof(hash));
  return hash;
}

std::expected<ResumeLease, ResumeRefusal> MemoryResumeStore::open(const ResumeKey& key,
                                                                  const std::string& counts_for,
                                                                  std::shared_ptr<const void> identity,
                                                                  Instant now) {
  std::function<void()> on_taken;
  std::unique_lock lock(mutex_);
  expire(now);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return make(key, counts_for, std::move(identity), nullptr, false);
  Session& session = found->second;
  const bool was_open = std::exchange(session.is_open, true);
  if (!was_open) idle_.erase(session.place);
  on_taken = std::exchange(session.on_taken, nullptr);
  session.identity = std::move(identity);
  session.owner = session.record->take();
  ResumeLease lease(shared_from_this(), key, session.record, session.owner, true);
  report({.resumed = 1, .taken_over = was_open ? 1U : 0U});
  lock.unlock();
  if (on_taken) on_taken();
  return lease;
}

// For one more session of this owner.
std::expected<ByteHold, ResumeRefusal> MemoryResumeStore::take_room(const std::string& counts_for) {
  if (limits_.sessions_max == 0) return std::unexpected(ResumeRefusal::off);
  if (sessions_.size() >= limits_.sessions_max) return std::unexpected(ResumeRefusal::total);
  const bool is_limited = !counts_for.empty();
  const std::size_t bytes_max = is_limited ? limits_.bytes_per_owner_max : limits_.bytes_max;
  const auto known = owners_.find(counts_for);
  const Owner owner = known != owners_.end()
                          ? known->second
                          : Owner{.sessions = 0, .memory = std::make_shared<ByteShare>(memory_, bytes_max)};
  if (is_limited && owner.sessions >= limits_.sessions_per_owner_max) {
    return std::unexpected(ResumeRefusal::per_owner);
  }
  ByteHold room(owner.memory);
  if (!room.grow(kResumeSessionBytes)) {
    const bool is_its_own = owner.memory->held() + kResumeSessionBytes > bytes_max;
    return std::unexpected(is_its_own ? ResumeRefusal::per_owner : ResumeRefusal::total);
  }
  owners_.try_emplace(counts_for, owner);
  return room;
}

std::expected<std::shared_ptr<ResumeRecord>, ResumeRefusal> MemoryResumeStore::record_for(
    const std::string& counts_for, const ResumeImage* image, bool is_stale) {
  auto room = take_room(counts_for);
  if (!room) return std::unexpected(room.error());
  auto record = std::make_shared<ResumeRecord>(limits_.record, *std::move(room));
  if (image == nullptr || record->restore(*image, is_stale)) return record;
  if (owners_[counts_for].sessions == 0) owners_.erase(counts_for);
  return std::unexpected(counts_for.empty() ? ResumeRefusal::total : ResumeRefusal::per_owner);
}

std::expected<ResumeLease, ResumeRefusal> MemoryResumeStore::make(const ResumeKey& key,
                                                                  const std::string& counts_for,
                                                                  std::shared_ptr<const void> identity,
                                                                  const ResumeImage* image, bool is_stale) {
  auto made = record_for(counts_for, image, is_stale);
  const auto known = owners_.find(counts_for);
  const bool may_fit = known != owners_.end() && known->second.sessions < limits_.sessions_per_owner_max;
  if (!made && made.error() == ResumeRefusal::per_owner && may_fit && make_room_for(counts_for))
    made = record_for(counts_for, image, is_stale);
  if (!made) {
    report({.refused = 1});
    return std::unexpected(made.error());
  }
  std::shared_ptr<ResumeRecord> record = *std::move(made);
  if (changed_) record->watch([this, key](bool is_urgent) { changed_(key, is_urgent); });
  const ResumeRecord::Owner owner = record->take();
  Owner& of = owners_[counts_for];
  Session& session = sessions_
                         .emplace(key, Session{.record = record,
                                               .counts_for = counts_for,
                                               .identity = std::move(identity),
                                               .owner = owner,
                                               .next = of.first})
                         .first->second;
  ++of.sessions;
  if (of.first != nullptr) of.first->before = &session;
  of.first = &session;
  const bool is_known = image != nullptr && !image->subscriptions.empty();
  report({.created = is_known ? 0U : 1U, .resumed = is_known ? 1U : 0U});
  return ResumeLease(shared_from_this(), key, std::move(record), owner, is_known);
}

bool MemoryResumeStore::make_room(const ResumeKey& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(key);
  return found != sessions_.end() && make_room_for(found->second.counts_for);
}

bool MemoryResumeStore::make_room_for(const std::string& counts_for) {
  const auto found = owners_.find(counts_for);
  if (counts_for.empty() || found == owners_.end()) return false;
  Owner& owner = found->second;
  const Instant now = clock_.now();
  if (owner.frugal_until && now < *owner.frugal_until) return false;
  bool any = false;
  for (const Session* one = owner.first; one != nullptr; one = one->next)
    any = one->record->give_up_turns() || any;
  if (!any) owner.frugal_until = saturating_add(now, kFrugalFor);
  return any;
}

void MemoryResumeStore::note_change(const ResumeKey& key) const {
  if (changed_) changed_(key, false);
}

std::optional<MemoryResumeStore::Copy> MemoryResumeStore::copy(const ResumeKey& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return std::nullopt;
  return Copy{.image = found->second.record->image(), .is_open = found->second.is_open};
}

bool MemoryResumeStore::has(const ResumeKey& key) const {
  const std::scoped_lock lock(mutex_);
  return sessions_.contains(key);
}

bool MemoryResumeStore::is_open(const ResumeKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(key);
  return found != sessions_.end() && found->second.is_open;
}

std::expected<ResumeLease, ResumeRefusal> MemoryResumeStore::adopt(const ResumeKey& key,
                                                                   const std::string& counts_for,
                                                                   std::shared_ptr<const void> identity,
                                                                   const ResumeImage& image, bool is_stale,
                                                                   Instant now) {
  release(key);
  const std::scoped_lock lock(mutex_);
  expire(now);
  return make(key, counts_for, std::move(identity), &image, is_stale);
}

std::optional<ResumeImage> MemoryResumeStore::release(const ResumeKey& key) {
  std::function<void()> on_taken;
  std::unique_lock lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return std::nullopt;
  // Not with its connection, which is closed later: what is here next has to fit.
  ResumeImage image = found->second.record->end();
  on_taken = std::exchange(found->second.on_taken, nullptr);
  erase(found);
  report({});
  lock.unlock();
  if (on_taken) on_taken();
  return image;
}

bool MemoryResumeStore::watch(const ResumeKey& key, const ResumeRecord& record, ResumeRecord::Owner owner,
                              std::function<void()> on_taken) {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end() || !found->second.is_of(record, owner)) return false;
  found->second.on_taken = std::move(on_taken);
  return true;
}

void MemoryResumeStore::close(const ResumeKey& key, const ResumeRecord& record, ResumeRecord::Owner owner) {
  const std::scoped_lock lock(mutex_);
  const Instant now = clock_.now();
  const auto found = sessions_.find(key);
  if (found != sessions_.end() && found->second.is_of(record, owner)) {
    Session& session = found->second;
    session.record->take();  // the connection is gone, whatever it still tries
    session.owner = 0;
    session.is_open = false;
    session.on_taken = nullptr;
    session.left = now;
    session.place = idle_.insert(idle_.end(), key);
    if (session.record->size() == 0) erase(found);  // there is nothing to resume
    note_change(key);
  }
  expire(now);
  report({});
}

void MemoryResumeStore::drop_if(const std::function<bool(const void* identity)>& is_gone) {
  const std::scoped_lock lock(mutex_);
  std::uint64_t dropped = 0;
  for (auto one = sessions_.begin(); one != sessions_.end();) {
    if (!is_gone(one->second.identity.get())) {
      ++one;
      continue;
    }
    one->second.record->take();
    note_change(one->first);
    one = erase(one);
    ++dropped;
  }
  report({.revoked = dropped});
}

std::size_t MemoryResumeStore::size() const {
  const std::scoped_lock lock(mutex_);
  return sessions_.size();
}

void MemoryResumeStore::set_limits(const ResumeLimits& limits) {
  const std::scoped_lock lock(mutex_);
  limits_ = limits;
  memory_.set_bytes_max(limits.bytes_max);
}

void MemoryResumeStore::expire(Instant now) {
  std::uint64_t expired = 0;
  while (!idle_.empty()) {
    const auto oldest = sessions_.find(idle_.front());
    if (now - oldest->second.left < limits_.idle_max) break;
    note_change(oldest->first);
    erase(oldest);
    ++expired;
  }
  if (expired > 0) report({.expired = expired});
}

MemoryResumeStore::Sessions::iterator MemoryResumeStore::erase(Sessions::iterator session) {
  Session& gone = session->second;
  if (!gone.is_open) idle_.erase(gone.place);
  const auto owner = owners_.find(gone.counts_for);
  (gone.before == nullptr ? owner->second.first : gone.before->next) = gone.next;
  if (gone.next != nullptr) gone.next->before = gone.before;
  if (--owner->second.sessions == 0) owners_.erase(owner);
  return sessions_.erase(session);
}

void MemoryResumeStore::report(ResumeCounters since) const {
  if (count_) count_(sessions_.size(), since);
}

}  // namespace fanfare::eth
