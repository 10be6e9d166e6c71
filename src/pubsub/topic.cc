#include "pubsub/topic.h"

#include "base/guard.h"
#include "pubsub/relayed_presence.h"

namespace fanfare::pubsub {

PendingRoom::Taken PendingRoom::take(std::size_t bytes) {
  if (messages_.fetch_add(1, std::memory_order_relaxed) >= messages_max_) {
    messages_.fetch_sub(1, std::memory_order_relaxed);
    return Taken::messages_full;
  }
  if (bytes_.fetch_add(bytes, std::memory_order_relaxed) >= bytes_max_) {
    give_back(bytes);
    return Taken::bytes_full;
  }
  return Taken::yes;
}

void PendingRoom::give_back(std::size_t bytes) {
  messages_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

TopicMetrics Topic::metrics() const {
  TopicMetrics now{.published = published.load(std::memory_order_relaxed),
                   .delivered = delivered.load(std::memory_order_relaxed),
                   .missed = missed.load(std::memory_order_relaxed),
                   .refused = 0,
                   .failed = failed.load(std::memory_order_relaxed),
                   .pending_messages = room.messages(),
                   .pending_bytes = room.bytes(),
                   .history_messages = history_messages.load(std::memory_order_relaxed),
                   .history_bytes = history_bytes.load(std::memory_order_relaxed),
                   .subscribers = subscribers.load(std::memory_order_relaxed),
                   .members = members_now.load(std::memory_order_relaxed)};
  if (stored != nullptr) {
    const StoredRange range = stored->store->range();
    now.stored_messages = range.messages;
    now.stored_bytes = range.bytes;
    now.unstored = stored->unstored.load(std::memory_order_relaxed);
  }
  const std::scoped_lock lock(mutex_);
  if (relayed_ != nullptr) {
    now.members = relayed_->names.size();
    now.instances = relayed_->instances;
    now.instances_gone = relayed_->instances_gone;
  }
  for (const auto& count : refusals) now.refused += count.load(std::memory_order_relaxed);
  return now;
}

bool Topic::was_assigned(Position position) const {
  // Of an epoch that this one follows: a subscriber behind it learns of that when it reaches the new one.
  if (assigned_epoch.load(std::memory_order_acquire) != position.epoch) return true;
  const std::uint64_t last = assigned_offset.load(std::memory_order_acquire);
  // Another instance may be ahead of this one.
  return position.offset <= (setup.relayed ? last + kRelayedAheadMax : last);
}

std::shared_ptr<const std::vector<std::string>> Topic::members() const {
  const std::scoped_lock lock(mutex_);
  if (members_ == nullptr) {
    members_ =
        std::make_shared<const std::vector<std::string>>(relayed_->names.begin(), relayed_->names.end());
  }
  return members_;
}

// The list is made when somebody asks, so a report costs what has changed.
void Topic::take(const PresenceReport& report) {
  const std::scoped_lock lock(mutex_);
  if (relayed_ == nullptr) relayed_ = std::make_unique<RelayedMembers>();
  relayed_->names.insert(report.change.joined.begin(), report.change.joined.end());
  for (const std::string& member : report.change.left) relayed_->names.erase(member);
  if (report.is_over) relayed_->names.clear();
  relayed_->instances = report.instances;
  relayed_->instances_gone = report.gone;
  members_.reset();
}

void Topic::set_members(std::shared_ptr<const std::vector<std::string>> members) {
  const std::scoped_lock lock(mutex_);
  members_ = std::move(members);
}

PublishResult Flight::take_room() {
  switch (topic->room.take(size_)) {
    case PendingRoom::Taken::yes:
      break;
    case PendingRoom::Taken::messages_full:
      return PublishResult::topic_messages_full;
    case PendingRoom::Taken::bytes_full:
      return PublishResult::topic_bytes_full;
  }
  const PendingRoom::Taken taken = hub_room_->take(size_);
  if (taken == PendingRoom::Taken::yes) {
    has_room_ = true;
    return PublishResult::accepted;
  }
  topic->room.give_back(size_);
  return taken == PendingRoom::Taken::messages_full ? PublishResult::hub_messages_full
                                                    : PublishResult::hub_bytes_full;
}

bool Flight::encode(Position where) {
  const TopicSetup& setup = topic->setup;
  const bool encoded = run_guarded("an event of a topic",
                                   [&] { frame = setup.encode ? setup.encode(where, payload) : payload; });
  if (encoded && !frame.empty()) return true;
  tell(std::nullopt);
  return false;
}

void Flight::tell(std::optional<Position> where) {
  if (!where) topic->failed.fetch_add(1, std::memory_order_relaxed);
  if (!receipt_) return;
  Receipt receipt = std::exchange(receipt_, nullptr);
  receipt(where);
}

Flight::~Flight() {
  if (receipt_) tell(std::nullopt);
  if (!has_room_) return;
  topic->room.give_back(size_);
  hub_room_->give_back(size_);
}

}  // namespace fanfare::pubsub
