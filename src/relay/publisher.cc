#include "relay/publisher.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "relay/names.h"

namespace fanfare::relay {
namespace {

constexpr std::size_t kEventHeaderBytesMax = 512;  // of a published event
constexpr int kWrongLastSequence = 10071;          // the broker's err_code
constexpr std::string_view kNoAnswer = "the broker does not answer: may the user publish to its subject?";
// No stream gets there.
constexpr std::string_view kImpossibleSequence = "9223372036854775807";

}  // namespace

Publisher::Publisher(World world)
    : world_(std::move(world)),
      in_flight_(world_.options.in_flight_messages_max, world_.options.in_flight_bytes_max),
      outgoing_(saturating_duration(world_.options.publish_timeout)),
      instance_(std::to_string(SystemRandom().next_u64()) + "-") {}

bool Publisher::take_room(std::size_t bytes) {
  if (in_flight_.take(bytes) != pubsub::PendingRoom::Taken::yes) return false;
  world_.counters.in_flight.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Publisher::leave_room(std::size_t bytes) {
  in_flight_.give_back(bytes);
  world_.counters.in_flight.fetch_sub(1, std::memory_order_relaxed);
}

void Publisher::connection_changed(bool is_connected) {
  is_connected_ = is_connected;
  outgoing_.forget_sent();
  std::erase_if(hindered_, [](const auto& each) { return !each.second.is_certain; });
  needs_retry_ = true;
  if (!is_connected) return;
  connection_ = world_.link.connection_number();
  for (auto& [topic, hindered] : hindered_) hindered.next_probe = {};
  const std::size_t bytes_max = world_.link.payload_bytes_max();
  payload_bytes_max_.store(bytes_max - std::min(bytes_max, kEventHeaderBytesMax), std::memory_order_relaxed);
}

bool Publisher::add(OutgoingEvent event) {
  const bool may_send = outgoing_.may_send_at_once(event.topic);
  const std::uint64_t number = outgoing_.add(std::move(event));
  OutgoingEvent& added = *outgoing_.find(number);
  if (may_send && send(number, added)) return false;
  if (may_send) outgoing_.disturb(added);
  needs_retry_ = true;
  return outgoing_.size() == 1;
}

void Publisher::answered(const Incoming& message) {
  std::uint64_t number = 0;
  std::uint64_t epoch = 0;
  const char* const end = message.to.data() + message.to.size();
  std::uint64_t connection = 0;
  const char* at = message.to.data() + kAnswer.size();
  for (std::uint64_t* const value : {&number, &epoch, &connection}) {
    const auto [next, failed] = std::from_chars(at, end, *value);
    if (failed != std::errc()) return;
    at = next == end ? end : next + 1;
  }
  if (message.status == kNoResponders) {
    // It was not stored: it waits until the topic has its stream again.
    auto* const event = outgoing_.find(number);
    if (event == nullptr) return;
    outgoing_.disturb(*event);
    needs_retry_ = true;
    TopicFeed* const feed = world_.feed_of(event->topic);
    if (feed != nullptr && feed->epoch() == event->epoch) feed->restart();
    return;
  }
  const auto answer = acknowledgement_of(as_text(message.payload.view()));
  auto event = outgoing_.take(number);
  if (!answer || !event) return;
  // One over the last connection does not show that this one stores what comes first.
  if (connection != connection_ || outgoing_.prove(event->topic)) needs_retry_ = true;
  if (answer->sequence != 0 || answer->error == kWrongLastSequence) not_hindered(event->topic);
  // Stored by an attempt before this one, with whatever epoch that had.
  const bool is_placed = !answer->is_duplicate || epoch == event->first_epoch;
  if (answer->sequence != 0 && !is_placed) return finish(*event, std::nullopt);
  if (answer->sequence != 0) {
    world_.counters.published.fetch_add(1, std::memory_order_relaxed);
    const Position position{.epoch = epoch, .offset = answer->sequence};
    if (TopicFeed* const feed = world_.feed_of(event->topic))
      feed->acknowledged(position, system_clock().now());
    return finish(*event, position);
  }
  // Somebody else was first, which is meant to happen.
  if (answer->error != kWrongLastSequence) {
    world_.log.event_refused(event->topic, answer->description, system_clock().now());
    note_hindered(event->topic, Hindrance::refused, answer->description);
  }
  finish(*event, std::nullopt);
}

void Publisher::finish(OutgoingEvent& event, std::optional<Position> position) {
  leave_room(event.payload.size());
  if (!position) world_.counters.given_up.fetch_add(1, std::memory_order_relaxed);
  event.done(position);
}

void Publisher::note_hindered(const std::string& topic, Hindrance why, std::string_view reason) {
  const TopicFeed* const feed = world_.feed_of(topic);
  if (feed == nullptr || !feed->is_read()) return;
  Hindered& noted = hindered_.try_emplace(topic, Hindered{.why = why, .is_certain = false}).first->second;
  noted.why = why;
  if (!std::exchange(noted.is_certain, true))
    log::warn("relay_topic_hindered", {{"topic", topic}, {"reason", reason}});
}

bool Publisher::is_hindered() const {
  return std::ranges::any_of(hindered_, [](const auto& each) { return each.second.is_certain; });
}

// The event was given up, maybe before the broker had time to answer. kAnswerWait counts from this event on, and the broker is asked.
void Publisher::suspect(const OutgoingEvent& event) {
  const TopicFeed* const feed = world_.feed_of(event.topic);
  if (feed == nullptr || !feed->is_read()) return;
  if (const auto since = silent_since(event, *feed))
    hindered_.try_emplace(event.topic,
                          Hindered{.why = Hindrance::silence, .is_certain = false, .since = *since});
}

// If events of others come, subscribers miss nothing. Those that came before the event was sent once more say nothing of now, and an old
// event that is still sent again and again keeps back those behind it.
std::optional<Instant> Publisher::silent_since(const OutgoingEvent& event, const TopicFeed& feed) {
  for (const auto& attempt : {event.unanswered_since, event.sent}) {
    if (attempt && feed.last_came() <= *attempt) return attempt;
  }
  return std::nullopt;
}

void Publisher::review_suspects(Instant now) {
  std::erase_if(hindered_, [&](const auto& each) {
    const auto& [topic, hindered] = each;
    const TopicFeed* const feed = world_.feed_of(topic);
    return !hindered.is_certain &&
           (feed == nullptr || !feed->is_read() || feed->last_came() > hindered.since);
  });
  for (const auto& [topic, hindered] : hindered_) {
    if (!hindered.is_certain && now - hindered.since > kAnswerWait)
      note_hindered(topic, Hindrance::silence, kNoAnswer);
  }
}

void Publisher::not_hindered(std::string_view topic) {
  const auto found = hindered_.find(topic);
  if (found == hindered_.end()) return;
  if (found->second.is_certain) log::info("relay_topic_goes_on", {{"topic", topic}});
  hindered_.erase(found);
}

void Publisher::probe(Instant now) {
  if (!is_connected_) return;
  for (auto& [topic, hindered] : hindered_) {
    const TopicFeed* const feed = world_.feed_of(topic);
    const bool may_ask = feed != nullptr && feed->may_publish() && !outgoing_.has(topic);
    // A refusal may be of one event only, and this one would not be refused for its reason.
    if (hindered.why != Hindrance::silence || !may_ask || now < hindered.next_probe) continue;
    hindered.next_probe = saturating_add(now, kProbeEvery);
    const std::string& token = feed->address().token;
    world_.link.publish(subject_of(world_.options.name, token, feed->epoch()),
                        joined({world_.link.inbox(), kProbeAnswer, token}), {},
                        {{.name = "Nats-Expected-Last-Sequence", .value = std::string(kImpossibleSequence)}});
  }
}

void Publisher::probe_answered(const Incoming& message) {
  const std::string_view token = std::string_view(message.to).substr(kProbeAnswer.size());
  const auto answer = acknowledgement_of(as_text(message.payload.view()));
  if (!answer || answer->error != kWrongLastSequence) return;
  const auto found = std::ranges::find_if(hindered_, [&](const auto& each) {
    const TopicFeed* const feed = world_.feed_of(each.first);
    return feed != nullptr && feed->address().token == token && each.second.why == Hindrance::silence;
  });
  if (found != hindered_.end()) not_hindered(found->first);
}

bool Publisher::is_impossible(const OutgoingEvent& event, const TopicFeed& feed) {
  if (event.payload.size() > payload_bytes_max()) {
    world_.link.want_larger_payloads();
    world_.log.event_too_big(event.topic, event.payload.size(), payload_bytes_max(), system_clock().now());
    return true;
  }
  return event.after && event.after->epoch != feed.epoch();
}

bool Publisher::send(std::uint64_t number, OutgoingEvent& event) {
  TopicFeed* const feed = world_.feed_of(event.topic);
  const bool is_connected = is_connected_ && world_.link.connection_number() == connection_;
  if (!is_connected || feed == nullptr || !feed->may_publish()) {
    needs_retry_ = true;
    return false;
  }
  event.is_impossible = is_impossible(event, *feed);
  if (event.is_impossible) {
    needs_retry_ = true;
    return true;  // it is taken out
  }
  std::vector<Header> headers = {{.name = "Nats-Msg-Id", .value = instance_ + std::to_string(number)}};
  if (event.after)
    headers.push_back({.name = "Nats-Expected-Last-Sequence", .value = std::to_string(event.after->offset)});
  event.epoch = feed->epoch();
  if (event.first_epoch == 0) event.first_epoch = event.epoch;
  const std::string subject = subject_of(world_.options.name, feed->address().token, event.epoch);
  const std::string reply = joined({world_.link.inbox(), kAnswer, std::to_string(number), "-",
                                    std::to_string(event.epoch), "-", std::to_string(connection_)});
  if (!world_.link.publish(subject, reply, event.payload.view(), headers)) {
    needs_retry_ = true;
    return false;
  }
  if (event.sent_before) world_.counters.repeated.fetch_add(1, std::memory_order_relaxed);
  event.sent_before = true;
  event.sent = system_clock().now();
  if (!event.unanswered_since) event.unanswered_since = event.sent;
  return true;
}

void Publisher::tick(Instant now) {
  while (auto event = outgoing_.take_expired(now)) {
    suspect(*event);
    finish(*event, std::nullopt);
  }
  if (!needs_retry_ && now - scanned_ < kLookEvery) return;
  scanned_ = now;
  outgoing_.for_each_unanswered(now, kAnswerWait, [this, now](const OutgoingEvent& event) {
    const TopicFeed* const feed = world_.feed_of(event.topic);
    const auto since = feed == nullptr ? std::nullopt : silent_since(event, *feed);
    if (since && now - *since > kAnswerWait) note_hindered(event.topic, Hindrance::silence, kNoAnswer);
  });
  review_suspects(now);
  // Events that were sent with an epoch that has ended may be stored or not.
  const auto is_over = [this](const OutgoingEvent& event) {
    const TopicFeed* const feed = world_.feed_of(event.topic);
    if (feed == nullptr || event.is_impossible) return true;
    return feed->is_ready() && event.sent && event.epoch != feed->epoch();
  };
  while (auto event = outgoing_.take_first(is_over)) finish(*event, std::nullopt);
  probe(now);
  needs_retry_ = false;
  outgoing_.send_unsent(now, kSendAgainAfter,
                        [this](std::uint64_t number, OutgoingEvent& event) { return send(number, event); });
}

void Publisher::clear() {
  while (auto event = outgoing_.take_first([](const OutgoingEvent&) { return true; })) event.reset();
}

}  // namespace fanfare::relay
