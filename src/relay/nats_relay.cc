#include "relay/nats_relay.h"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/guard.h"
#include "base/log.h"
#include "base/text.h"

namespace fanfare::relay {
namespace {

constexpr std::string_view kAcknowledged = "a.";
constexpr std::size_t kHeaderBytesMax = 512;  // of a published event
constexpr int kNoResponders = 503;            // no stream has the subject, or its leader is away

Duration give_up_after(const NatsOptions& options) {
  return saturating_duration(options.publish_timeout);
}

}  // namespace

NatsRelay::NatsRelay(NatsOptions options)
    : options_(std::move(options)),
      in_flight_(options_.in_flight_messages_max, options_.in_flight_bytes_max),
      outgoing_(give_up_after(options_)) {
  instance_ = std::to_string(random_.next_u64()) + "-";
}

NatsRelay::~NatsRelay() {
  if (thread_.joinable()) stop();
}

void NatsRelay::start(pubsub::RelaySink& sink) {
  sink_ = &sink;
  world_ = std::make_unique<TopicFeed::World>(
      TopicFeed::World{.jet_stream = jet_stream_,
                       .link = link_,
                       .sink = sink,
                       .random = random_,
                       .heartbeat = saturating_duration(options_.heartbeat)});
  const auto opened =
      link_.open(options_, {.on_message = [this](Incoming message) { put(std::move(message)); },
                            .on_connection = [this](bool is_up) { put(Connection{is_up}); }});
  if (!opened) {
    start_error_ = opened.error();
    log::error("relay_not_started", {{"reason", start_error_}});
    return;
  }
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "relay");
}

void NatsRelay::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  has_tasks_.notify_one();
  has_room_.notify_all();
  if (thread_.joinable()) thread_.join();
  by_stream_.clear();
  feeds_.clear();  // their subscriptions end before the connection
  past_reads_.clear();
  link_.close();
  // Receipts of what was not answered: destroyed uncalled, which the hub notices.
  while (auto event = outgoing_.take_first([](const OutgoingEvent&) { return true; })) event.reset();
  const std::scoped_lock lock(mutex_);
  tasks_.clear();
}

void NatsRelay::open(std::string_view topic, const pubsub::RelayStart& from) {
  put(Open{.topic = std::string(topic), .from = from});
}

void NatsRelay::close(std::string_view topic, std::uint64_t opening) {
  put(Close{.topic = std::string(topic), .opening = opening});
}

void NatsRelay::read(std::string_view topic, Position after, std::size_t bytes_max, Read done) {
  put(ReadPast{.topic = std::string(topic), .after = after, .bytes_max = bytes_max, .done = std::move(done)});
}

bool NatsRelay::publish(std::string_view topic, const SharedBytes& payload, Done done,
                        std::optional<Position> after) {
  if (start_error_.empty() && in_flight_.take(payload.size()) == pubsub::PendingRoom::Taken::yes) {
    counters_.in_flight.fetch_add(1, std::memory_order_relaxed);
    OutgoingEvent event{.topic = std::string(topic),
                        .payload = payload,
                        .done = std::move(done),
                        .after = after,
                        .accepted = system_clock().now()};
    if (put(std::move(event))) return true;
    leave_room(payload.size());
  }
  counters_.refused.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void NatsRelay::leave_room(std::size_t bytes) {
  in_flight_.give_back(bytes);
  counters_.in_flight.fetch_sub(1, std::memory_order_relaxed);
}

// The library's thread of the inbox waits here when the relay's is behind; nobody else does.
bool NatsRelay::put(Task task) {
  {
    std::unique_lock lock(mutex_);
    if (std::holds_alternative<Incoming>(task)) {
      has_room_.wait(lock, [this] { return stopping_ || tasks_.size() < kQueueMessagesMax; });
    }
    if (stopping_) return false;
    tasks_.push_back(std::move(task));
  }
  has_tasks_.notify_one();
  return true;
}

std::deque<NatsRelay::Task> NatsRelay::wait_for_tasks() {
  const bool is_busy = !counters_.is_up || needs_retry_ || past_reads_.size() > 0;
  std::unique_lock lock(mutex_);
  has_tasks_.wait_for(lock, is_busy ? kTick : kTickIdle, [this] { return stopping_ || !tasks_.empty(); });
  std::deque<Task> taken = std::exchange(tasks_, {});
  lock.unlock();
  has_room_.notify_all();
  return taken;
}

void NatsRelay::run() {
  Instant ticked{};
  for (;;) {
    std::deque<Task> tasks = wait_for_tasks();
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) break;
    }
    for (Task& task : tasks) {
      run_guarded("a task of the relay",
                  [&] { std::visit([this](auto& one) { handle(std::move(one)); }, task); });
    }
    const Instant now = system_clock().now();
    if (now - ticked < kTick) continue;
    ticked = now;
    run_guarded("the relay", [this] { tick(); });
  }
}

