#include "streams/stream.h"

#include <utility>

#include "base/text.h"
#include "streams/canonical.h"
#include "streams/merge_patch.h"
#include "streams/record.h"

namespace fanfare::streams {
namespace {

// A longer record of a shared stream has no patch, if its broker says nothing: brokers take messages of 1 MiB by default.
constexpr std::size_t kSharedBytesMax = 1'000'000;

}  // namespace

Stream::Stream(pubsub::Hub& hub, std::shared_ptr<pubsub::Topic> topic, StreamInfo info,
               std::size_t value_bytes_max, std::shared_ptr<SharedTopic> shared)
    : hub_(hub),
      topic_(std::move(topic)),
      name_(std::move(info.name)),
      history_(info.history),
      interval_ms_(info.interval_ms),
      is_on_change_(info.on_change),
      value_bytes_max_(value_bytes_max),
      shared_(std::move(shared)) {
  if (shared_ != nullptr) shared_->attach(hub_, topic_);
}

StreamInfo Stream::info() const {
  return {.name = name_,
          .interval_ms = interval_ms_.load(std::memory_order_relaxed),
          .on_change = is_on_change_.load(std::memory_order_relaxed),
          .history = history_};
}

void Stream::set_polling(std::int64_t interval_ms, bool on_change) {
  interval_ms_.store(interval_ms, std::memory_order_relaxed);
  is_on_change_.store(on_change, std::memory_order_relaxed);
}

pubsub::TopicSetup Stream::topic_setup(const HistoryLimits& history, TopicPolicy policy,
                                       const std::shared_ptr<SharedTopic>& shared) {
  pubsub::TopicSetup setup{.history = history, .policy = policy, .encode = with_position};
  if (shared == nullptr) return setup;
  setup.relayed = true;
  // From another version, or another program: subscribers are told that it is missing.
  setup.encode = [](Position position, const SharedBytes& record) {
    return is_record(record) ? with_position(position, record) : SharedBytes();
  };
  setup.observed_max = shared->keeps_values() ? SharedTopic::kValuesMax : 0;
  setup.observe = [shared](const SharedBytes& record) { shared->observe(record); };
  return setup;
}

bool Stream::begin_turn() {
  if (shared_ == nullptr) return true;
  auto known = shared_->begin_turn();
  if (!known) return false;
  const std::lock_guard lock(mutex_);
  known_ = *std::move(known);
  serial_ = known_.serial;
  last_.reset();
  if (!known_.last_value.empty()) last_ = parse_json(read_record(known_.last_value).data);
  return true;
}

std::optional<Stream::Known> Stream::take_known() {
  if (shared_ == nullptr) return std::nullopt;
  Known known;
  for (const SharedBytes& record : shared_->take_values()) {
    if (auto value = parse_json(read_record(record).data)) known.new_values.push_back(*std::move(value));
  }
  const std::lock_guard lock(mutex_);
  known.last = last_;
  known.seconds = known_.seconds;
  known.owes_value = known_.owes_value;
  return known;
}

Stream::Published Stream::publish(const Json& value, std::int64_t seconds) {
  const std::lock_guard lock(mutex_);
  return publish_next(value, seconds);
}

std::size_t Stream::shared_bytes_max() const {
  if (shared_ == nullptr) return SIZE_MAX;
  const std::size_t most = hub_.relay_payload_bytes_max();
  return most - std::min(most, kRecordHeadBytes);
}

std::string Stream::problem_with_size(std::size_t bytes) const {
  if (bytes > value_bytes_max_) return "the value is longer than an eighth of the stream's history";
  const std::size_t most = shared_bytes_max();
  if (bytes <= most) return {};
  hub_.want_larger_relay_payloads();
  return joined({"the value has ", std::to_string(bytes), " bytes, and the broker between the servers takes ",
                 std::to_string(most), ": its max_payload is too low"});
}

// A patch is made only if it is shorter than the value.
Stream::Published Stream::publish_next(Json value, std::int64_t seconds) {
  const std::string data = value.write();
  if (data.size() > value_bytes_max()) {
    counters.refused.fetch_add(1, std::memory_order_relaxed);
    return Published::too_long;
  }
  Record record{.serial = serial_ + 1, .seconds = seconds, .checksum = checksum_of(value), .data = data};
  std::string patch;
  if (last_) {
    if (const auto difference = merge_difference(*last_, value)) patch = difference->write();
    const bool fits =
        shared_ == nullptr || data.size() + patch.size() <= std::min(shared_bytes_max(), kSharedBytesMax);
    if (fits && !patch.empty() && patch.size() < data.size()) {
      record.base = serial_;
      record.patch = patch;
    }
  }
  if (!offer(record)) {
    counters.refused.fetch_add(1, std::memory_order_relaxed);
    return Published::refused;
  }
  ++serial_;
  last_ = std::move(value);
  counters.values.fetch_add(1, std::memory_order_relaxed);
  return Published::yes;
}

void Stream::interrupt(std::string_view reason, std::int64_t seconds) {
  const std::lock_guard lock(mutex_);
  if (is_interrupted()) return;
  // If the hub is full, the next failure says it.
  if (!offer({.kind = Record::Kind::interrupted, .seconds = seconds, .data = reason})) return;
  interrupted_ = true;
  reason_ = reason;
  counters.interruptions.fetch_add(1, std::memory_order_relaxed);
}

std::string Stream::reason() const {
  if (shared_ != nullptr) return shared_->reason();
  const std::lock_guard lock(mutex_);
  return reason_;
}

void Stream::restore(std::int64_t seconds) {
  const std::lock_guard lock(mutex_);
  end_interruption(seconds);
}

void Stream::restore_with_last(std::int64_t seconds) {
  const std::lock_guard lock(mutex_);
  if (end_interruption(seconds) && last_) publish_next(*last_, seconds);
}

bool Stream::end_interruption(std::int64_t seconds) {
  if (!is_interrupted() || !offer({.kind = Record::Kind::restored, .seconds = seconds})) return false;
  interrupted_ = false;
  return true;
}

bool Stream::pause(std::int64_t from_seconds, std::int64_t until_seconds) {
  const std::string from = std::to_string(from_seconds);
  const std::lock_guard lock(mutex_);
  if (!offer({.kind = Record::Kind::paused, .seconds = until_seconds, .data = from})) return false;
  counters.pauses.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Stream::offer(const Record& record) {
  if (shared_ != nullptr) return shared_->offer(write_record(record));
  return hub_.publish(topic_, write_record(record)) == PublishResult::accepted;
}

void Stream::on_watched(std::function<void()> watched) {
  const std::scoped_lock lock(watched_mutex_);
  watched_ = std::move(watched);
}

void Stream::add_watcher() {
  if (watchers_.fetch_add(1, std::memory_order_acq_rel) != 0) return;
  std::function<void()> watched;
  {
    const std::scoped_lock lock(watched_mutex_);
    watched = watched_;
  }
  if (watched) watched();
}

}  // namespace fanfare::streams
