#include "relay/presence/record_feed.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace fanfare::relay {

void RecordFeed::start() {
  if (is_started_) return;
  is_started_ = true;
  created_ = 0;
  begin_with_the_first();
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
  begin_with_the_first();
  restart();
}

void RecordFeed::begin_with_the_first() {
  next_ = 1;
  time_ = 0;
  watch_.forget();
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
    begin_with_the_first();
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
  if (pending_ == 0 && !watch_.is_still()) presence_.set_current(true);
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
  watch_.came(next_ - 1, now);
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
  if (message.stalled.empty()) watch_.idle();
  // It has nothing more, though records that it would have delivered may have been deleted.
  presence_.set_current(!watch_.is_still());
}

void RecordFeed::stored(std::uint64_t sequence, Instant now) {
  if (is_started_ && sequence >= next_) watch_.expect(sequence, now);
}

bool RecordFeed::watch_delivery(Instant now) {
  return watch_.act(now, [this] { return stands_still(); }, [this] { restart(); });
}

// As TopicFeed::stands_still(). A purged record is no fault: each log that is written again ends with a purge of the old one.
std::expected<bool, std::string> RecordFeed::stands_still() {
  const std::uint64_t expected = watch_.expected();
  const auto time = world_.broker.time_of(expected);
  if (!time) return std::unexpected(time.error());
  const auto records = world_.broker.open();
  if (!records) return std::unexpected(records.error());
  if (records->created != created_ || records->last < expected) return false;
  if (*time == 0) {
    const auto is_deleted = world_.broker.is_deleted(expected);
    if (!is_deleted) return std::unexpected(is_deleted.error());
    if (*is_deleted) return false;
  }
  if (watch_.stands_still()) {
    world_.on_stall();
    log::error("presence_stream_stands_still",
               {{"topic", log::excerpt(topic_)},
                {"sequence", expected},
                {"advice", joined({"delete the stream ", world_.broker.stream(),
                                   ", which the instances create again, or restart the broker"})}});
  }
  return true;
}

bool RecordFeed::tick(Instant now) {
  if (!is_started_) return true;
  if (!consumer_.empty() && now - heard_ > kHeartbeatsMissedMax * world_.heartbeat) restart();
  if (!consumer_.empty() && !watch_delivery(now)) return false;
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
