#include "streams/subscription.h"

#include <algorithm>
#include <new>
#include <vector>

#include "base/guard.h"
#include "streams/client.h"
#include "ws/close_code.h"

namespace fanfare::streams {
namespace {

// The last value at or before this offset that is still in the history. Notices stand between values, but two never
// without a value between them, except where values were refused by the hub.
constexpr std::uint64_t kNoticesSkippedMax = 16;

constexpr std::string_view kDegraded = "the connection to the other servers was lost";

pubsub::EventRef last_value(const pubsub::EventLog& log, std::uint64_t offset) {
  for (std::uint64_t at = offset; at > 0 && offset - at < kNoticesSkippedMax; --at) {
    pubsub::EventRef event = log.find_behind(at - 1);
    if (!event || event->position.offset != at) return {};
    if (read_record(event->frame).is_value()) return event;
  }
  return {};
}

// Directly before the oldest event of the history.
std::optional<Position> before_history(const pubsub::EventLog& log) {
  const pubsub::EventRef first = log.find_behind(0);
  if (!first) return std::nullopt;
  return Position{.epoch = first->position.epoch, .offset = first->position.offset - 1};
}

}  // namespace

Subscription::Subscription(Client& client, std::shared_ptr<Stream> stream, const Request& request)
    : client_(client), watch_(std::move(stream)), positioned_(request.position), delta_(request.delta) {}

std::expected<std::unique_ptr<Subscription>, JoinError> Subscription::join(
    Client& client, const std::shared_ptr<Stream>& stream, const Request& request, Subscribed& answer) {
  if (stream->topic()->is_removed()) return std::unexpected(JoinError::removed);
  auto made = std::make_unique<Subscription>(client, stream, request);
  pubsub::LoopHub& hub = client.loop_.hub;
  const pubsub::EventLog& log = hub.log_of(stream->topic());
  Start start;
  if (request.since) {
    start = resume(log, *stream->topic(), *request.since, answer);
  } else if (request.history) {
    start = start_with_history(log, *request.history, client.loop_.catalog.limits().history_answer_bytes_max,
                               answer);
  } else {
    start = made->start_at_last_value(log);
  }
  made->serial_ = start.serial;
  const auto joined = hub.join(stream->topic(), *made, client.waiting_, {.since = start.since});
  if (!joined) return std::unexpected(joined.error());
  made->joined_degraded_ = joined->is_degraded;
  if (request.position) answer.position = joined->position;
  if (request.since && !answer.recovered) {
    answer.recovered = joined->recovered;
    if (!joined->recovered) answer.missing = joined->missing;
  }
  if (request.since && !*answer.recovered) made->serial_ = 0;
  return made;
}

// The last value follows, and what came after it.
Subscription::Start Subscription::start_at_last_value(const pubsub::EventLog& log) const {
  const pubsub::EventRef last = last_value(log, log.last().offset);
  if (!last) return {.since = before_history(log)};
  return {.since = Position{.epoch = last->position.epoch, .offset = last->position.offset - 1}};
}

Subscription::Start Subscription::start_with_history(const pubsub::EventLog& log, std::size_t count,
                                                     std::size_t bytes_max, Subscribed& answer) {
  std::vector<Record>& history = answer.history.emplace();
  const pubsub::EventRef last = last_value(log, log.last().offset);
  if (!last) return {.since = before_history(log)};
  // The records point into the log, which does not change before the answer is written.
  for (pubsub::EventRef event = log.find_behind(0); event && event->position.offset <= last->position.offset;
       event = event.next()) {
    const Record record = read_record(event->frame);
    if (record.is_value()) history.push_back(record);
  }
  std::size_t kept = 0;
  std::size_t bytes = 0;
  while (kept < std::min(count, history.size())) {
    bytes += history[history.size() - 1 - kept].data.size();
    if (bytes > bytes_max) break;
    ++kept;
  }
  history.erase(history.begin(), history.end() - static_cast<std::ptrdiff_t>(kept));
  const std::uint64_t serial = kept == 0 ? 0 : history.back().serial;
  return {.since = last->position, .serial = serial};
}

// A position of another epoch, or one that was never assigned: everything that is still there follows.
Subscription::Start Subscription::resume(const pubsub::EventLog& log, const pubsub::Topic& topic,
                                         Position since, Subscribed& answer) {
  const bool is_unknown = log.last().epoch == 0;  // its relay has not said yet where the topic begins
  if (is_unknown || (since.epoch == log.last().epoch && topic.was_assigned(since))) {
    const pubsub::EventRef value = last_value(log, since.offset);
    return {.since = since, .serial = value ? read_record(value->frame).serial : 0};
  }
  const std::optional<Position> start = before_history(log);
  answer.recovered = false;
  answer.missing = Missed{.after = since, .until = start.value_or(log.last())};
  return {.since = start};
}

bool Subscription::deliver(const SharedBytes& record) try {
  return PacedSubscriber::deliver(record);
} catch (const std::bad_alloc&) {
  // An event must not be lost silently.
  note_out_of_memory("an event of a stream");
  client_.port_.close(ws::close_code::try_again_later, "out of memory");
  return false;
}

bool Subscription::send(const SharedBytes& record_bytes) {
  const Record record = read_record(record_bytes);
  // Clients that did not ask for positions do not know this notice.
  if (record.kind == Record::Kind::paused && !positioned_) return true;
  Form form = positioned_ ? Form::positioned : Form::plain;
  if (delta_) form = record.base != 0 && record.base == serial_ ? Form::patched : Form::checked;
  if (record.is_value()) serial_ = record.serial;
  return client_.port_.send_shared(
      client_.loop_.forms.get(stream().name(), record_bytes, form, client_.transport_));
}

bool Subscription::is_open() const {
  return client_.port_.is_open();
}
bool Subscription::is_congested() const {
  return client_.port_.is_congested();
}
bool Subscription::has_room_behind(std::size_t bytes) {
  return client_.port_.has_room_behind(bytes);
}
void Subscription::on_ready() {
  client_.port_.send_waiting_later();
}

void Subscription::tell_missed(const Missed& missed) {
  serial_ = 0;
  client_.port_.send(missed_message(stream().name(), missed, client_.seconds()));
}

void Subscription::on_notice(TopicNotice notice) {
  switch (notice) {
    case TopicNotice::degraded:
      return tell_degraded(true);
    case TopicNotice::restored:
      return tell_degraded(false);
    case TopicNotice::removed:
      ended_ = true;
      return client_.end_later();
  }
}

// As if the stream were interrupted, which every client knows; without a place among the events.
void Subscription::tell_degraded(bool is_degraded) {
  const Record::Kind kind = is_degraded ? Record::Kind::interrupted : Record::Kind::restored;
  client_.port_.send(message_of(
      stream().name(), {.kind = kind, .seconds = client_.seconds(), .data = kDegraded}, Form::plain));
}

}  // namespace fanfare::streams
