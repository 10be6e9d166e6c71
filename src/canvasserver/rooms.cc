#include "canvasserver/rooms.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "canvasserver/visit.h"

namespace fanfare::canvasserver {

namespace {

// A binary client may have so many bytes in its outbox before it is behind, and so many when it is closed: a few chunks fit in
// between.
constexpr std::size_t kOutboxBytesHigh = std::size_t{1} << 20;
constexpr std::size_t kOutboxBytesMax = std::size_t{16} << 20;

std::uint64_t history_bytes_max(const RoomPlan& plan) {
  if (plan.history_bytes_max != 0) return plan.history_bytes_max;
  return plan.file.empty() ? kMemoryHistoryBytesMax : kFileHistoryBytesMax;
}

}  // namespace

Rooms::~Rooms() {
  // Others may have references to rooms, such as answers that are on their way.
  for (const auto& [name, room] : rooms_) room->end();
  for (const auto& [turn, room] : leaving_) room->end();
}

std::expected<void, std::string> Rooms::add(const RoomPlan& plan, const OpenStorage& open,
                                            canvas::ProofHook* proof) {
  if (const auto problem = canvas::problem_with(plan.spec)) return std::unexpected(*problem);
  if (std::string problem = problem_with_name(plan.spec.name); !problem.empty())
    return std::unexpected(std::move(problem));
  auto room = Rooms::open(plan, open, proof);
  if (!room) return std::unexpected(std::move(room.error()));
  insert(*std::move(room));
  return {};
}

std::expected<Rooms::RoomPtr, std::string> Rooms::open(const RoomPlan& plan, const OpenStorage& open,
                                                       canvas::ProofHook* proof, const OpenSharedLog& share) {
  if (const auto problem = canvas::problem_with(plan.spec)) return std::unexpected(*problem);
  if (plan.relayed && !share)
    return std::unexpected(
        "its relay needs relay.nats, which was not there when the program started: restart");
  // 0 is no epoch: a client that knows none names it.
  RoomThread::Options options{.spec = plan.spec,
                              .limits = plan.limits,
                              .storage = nullptr,
                              .proof = proof,
                              .new_epoch = SystemRandom().next_u64() | 1U};
  if (open) {
    auto storage = open({.path = plan.file,
                         .spec = plan.spec,
                         .full_sync = plan.full_sync,
                         .sync_interval = plan.sync_interval,
                         .history_bytes_max = history_bytes_max(plan),
                         .new_epoch = options.new_epoch});
    if (!storage) return std::unexpected(std::move(storage.error()));
    options.storage = *std::move(storage);
  } else if (!plan.file.empty()) {
    return std::unexpected("a room with a file needs a store");
  }
  if (plan.relayed) {
    options.shared_log = share(plan.spec.name);
    options.instance = SystemRandom().next_u64() | 1U;
  }
  return RoomThread::start(std::move(options));
}

std::string Rooms::problem_with_name(std::string_view name, std::size_t more) const {
  const std::scoped_lock lock(mutex_);
  if (rooms_.contains(name)) return "there is already a room '" + std::string(name) + "'";
  if (rooms_.size() + leaving_.size() + ender_.count() + more >= kRoomsMax)
    return "at most " + std::to_string(kRoomsMax) + " rooms";
  return {};
}

void Rooms::insert(RoomPtr room) {
  const std::scoped_lock lock(mutex_);
  std::string name = room->spec().name;
  FANFARE_CHECK(rooms_.emplace(std::move(name), std::move(room)).second);
}

Rooms::Removed Rooms::remove(std::string_view name) {
  const std::scoped_lock lock(mutex_);
  const auto found = rooms_.find(name);
  FANFARE_CHECK(found != rooms_.end());
  Removed removed{.room = std::move(found->second), .turn = ++turn_};
  rooms_.erase(found);
  leaving_.emplace(removed.turn, removed.room);
  return removed;
}

bool Rooms::is_leaving(std::uint64_t turn) const {
  const std::scoped_lock lock(mutex_);
  return leaving_.contains(turn);
}

bool Rooms::end(std::uint64_t turn) {
  const std::scoped_lock lock(mutex_);
  const auto found = leaving_.find(turn);
  if (found == leaving_.end()) return false;
  ender_.end(std::move(found->second));
  leaving_.erase(found);
  return true;
}

Rooms::RoomPtr Rooms::bring_back(std::string_view name) {
  const std::scoped_lock lock(mutex_);
  const auto found = find_leaving(name);
  if (found == leaving_.end()) return nullptr;
  RoomPtr room = std::move(found->second);
  leaving_.erase(found);
  rooms_.emplace(name, room);
  return room;
}

bool Rooms::has_ended(std::string_view name, Duration at_most) {
  {
    const std::scoped_lock lock(mutex_);
    if (find_leaving(name) != leaving_.end()) return false;
  }
  return ender_.wait_for(name, at_most);
}

// With the lock held.
std::map<std::uint64_t, Rooms::RoomPtr>::iterator Rooms::find_leaving(std::string_view name) {
  return std::ranges::find_if(leaving_, [&](const auto& one) { return one.second->spec().name == name; });
}

Rooms::RoomPtr Rooms::find(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = rooms_.find(name);
  return found == rooms_.end() ? nullptr : found->second;
}

Rooms::ByName Rooms::all() const {
  const std::scoped_lock lock(mutex_);
  return rooms_;
}

session::SessionSettings session_settings(const canvas::Limits& limits, session::SessionSettings settings) {
  settings.limits.message_bytes_max = limits.message_bytes_max * canvas::kMessageBytesFactor;
  settings.outbox_bytes_high = kOutboxBytesHigh;
  settings.outbox_bytes_max = kOutboxBytesMax;
  return settings;
}

LoopRoom& LoopRooms::part_of(const Rooms::RoomPtr& room) {
  auto& part = parts_[room.get()];
  if (part == nullptr) part = std::make_unique<LoopRoom>(room, loop_, slow_timeout_);
  return *part;
}

void LoopRooms::apply(Duration slow_timeout) {
  slow_timeout_ = slow_timeout;
  for (const auto& [room, part] : parts_) {
    part->slow_watch().set_timeout(slow_timeout);
    part->apply_limits();
  }
}

bool LoopRooms::is_in(const session::Session& session, const RoomThread& room) const {
  return &session.endpoint() == this && &session.data<Visit>().room() == &room;
}

void LoopRooms::on_open(session::Session& session) {
  session.data<Visit>().open(*this, session);
}

void LoopRooms::on_message(session::Session& session, const session::Message& message) {
  session.data<Visit>().connection().receive(message);
}

void LoopRooms::on_drained(session::Session& session) {
  session.data<Visit>().connection().on_drained();
}

void LoopRooms::on_close(session::Session& session, const session::CloseInfo& /*info*/) {
  session.data<Visit>().end();
}

}  // namespace fanfare::canvasserver
