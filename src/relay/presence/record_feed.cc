#include "relay/presence/record_feed.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace fanfare::relay {

void RecordFeed::start() {
  if (is_started_) return;
  is_started_ = true;
  created_ = 0;
  next_ = 1;
  time_ = 0;
  restart();
}

void RecordFeed::stop() {
  is_started_ = false;
  forget_consumer();
}

void RecordFeed::restart() {
  presence_.set_current(false);
  forget_consumer();
  next_attempt_ = Instant{};
}

void RecordFeed::reload() {
  presence_.reload();
  next_ = 1;
  time_ = 0;
  restart();
}

void RecordFeed::forget_consumer() {
  consumer_.clear();
  deliver_to_.clear();
  subscription_.reset();
}

std::expected<void, std::string> RecordFeed::attempt(Instant now) {
  const auto records = world_.broker.open();
  if (!records) return std::unexpected(records.error());
  const auto is_other = is_replaced(*records);
  if (!is_other) return std::unexpected(is_other.error());
  if (*is_other) {
    log::warn("presence_stream_replaced", {{"topic", log::excerpt(topic_)}});
    presence_.reload();
    next_ = 1;
    time_ = 0;
  }
  created_ = records->created;
  deliver_to_ = "p." + std::to_string(world_.next_consumer++);
  subscription_ = world_.link.subscribe(deliver_to_);
  if (subscription_ == nullptr) return std::unexpected("no subscription");
  auto consumer = world_.broker.consume(topic_, next_, world_.link.inbox() + deliver_to_);
  if (!consumer) return std::unexpected(std::move(consumer.error()));
  consumer_ = std::move(consumer->name);
  pending_ = consumer->pending;
  delivered_ = 0;
  heard_ = now;
  if (pending_ == 0) presence_.set_current(true);
  return {};
}

// The relay's Reader compares the first message of its consumer. That of a topic's records does not show the records of other topics, which
// may be in that place now: so the broker is asked. One that loses its end between this and the consumer loses its connections too.
std::expected<bool, std::string> RecordFeed::is_replaced(const OpenedStream& records) {
  if (created_ == 0) return false;
  if (created_ != records.created || records.last + 1 < next_) return true;
  if (time_ == 0) return false;
  const auto time = world_.broker.time_of(next_ - 1);
  if (!time) return std::unexpected(time.error());
  return *time != 0 && *time != time_;
}

void RecordFeed::on_message(const Incoming& message, const Delivery& delivery, Instant now) {
  heard_ = now;
  if (delivery.consumer_sequence != delivered_ + 1) return restart();
  ++delivered_;
  if (delivery.stream_sequence >= next_) {
    next_ = delivery.stream_sequence + 1;
    time_ = delivery.time;
    const auto source = world_.broker.source_of(message.subject);
    const auto record = decode(message.payload.view());
    if (source && record) {
      presence_.take(source->log, delivery.stream_sequence, *record);
    } else {
      log::warn("presence_record_invalid", {{"topic", log::excerpt(topic_)}});
    }
  }
  if (delivered_ >= pending_) presence_.set_current(true);
}

void RecordFeed::on_sign_of_life(const Incoming& message, Instant now) {
  heard_ = now;
  if (message.is_flow_control) {
    world_.link.publish(message.reply, {}, {}, {});
    return;
  }
  if (!message.stalled.empty()) world_.link.publish(message.stalled, {}, {}, {});
  if (message.last_consumer != delivered_) return restart();
  // It has nothing more, though records that it would have delivered may have been deleted.
  presence_.set_current(true);
}

bool RecordFeed::tick(Instant now) {
  if (!is_started_) return true;
  if (!consumer_.empty() && now - heard_ > kHeartbeatsMissedMax * world_.heartbeat) restart();
  if (!consumer_.empty() || now < next_attempt_) return true;
  auto done = attempt(now);
  if (done) {
    problem_.clear();
    return true;
  }
  forget_consumer();
  if (problem_ != done.error()) {
    problem_ = std::move(done.error());
    log::warn("presence_not_read", {{"topic", log::excerpt(topic_)}, {"reason", problem_}});
  }
  next_attempt_ = saturating_add(now, kAttemptWait);
  return false;
}

Instant RecordFeed::due() const {
  if (!is_started_) return Instant::max();
  if (consumer_.empty()) return next_attempt_;
  return saturating_add(heard_, kHeartbeatsMissedMax * world_.heartbeat + Duration(1));
}

}  // namespace fanfare::relay
