#include "streams/subscription.h"

#include <algorithm>
#include <new>
#include <utility>
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
    Client& client, const std::shared_ptr<Stream>& stream, const Request& request) {
  if (stream->topic()->is_removed()) return std::unexpected(JoinError::removed);
  auto made = std::make_unique<Subscription>(client, stream, request);
  made->asked_ = std::make_unique<Asked>(Asked{.request = request, .answer = {.id = request.id}});
  Asked& asked = *made->asked_;
  pubsub::LoopHub& hub = client.loop_.hub;
  made->is_waiting_ = !hub.is_current(stream->topic());
  Start start{.since = request.since};
  if (!made->is_waiting_) start = made->pick_start(request, asked.answer);
  made->serial_ = start.serial;
  const auto joined = hub.join(stream->topic(), *made, client.waiting_, {.since = start.since});
  if (!joined) return std::unexpected(joined.error());
  if (!made->is_waiting_) made->take_joined(*joined, request, asked.answer);
  return made;
}

Subscription::Start Subscription::pick_start(const Request& request, Subscribed& answer) {
  pubsub::LoopHub& hub = client_.loop_.hub;
  const pubsub::EventLog& log = hub.log_of(stream().topic());
  if (request.since) return resume(log, *stream().topic(), *request.since, answer);
  if (!request.history) return start_at_last_value(log);
  return start_with_history(log, *request.history, client_.loop_.catalog.limits().history_answer_bytes_max,
                            answer);
}

void Subscription::take_joined(const Joined& joined, const Request& request, Subscribed& answer) {
  if (request.position) answer.position = joined.position;
  if (!request.since) return;
  if (!answer.recovered) {
    answer.recovered = joined.recovered;
    if (!joined.recovered) answer.missing = joined.missing;
  }
  if (!*answer.recovered) serial_ = 0;
}

void Subscription::begin() {
  const bool is_degraded = stream().is_degraded();
  if (is_waiting_) {
    if (is_degraded) answer_unknown();
  } else {
    const std::unique_ptr<Asked> asked = std::move(asked_);
    answer(*asked);
  }
  if (is_degraded) tell_degraded(true);
}

void Subscription::answer(const Asked& asked) {
  client_.port_.send(subscribed_message(stream().name(), asked.answer));
}

// The broker cannot be reached: the client learns of what it misses, if it does, when it can.
void Subscription::answer_unknown() {
  if (asked_->request.since) {
    asked_->answer.recovered = true;
    asked_->answer.position = asked_->request.since;
  }
  asked_->request.history.reset();
  answer(*asked_);
  asked_->is_answered = true;
}

void Subscription::on_current() {
  is_waiting_ = false;
  const std::unique_ptr<Asked> asked = std::move(asked_);
  const bool was_answered = asked->is_answered;
  Subscribed now{.id = asked->answer.id};
  const Start start = pick_start(asked->request, now);
  serial_ = start.serial;
  const Joined joined = hub().relayed().place_waiting(*this, client_.waiting_, start.since);
  take_joined(joined, asked->request, now);
  if (!was_answered) {
    asked->answer = std::move(now);
    answer(*asked);
  } else if (now.missing) {
    on_missed(*now.missing);
  } else if (now.position && !asked->answer.position) {
    // Without the epoch it could not ask for what follows on its next connection.
    client_.port_.send(subscribed_message(stream().name(), {.position = now.position}));
  }
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
  if (since.epoch == log.last().epoch && topic.was_assigned(since)) {
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
  const std::string notice = missed_message(stream().name(), missed, client_.seconds());
  if (client_.transport_ == Transport::websocket) return client_.port_.send(notice);
  // A browser that comes back must not ask for what it was told to miss.
  client_.port_.send_shared(SharedBytes(as_bytes(sse_event(event_id(missed.until), notice))));
}

void Subscription::on_notice(TopicNotice notice) {
  switch (notice) {
    case TopicNotice::degraded:
      if (is_waiting_ && !asked_->is_answered) answer_unknown();
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
  // It may have joined between the relay's call and the notice.
  if (std::exchange(is_told_degraded_, is_degraded) == is_degraded) return;
  Record notice{.kind = Record::Kind::interrupted, .seconds = client_.seconds(), .data = kDegraded};
  const std::string reason = stream().reason();
  if (!is_degraded && stream().is_interrupted()) {
    notice.data = reason;  // its node was lost before or meanwhile: nothing is known yet
  } else if (!is_degraded) {
    notice.kind = Record::Kind::restored;
  }
  client_.port_.send(message_of(stream().name(), notice, Form::plain));
}

}  // namespace fanfare::streams
