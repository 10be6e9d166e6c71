#include "streams/shared_topic.h"

#include <utility>

#include "streams/record.h"

namespace fanfare::streams {

void SharedTopic::attach(pubsub::Hub& hub, const std::shared_ptr<pubsub::Topic>& topic) {
  hub_ = &hub;
  topic_ = topic;
}

// The epoch first: an epoch is stored after its first offset.
Position SharedTopic::assigned() const {
  const auto topic = topic_.lock();
  if (topic == nullptr || !topic->is_current.load(std::memory_order_acquire)) return {};
  Position position;
  position.epoch = topic->assigned_epoch.load(std::memory_order_acquire);
  position.offset = topic->assigned_offset.load(std::memory_order_acquire);
  return position;
}

void SharedTopic::observe(const SharedBytes& bytes) {
  const Record record = read_record(bytes);
  const std::scoped_lock lock(mutex_);
  known_epoch_ = record.position.epoch;
  known_.seconds = record.seconds;
  known_.owes_value = !record.is_value();
  switch (record.kind) {
    case Record::Kind::value:
      known_.last_value = bytes;
      known_.serial = record.serial;
      if (!keeps_values_) return;
      values_.push_back(bytes);
      if (values_.size() > kValuesMax) values_.pop_front();
      return;
    case Record::Kind::interrupted:
      is_interrupted_ = true;
      reason_ = record.data;
      return;
    case Record::Kind::restored:
      is_interrupted_ = false;
      return;
    case Record::Kind::paused:
      return;
  }
}

// The place is read before what is known: an event between the two makes the broker refuse what is offered, which is safe.
std::optional<SharedTopic::Known> SharedTopic::begin_turn() {
  const Position now = assigned();
  const std::scoped_lock lock(mutex_);
  if (!is_settled(now)) return std::nullopt;
  after_ = now;
  Known known = known_;
  // Subscribers were told that they miss what comes before the epoch, and it has nothing yet.
  known.owes_value = known.owes_value || (known_epoch_ != 0 && known_epoch_ != now.epoch);
  return known;
}

bool SharedTopic::is_settled(Position now) const {
  const bool has_come_back = placed_.epoch != now.epoch || placed_.offset <= now.offset;
  return now.epoch != 0 && offered_.empty() && has_come_back;
}

bool SharedTopic::is_ready() const {
  const Position now = assigned();
  const std::scoped_lock lock(mutex_);
  return is_settled(now);
}

bool SharedTopic::offer(SharedBytes record) {
  const std::scoped_lock lock(mutex_);
  if (offered_.size() >= kOfferedMax) return false;
  offered_.push_back(std::move(record));
  return offered_.size() > 1 || send_first();
}

bool SharedTopic::send_first() {
  const auto topic = topic_.lock();
  const bool accepted = topic != nullptr && hub_->publish(
                                                topic, offered_.front(),
                                                [weak = weak_from_this()](std::optional<Position> position) {
                                                  const auto self = weak.lock();
                                                  if (self != nullptr) self->answered(position);
                                                },
                                                after_) == PublishResult::accepted;
  if (!accepted) offered_.clear();
  return accepted;
}

void SharedTopic::answered(std::optional<Position> position) {
  const std::scoped_lock lock(mutex_);
  if (offered_.empty()) return;
  if (!position) {
    refused_ += offered_.size();
    offered_.clear();
    return;
  }
  offered_.pop_front();
  placed_ = after_ = *position;
  const std::size_t waiting = offered_.size();
  if (waiting > 0 && !send_first()) refused_ += waiting;
}

std::vector<SharedBytes> SharedTopic::take_values() {
  const std::scoped_lock lock(mutex_);
  std::vector<SharedBytes> values(values_.begin(), values_.end());
  values_.clear();
  return values;
}

bool SharedTopic::is_interrupted() const {
  const std::scoped_lock lock(mutex_);
  return is_interrupted_;
}

std::string SharedTopic::reason() const {
  const std::scoped_lock lock(mutex_);
  return reason_;
}

std::uint64_t SharedTopic::refused_later() const {
  const std::scoped_lock lock(mutex_);
  return refused_;
}

}  // namespace fanfare::streams
