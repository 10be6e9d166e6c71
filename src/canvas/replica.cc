#include "canvas/replica.h"

#include <algorithm>
#include <map>
#include <utility>

namespace fanfare::canvas {
namespace {

constexpr std::uint8_t kCopyFormat = 1;

}  // namespace

Limits shared_limits(Limits limits) {
  const Limits fixed;
  limits.users_max = kSharedUsersMax;
  limits.undo_pixels_max = kSharedUndoPixelsMax;
  limits.undo_passed_max = fixed.undo_passed_max;
  limits.bans_max = fixed.bans_max;
  limits.restored_pixels_waiting_max = fixed.restored_pixels_waiting_max;
  // All of a batch is in its tick.
  limits.restored_pixels_per_tick_max = SIZE_MAX;
  return limits;
}

Replica::Applied Replica::apply(const SharedBatch& batch, std::size_t bytes) {
  Instance& instance = instances_[batch.instance];
  if (batch.number <= instance.last_batch) return {};
  instance.last_batch = batch.number;
  instance.seen = ++entries_;
  time_ms_ = std::max(time_ms_, batch.time_ms);
  Applied applied{.is_new = true};
  for (const SharedRequest& request : batch.requests)
    applied.results.push_back(apply_one(batch.instance, request));
  applied.tick = room_.finish_tick();
  forget_quiet();
  bytes_since_ += bytes;
  if (++entries_since_ >= kSnapshotEntries || bytes_since_ >= kSnapshotBytes) {
    applied.is_snapshot_due = true;
    entries_since_ = bytes_since_ = 0;
  }
  return applied;
}

Replica::Result Replica::apply_one(InstanceId from, const SharedRequest& request) {
  struct Apply {
    Replica& self;
    InstanceId from;

    Result operator()(const SharedJoin& join) const { return self.join(from, join); }
    Result operator()(const SharedLeave& leave) const {
      self.leave(from, leave.user);
      return {.user = leave.user};
    }
    Result operator()(const SharedDraw& draw) const {
      return of(self.room_.draw_admitted(draw.user, draw.pixels));
    }
    Result operator()(const SharedUndo& undo) const {
      return of(self.room_.undo_admitted(undo.user, undo.count));
    }
    Result operator()(const SharedRestore& restore) const {
      const std::size_t count = self.room_.restore_admitted(restore.event, restore.found, restore.is_more);
      return {.count = static_cast<std::uint32_t>(count)};
    }
    Result operator()(const SharedBan& ban) const {
      auto done = self.room_.ban(self.moderator(ban.moderator), ban.user, ban.seconds,
                                 {.instant = {}, .wall_ms = self.time_ms_});
      if (!done) return {.error = std::move(done.error())};
      return {};
    }
    Result operator()(const SharedGone& gone) const {
      const auto found = self.instances_.find(gone.instance);
      if (found == self.instances_.end() || found->second.last_batch != gone.last_batch) return {};
      const std::set<UserNumber> users = found->second.users;
      for (const UserNumber user : users) self.leave(gone.instance, user);
      return {.count = static_cast<std::uint32_t>(users.size())};
    }
    static Result of(const DrawResult& result) { return {.count = result.accepted, .error = result.error}; }
  };
  return std::visit(Apply{.self = *this, .from = from}, request);
}

Actor Replica::moderator(UserNumber user) const {
  return {.user = user, .payer = {}, .rights = {.draw = true, .moderate = true}};
}

Replica::Result Replica::join(InstanceId from, const SharedJoin& join) {
  std::set<UserNumber>& users = instances_[from].users;
  // It is there already: an instance says so again when it does not know.
  if (join.number != 0 && users.contains(join.number)) return {.user = join.number};
  const User* const user = room_.join({.identity = join.identity,
                                       .name = join.name,
                                       .payer = join.payer,
                                       .colour = join.colour,
                                       .number = join.number});
  if (user == nullptr) return {};
  const UserNumber number = user->number;
  if (!users.insert(number).second) room_.leave(number);
  return {.user = number};
}

void Replica::leave(InstanceId from, UserNumber user) {
  if (instances_[from].users.erase(user) > 0) room_.leave(user);
}

// Those from which nothing has come for longest.
void Replica::forget_quiet() {
  const auto is_quiet = [](const auto& one) { return one.second.users.empty(); };
  if (instances_.size() <= kQuietInstancesMax) return;
  auto oldest = instances_.end();
  for (auto at = instances_.begin(); at != instances_.end(); ++at) {
    if (is_quiet(*at) && (oldest == instances_.end() || at->second.seen < oldest->second.seen)) oldest = at;
  }
  if (oldest != instances_.end()) instances_.erase(oldest);
}

std::uint64_t Replica::last_batch(InstanceId instance) const {
  const auto found = instances_.find(instance);
  return found == instances_.end() ? 0 : found->second.last_batch;
}

const std::set<UserNumber>& Replica::users_of(InstanceId instance) const {
  static const std::set<UserNumber> none;
  const auto found = instances_.find(instance);
  return found == instances_.end() ? none : found->second.users;
}

void Replica::save(std::vector<std::uint8_t>& bytes) const {
  WireWriter out(bytes);
  out.u8(kCopyFormat);
  out.u64(hash_of(room_.spec()));
  out.u64(static_cast<std::uint64_t>(time_ms_));
  out.varint(entries_);
  out.varint(entries_since_);
  out.varint(bytes_since_);
  out.varint(instances_.size());
  for (const auto& [id, instance] : instances_) {
    out.u64(id);
    out.varint(instance.last_batch);
    out.varint(instance.seen);
    out.varint(instance.users.size());
    for (const UserNumber user : instance.users) out.varint(user);
  }
  room_.save_state(out);
}

bool Replica::load(Bytes bytes) {
  WireReader in(bytes);
  const auto format = in.u8();
  const auto room = in.u64();
  const auto time = in.u64();
  const auto entries = in.varint64();
  const auto entries_since = in.varint64();
  const auto bytes_since = in.varint64();
  if (format != kCopyFormat || room != hash_of(room_.spec()) || !time || !entries || !entries_since ||
      !bytes_since)
    return false;
  time_ms_ = static_cast<std::int64_t>(*time);
  entries_ = *entries;
  entries_since_ = *entries_since;
  bytes_since_ = *bytes_since;
  return load_instances(in) && room_.load_state(in) && in.at_end() && has_all_users();
}

// Each user is connected as often as there are instances that have it.
bool Replica::has_all_users() const {
  std::map<UserNumber, std::uint32_t> connections;
  for (const auto& [id, instance] : instances_) {
    for (const UserNumber user : instance.users) ++connections[user];
  }
  return connections.size() == room_.presence().count() &&
         std::ranges::all_of(connections, [&](const auto& one) {
           const User* const user = room_.find(one.first);
           return user != nullptr && user->connections == one.second;
         });
}

bool Replica::load_instances(WireReader& in) {
  const auto count = in.varint32();
  if (!count) return false;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto id = in.u64();
    const auto last_batch = in.varint64();
    const auto seen = in.varint64();
    const auto users = in.varint32();
    if (!id || !last_batch || !seen || !users || instances_.contains(*id)) return false;
    Instance& instance = instances_[*id];
    instance.last_batch = *last_batch;
    instance.seen = *seen;
    for (std::uint32_t j = 0; j < *users; ++j) {
      const auto user = in.varint32();
      if (!user) return false;
      instance.users.insert(*user);
    }
  }
  return true;
}

}  // namespace fanfare::canvas