TopicFeed* NatsRelay::feed_of(std::string_view topic) {
  const auto found = feeds_.find(topic);
  return found == feeds_.end() ? nullptr : found->second.get();
}

TopicFeed* NatsRelay::feed_for(const std::string& topic) {
  if (TopicFeed* const there = feed_of(topic)) return there;
  const auto token = token_of(topic);
  if (!token) {
    log::error("relay_topic_refused",
               {{"topic", log::excerpt(topic)},
                {"reason", "its name is too long: at most " + std::to_string(kTokenBytesMax) +
                               " bytes, where each one but A-Z a-z 0-9 - _ counts three times"}});
    return nullptr;
  }
  auto feed =
      std::make_unique<TopicFeed>(*world_, topic, StreamAddress{.name = options_.name, .token = *token});
  by_stream_.emplace(feed->address().stream(), feed.get());
  return feeds_.emplace(topic, std::move(feed)).first->second.get();
}

void NatsRelay::count_topics() {
  const auto read = std::ranges::count_if(feeds_, [](const auto& each) { return each.second->is_read(); });
  counters_.topics.store(static_cast<std::size_t>(read), std::memory_order_relaxed);
}

void NatsRelay::handle(const Open& task) {
  TopicFeed* const feed = feed_for(task.topic);
  if (feed == nullptr || (feed->is_read() && task.from.opening <= feed->opening())) return;
  feed->stop_reading();
  feed->start_reading(task.from);
  count_topics();
  tick();
}

void NatsRelay::handle(const Close& task) {
  const auto found = feeds_.find(task.topic);
  if (found == feeds_.end() || task.opening < found->second->opening()) return;
  found->second->stop_reading();
  if (!outgoing_.has(task.topic)) {
    by_stream_.erase(found->second->address().stream());
    feeds_.erase(found);
  }
  count_topics();
}

void NatsRelay::handle(ReadPast task) {
  past_reads_.add(std::move(task.topic), task.after, task.bytes_max, std::move(task.done),
                  system_clock().now());
}

void NatsRelay::handle(Connection task) {
  is_connected_ = task.is_up;
  outgoing_.forget_sent();
  past_reads_.forget_asked();
  needs_retry_ = true;
  for (const auto& [topic, feed] : feeds_) feed->restart();
  if (is_connected_) log::info("relay_connected", {{"servers", options_.servers.size()}});
  tick();
}

void NatsRelay::handle(OutgoingEvent event) {
  feed_for(event.topic);
  const bool may_send = outgoing_.may_send_at_once(event.topic);
  const std::uint64_t number = outgoing_.add(std::move(event));
  OutgoingEvent& added = *outgoing_.find(number);
  if (may_send && send(number, added)) return;
  if (may_send) outgoing_.disturb(added);
  needs_retry_ = true;
  // The first one of a topic does not wait for the next tick.
  if (is_connected_ && outgoing_.size() == 1) tick();
}

void NatsRelay::handle(const Incoming& message) {
  if (message.to.empty()) return handle_delivery(message);
  if (message.to.starts_with(kAcknowledged)) {
    std::uint64_t number = 0;
    std::from_chars(message.to.data() + kAcknowledged.size(), message.to.data() + message.to.size(), number);
    return handle_acknowledgement(message, number);
  }
  if (message.to.starts_with(DirectGet::kAnswer)) {
    return past_reads_.answered(std::string_view(message.to).substr(DirectGet::kAnswer.size()),
                                DirectGet::event_of(message), system_clock().now());
  }
  for (const auto& [topic, feed] : feeds_) {
    if (feed->deliver_to() == message.to) return feed->on_sign_of_life(message, system_clock().now());
  }
}

void NatsRelay::handle_delivery(const Incoming& message) {
  const auto delivery = delivery_of(message.reply);
  if (!delivery) return on_plain ? on_plain(message) : void();
  const auto found = by_stream_.find(delivery->stream);
  if (found == by_stream_.end() || found->second->consumer() != delivery->consumer) return;
  counters_.received.fetch_add(1, std::memory_order_relaxed);
  found->second->on_message(message, *delivery, system_clock().now());
}

