#include "canvasserver/rooms.h"

#include <utility>

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

std::expected<void, std::string> Rooms::add(const RoomPlan& plan, const OpenStorage& open,
                                            canvas::ProofHook* proof) {
  const std::string& name = plan.spec.name;
  if (const auto problem = canvas::problem_with(plan.spec)) return std::unexpected(*problem);
  if (rooms_.contains(name)) return std::unexpected("there is already a room '" + name + "'");
  if (rooms_.size() >= kRoomsMax) return std::unexpected("at most " + std::to_string(kRoomsMax) + " rooms");
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
  auto room = RoomThread::start(std::move(options));
  if (!room) return std::unexpected(std::move(room.error()));
  rooms_.emplace(name, *std::move(room));
  return {};
}

RoomThread* Rooms::find(std::string_view name) const {
  const auto found = rooms_.find(name);
  return found == rooms_.end() ? nullptr : found->second.get();
}

session::SessionSettings session_settings(const canvas::Limits& limits, session::SessionSettings settings) {
  settings.limits.message_bytes_max = limits.message_bytes_max * canvas::kMessageBytesFactor;
  settings.outbox_bytes_high = kOutboxBytesHigh;
  settings.outbox_bytes_max = kOutboxBytesMax;
  return settings;
}

LoopRoom& LoopRooms::part_of(RoomThread& room) {
  auto& part = parts_[&room];
  if (part == nullptr) part = std::make_unique<LoopRoom>(room, loop_, slow_timeout_);
  return *part;
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
