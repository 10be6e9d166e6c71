#include "relay/nats_relay.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "base/log.h"
#include "base/text.h"

namespace fanfare::relay {
namespace {

constexpr std::string_view kInfo = "a.info";
constexpr std::string_view kInfoSubject = "$JS.API.INFO";
constexpr std::string_view kStreamState = "a.state";
constexpr std::string_view kStreamInfoSubject = "$JS.API.STREAM.INFO.";
// The broker's err_code.
constexpr int kNotEnabledForAccount = 10039;
constexpr int kNotEnabled = 10076;

// Behind the last one comes the first one. Empty: there is none.
template <typename Map>
std::string key_after(const Map& map, std::string_view key) {
  if (map.empty()) return {};
  const auto next = map.upper_bound(key);
  return next == map.end() ? map.begin()->first : next->first;
}

}  // namespace

NatsRelay::NatsRelay(NatsOptions options)
    : options_(std::move(options)),
      publisher_({.link = link_,
                  .options = options_,
                  .counters = counters_,
                  .log = log_,
                  .feed_of = [this](std::string_view topic) { return feed_of(topic); }}),
      majority_(static_cast<std::uint32_t>(options_.replicas), saturating_duration(options_.heartbeat),
                [this](const std::string& stream) {
                  link_.publish(joined({kStreamInfoSubject, stream}), joined({link_.inbox(), kStreamState}),
                                {}, {});
                }) {}

NatsRelay::~NatsRelay() {
  if (thread_.joinable()) NatsRelay::stop();
}

void NatsRelay::start(pubsub::RelaySink& sink) {
  sink_ = &sink;
  world_ = std::make_unique<TopicFeed::World>(
      TopicFeed::World{.jet_stream = jet_stream_,
                       .link = link_,
                       .sink = sink,
                       .random = random_,
                       .counters = counters_,
                       .heartbeat = saturating_duration(options_.heartbeat)});
  const auto opened =
      link_.open(options_, {.on_message = [this](Incoming message) { put(std::move(message)); },
                            .on_connection = [this](bool is_up) { put(Connection{is_up}); },
                            .on_problem = [this](LinkProblem problem) { put(std::move(problem)); },
                            .on_closed = [this] { put(Closed{}); }});
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
  // The thread may wait for an answer of a broker that hangs.
  link_.cut();
  if (thread_.joinable()) thread_.join();
  by_stream_.clear();
  feeds_.clear();  // their subscriptions end before the connection
  epoch_notices_.stop();
  past_reads_.clear();
  link_.close();
  publisher_.clear();
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
  if (start_error_.empty() && publisher_.take_room(payload.size())) {
    OutgoingEvent event{.topic = std::string(topic),
                        .payload = payload,
                        .done = std::move(done),
                        .after = after,
                        .accepted = system_clock().now()};
    if (put(std::move(event))) return true;
    publisher_.leave_room(payload.size());
  }
  counters_.refused.fetch_add(1, std::memory_order_relaxed);
  return false;
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
  const bool is_busy = !counters_.is_up || publisher_.needs_retry() || past_reads_.size() > 0;
  std::unique_lock lock(mutex_);
  has_tasks_.wait_for(lock, is_busy ? kTick : kTickIdle, [this] { return stopping_ || !tasks_.empty(); });
  std::deque<Task> taken = std::exchange(tasks_, {});
  lock.unlock();
  has_room_.notify_all();
  return taken;
}

void NatsRelay::run() {
  Instant ticked = kLongAgo;
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
  stop_reading(*feed, task.topic);
  const auto delivered = delivered_.extract(task.topic);
  feed->start_reading(task.from, delivered.empty() ? std::nullopt : std::optional(delivered.mapped()));
  count_topics();
  tick();
}

void NatsRelay::handle(const Close& task) {
  const auto found = feeds_.find(task.topic);
  if (found == feeds_.end() || task.opening < found->second->opening()) return;
  stop_reading(*found->second, task.topic);
  publisher_.not_hindered(task.topic);
  if (!publisher_.has(task.topic)) {
    by_stream_.erase(found->second->address().stream());
    feeds_.erase(found);
  }
  count_topics();
}

void NatsRelay::stop_reading(TopicFeed& feed, const std::string& topic) {
  if (feed.is_read() && feed.delivered()) {
    if (delivered_.size() >= kDeliveredMax) delivered_.erase(delivered_.begin());
    delivered_.insert_or_assign(topic, *feed.delivered());
  }
  feed.stop_reading();
}

void NatsRelay::handle(ReadPast task) {
  past_reads_.add(std::move(task.topic), task.after, task.bytes_max, std::move(task.done),
                  system_clock().now());
}

void NatsRelay::handle(Connection task) {
  is_connected_ = task.is_up;
  publisher_.connection_changed(is_connected_);
  past_reads_.forget_asked();
  majority_.restart();
  for (const auto& [topic, feed] : feeds_) feed->restart();
  if (is_connected_) note_connected();
  tick();
}

void NatsRelay::note_connected() {
  connects_.connected();
  log_.connected();
  epoch_notices_.listen();  // before any topic asks for its epoch
  link_.publish(std::string(kInfoSubject), joined({link_.inbox(), kInfo}), {}, {});
}

// Whether there is a JetStream at all. A user need not be permitted to ask: then no answer comes.
void NatsRelay::handle_info(const Incoming& message) {
  const auto answer = acknowledgement_of(as_text(message.payload.view()));
  const bool is_off = answer && (answer->error == kNotEnabled || answer->error == kNotEnabledForAccount);
  if (is_off || message.status == kNoResponders) {
    handle(LinkProblem{.kind = LinkProblem::Kind::no_jet_stream,
                       .words = is_off ? answer->description : "no JetStream"});
  }
}

void NatsRelay::handle_stream_state(const Incoming& message) {
  majority_.answered(message.status != kNoResponders && says_it_stores(as_text(message.payload.view())));
  note_health();
}

void NatsRelay::handle(const LinkProblem& problem) {
  log_.problem(problem, system_clock().now());
}

void NatsRelay::handle(Closed /*task*/) {
  connects_.failed(system_clock().now());
}

void NatsRelay::handle(Refusal task) {
  refusal_ = std::move(task.reason);
  if (!refusal_.empty()) log_.refusal(refusal_, system_clock().now());
  note_health();
}

void NatsRelay::handle(OutgoingEvent event) {
  feed_for(event.topic);
  // One that waits for nothing else does not wait for the next tick.
  if (publisher_.add(std::move(event)) && is_connected_) tick();
}

void NatsRelay::handle(const Incoming& message) {
  if (message.to.empty()) return handle_delivery(message);
  if (message.to == kInfo) return handle_info(message);
  if (message.to == kStreamState) return handle_stream_state(message);
  if (message.to.starts_with(Publisher::kProbeAnswer)) return publisher_.probe_answered(message);
  if (message.to.starts_with(Publisher::kAnswer)) return publisher_.answered(message);
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
  if (!delivery) return handle_plain(message);
  const auto found = by_stream_.find(delivery->stream);
  if (found == by_stream_.end() || found->second->consumer() != delivery->consumer) return;
  counters_.received.fetch_add(1, std::memory_order_relaxed);
  TopicFeed& feed = *found->second;
  const bool could_publish = feed.may_publish();
  const auto delivered = feed.delivered();
  feed.on_message(message, *delivery, system_clock().now());
  if (publisher_.is_hindered() && feed.delivered() != delivered) publisher_.not_hindered(feed.topic());
  if (!could_publish && feed.may_publish() && publisher_.needs_retry()) tick();
}

void NatsRelay::handle_plain(const Incoming& message) {
  const auto notice = epoch_notices_.read(message.subject);
  if (!notice) return on_plain ? on_plain(message) : void();
  const auto found = by_stream_.find(stream_of(options_.name, notice->token));
  if (found != by_stream_.end()) found->second->hear_of(notice->epoch);
}

void NatsRelay::tick() {
  const Instant now = system_clock().now();
  tick_link(now);
  tick_topics(now);
  if (is_connected_)
    majority_.tick(now, [this](std::string_view stream) { return key_after(by_stream_, stream); });
  note_health();
  publisher_.tick(now);
  past_reads_.tick(now);
}

// The first connection, and another one when the library has given up or another one is better.
void NatsRelay::tick_link(Instant now) {
  if (const auto why = link_.look(now)) log_.connects_again(*why);
  if (connects_.take(now) && !link_.connect()) connects_.failed(now);
}

// After an attempt that failed, which may have taken seconds, other tasks come first.
void NatsRelay::tick_topics(Instant now) {
  if (!is_connected_) return;
  for (const auto& [topic, feed] : feeds_) {
    if (!feed->tick(now)) return;
  }
}

// Up: the broker stores and delivers every topic, and what was missed has been delivered. One that refuses events of a topic is only
// found to store them again by another event.
void NatsRelay::note_health() {
  bool is_up = is_connected_ && refusal_.empty() && !majority_.is_lost();
  for (const auto& [topic, feed] : feeds_)
    is_up = is_up && (counters_.is_up ? feed->is_ready() : feed->is_current());
  takes_while_down_.store(is_up, std::memory_order_relaxed);
  is_up = is_up && !publisher_.is_hindered();
  if (counters_.is_up.exchange(is_up) == is_up) return;
  if (is_up) {
    log::info("relay_up", {{"topics", feeds_.size()}});
    return sink_->on_back();
  }
  counters_.times_down.fetch_add(1, std::memory_order_relaxed);
  log::warn("relay_down", {{"connected", is_connected_}, {"majority_lost", majority_.is_lost()}});
  sink_->on_down();
}

}  // namespace fanfare::relay