void NatsRelay::handle_acknowledgement(const Incoming& message, std::uint64_t number) {
  if (message.status == kNoResponders) {
    // It was not stored: it waits until the topic has its stream again.
    auto* const event = outgoing_.find(number);
    if (event == nullptr) return;
    outgoing_.disturb(*event);
    needs_retry_ = true;
    TopicFeed* const feed = feed_of(event->topic);
    if (feed != nullptr && feed->epoch() == event->epoch) feed->restart();
    return;
  }
  const auto answer = acknowledgement_of(as_text(message.payload.view()));
  auto event = outgoing_.take(number);
  if (!answer || !event) return;
  if (outgoing_.prove(event->topic)) needs_retry_ = true;
  if (answer->sequence != 0) {
    counters_.published.fetch_add(1, std::memory_order_relaxed);
    return finish(*event, Position{.epoch = event->epoch, .offset = answer->sequence});
  }
  if (!event->after)
    log::warn("relay_event_refused", {{"topic", event->topic}, {"reason", answer->description}});
  finish(*event, std::nullopt);
}

void NatsRelay::finish(OutgoingEvent& event, std::optional<Position> position) {
  leave_room(event.payload.size());
  if (!position) counters_.given_up.fetch_add(1, std::memory_order_relaxed);
  event.done(position);
}

bool NatsRelay::send(std::uint64_t number, OutgoingEvent& event) {
  TopicFeed* const feed = feed_of(event.topic);
  if (!is_connected_ || feed == nullptr || !feed->is_ready()) {
    needs_retry_ = true;
    return false;
  }
  event.is_impossible = event.payload.size() + kHeaderBytesMax > link_.payload_bytes_max() ||
                        (event.after && event.after->epoch != feed->epoch());
  if (event.is_impossible) {
    needs_retry_ = true;
    return true;  // it is taken out
  }
  std::vector<Header> headers = {{.name = "Nats-Msg-Id", .value = instance_ + std::to_string(number)}};
  if (event.after)
    headers.push_back({.name = "Nats-Expected-Last-Sequence", .value = std::to_string(event.after->offset)});
  event.epoch = feed->epoch();
  const std::string subject = subject_of(options_.name, feed->address().token, event.epoch);
  const std::string reply = joined({link_.inbox(), kAcknowledged, std::to_string(number)});
  if (!link_.publish(subject, reply, event.payload.view(), headers)) {
    needs_retry_ = true;
    return false;
  }
  if (event.sent_before) counters_.repeated.fetch_add(1, std::memory_order_relaxed);
  event.sent_before = true;
  event.sent = system_clock().now();
  return true;
}

void NatsRelay::tick() {
  const Instant now = system_clock().now();
  tick_topics(now);
  note_health();
  tick_outgoing(now);
  past_reads_.tick(now);
}

// After an attempt that failed, which may have taken seconds, other tasks come first.
void NatsRelay::tick_topics(Instant now) {
  if (!is_connected_) return;
  for (const auto& [topic, feed] : feeds_) {
    if (!feed->tick(now)) return;
  }
}

void NatsRelay::tick_outgoing(Instant now) {
  while (auto event = outgoing_.take_expired(now)) finish(*event, std::nullopt);
  if (!needs_retry_ && now - scanned_ < kTickIdle) return;
  scanned_ = now;
  // Events that were sent with an epoch that has ended may be stored or not.
  const auto is_over = [this](const OutgoingEvent& event) {
    const TopicFeed* const feed = feed_of(event.topic);
    if (feed == nullptr || event.is_impossible) return true;
    return feed->is_ready() && event.sent && event.epoch != feed->epoch();
  };
  while (auto event = outgoing_.take_first(is_over)) finish(*event, std::nullopt);
  needs_retry_ = false;
  outgoing_.send_unsent(now, kSendAgainAfter,
                        [this](std::uint64_t number, OutgoingEvent& event) { return send(number, event); });
}

// Up: the broker delivers every topic, and what was missed has been delivered.
void NatsRelay::note_health() {
  bool is_up = is_connected_;
  for (const auto& [topic, feed] : feeds_)
    is_up = is_up && (counters_.is_up ? feed->is_ready() : feed->is_current());
  if (counters_.is_up.exchange(is_up) == is_up) return;
  if (is_up) {
    log::info("relay_up", {{"topics", feeds_.size()}});
    return sink_->on_back();
  }
  counters_.times_down.fetch_add(1, std::memory_order_relaxed);
  log::warn("relay_down", {{"connected", is_connected_}});
  sink_->on_down();
}

}  // namespace fanfare::relay
