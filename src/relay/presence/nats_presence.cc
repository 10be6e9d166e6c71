#include "relay/presence/nats_presence.h"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/guard.h"
#include "base/log.h"
#include "base/text.h"

namespace fanfare::relay {

NatsPresence::NatsPresence(NatsOptions options, std::function<void()> on_stall)
    : options_(std::move(options)) {
  feeds_world_.on_stall = std::move(on_stall);
  feeds_world_.heartbeat = saturating_duration(options_.heartbeat);
  broker_.on_stored = [this](const std::string& topic, std::uint64_t sequence) {
    const auto found = watched_.find(topic);
    if (found != watched_.end()) found->second.feed->stored(sequence, system_clock().now());
  };
}

void NatsPresence::start() {
  const std::scoped_lock lock(mutex_);
  may_run_ = true;
  if (!tasks_.empty() && !thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void NatsPresence::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    may_run_ = false;
  }
  has_tasks_.notify_one();
  has_room_.notify_all();
  // The thread may wait for an answer of a broker that hangs.
  link_.cut();
  if (!thread_.joinable()) return;
  thread_.join();
  watched_.clear();  // their subscriptions end before the connection
  alive_.reset();
  link_.close();
}

void NatsPresence::watch(std::string_view topic, std::uint64_t id, pubsub::RelayedPresenceSetup setup) {
  put(Watch{.topic = std::string(topic), .id = id, .setup = std::move(setup)});
}

void NatsPresence::change(std::string_view topic, std::uint64_t id, PresenceChange change) {
  put(Change{.topic = std::string(topic), .id = id, .change = std::move(change)});
}

void NatsPresence::unwatch(std::string_view topic, std::uint64_t id) {
  put(Unwatch{.topic = std::string(topic), .id = id});
}

// The library's threads wait here when this one is behind; nobody else does.
void NatsPresence::put(Task task) {
  {
    std::unique_lock lock(mutex_);
    if (std::holds_alternative<Incoming>(task)) {
      has_room_.wait(lock, [this] { return stopping_ || tasks_.size() < kQueueMessagesMax; });
    }
    if (stopping_) return;
    tasks_.push_back(std::move(task));
    if (may_run_ && !thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  has_tasks_.notify_one();
}

std::deque<NatsPresence::Task> NatsPresence::wait_for_tasks(Instant due) {
  std::unique_lock lock(mutex_);
  has_tasks_.wait_until(lock, due, [this] { return stopping_ || !tasks_.empty(); });
  std::deque<Task> taken = std::exchange(tasks_, {});
  lock.unlock();
  has_room_.notify_all();
  return taken;
}

void NatsPresence::run() {
  pthread_setname_np(pthread_self(), "presence");
  const auto opened = link_.open(
      options_, {.on_message = [this](Incoming message) { put(std::move(message)); },
                 .on_connection = [this](bool is_up) { put(Connection{is_up}); },
                 .on_problem = [](const LinkProblem&) {},  // the relay says the same of its own link
                 .on_closed = [this] { put(Closed{}); }});
  if (!opened) {
    log::error("presence_not_started", {{"reason", opened.error()}});
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    return tasks_.clear();
  }
  Instant due{};
  for (;;) {
    std::deque<Task> tasks = wait_for_tasks(due);
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) return;
    }
    for (Task& task : tasks)
      run_guarded("a task of presence", [&] { std::visit([this](auto& one) { handle(one); }, task); });
    due = saturating_add(system_clock().now(), Peers::kInterval);
    run_guarded("presence", [&] { due = advance(); });
  }
}

NatsPresence::Watched* NatsPresence::find(const std::string& topic, std::uint64_t id) {
  const auto found = watched_.find(topic);
  return found == watched_.end() || found->second.id != id ? nullptr : &found->second;
}

void NatsPresence::handle(Watch& task) {
  if (!token_of(task.topic)) return;  // the relay has said so
  Watched& one = watched_[task.topic];
  if (one.presence != nullptr && one.id >= task.id) return;
  one = Watched{.id = task.id, .presence = {}, .feed = {}, .is_removed = false};
  const Teller::World world{.broker = broker_, .peers = peers_, .random = random_, .clock = system_clock()};
  one.presence = std::make_unique<TopicPresence>(world, task.topic, instance_, std::move(task.setup));
  one.feed = std::make_unique<RecordFeed>(feeds_world_, task.topic, *one.presence);
}

void NatsPresence::handle(Change& task) {
  Watched* const one = find(task.topic, task.id);
  if (one == nullptr || one->is_removed) return;
  one->presence->wish(task.change);
  one->feed->start();
}

void NatsPresence::handle(Unwatch& task) {
  Watched* const one = find(task.topic, task.id);
  if (one == nullptr) return;
  one->is_removed = true;
  const NameSet wished = one->presence->table().wished();
  one->presence->wish({.joined = {}, .left = {wished.begin(), wished.end()}});
}

void NatsPresence::handle(Connection& task) {
  is_connected_ = task.is_up;
  if (is_connected_) connects_.connected();
  if (is_connected_) peers_.reconnected(system_clock().now());
  for (auto& [topic, one] : watched_) {
    if (one.feed->is_started()) one.feed->restart();
  }
  if (is_connected_ && alive_ == nullptr) alive_ = link_.subscribe_to(broker_.alive());
}

// The subscriptions have ended with the connection.
void NatsPresence::handle(Closed& /*task*/) {
  alive_.reset();
  connects_.failed(system_clock().now());
}

void NatsPresence::handle(Incoming& message) {
  const Instant now = system_clock().now();
  if (message.subject == broker_.alive()) return handle_alive(as_text(message.payload.view()));
  const auto delivery = message.to.empty() ? delivery_of(message.reply) : std::nullopt;
  for (auto& [topic, one] : watched_) {
    if (delivery && one.feed->consumer() == delivery->consumer)
      return one.feed->on_message(message, *delivery, now);
    if (!delivery && !message.to.empty() && one.feed->deliver_to() == message.to)
      return one.feed->on_sign_of_life(message, now);
  }
}

void NatsPresence::handle_alive(std::string_view text) {
  std::uint64_t instance = 0;
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [space, error] = std::from_chars(text.data(), end, instance);
  if (error != std::errc() || space == end) return;
  std::from_chars(space + 1, end, number);
  if (!peers_.heard(instance, number, system_clock().now())) return;
  for (auto& [topic, one] : watched_) one.presence->wake();
}

void NatsPresence::say_alive(Instant now) {
  if (now < peers_.due()) return;
  const std::string text = joined({std::to_string(instance_), " ", std::to_string(peers_.sent(now))});
  link_.publish(broker_.alive(), {}, as_bytes(text), {});
}

// While nobody answers, other tasks come first: what others say must not look like silence.
Instant NatsPresence::advance() {
  if (!is_connected_) {
    const Instant now = system_clock().now();
    if (connects_.take(now) && !link_.connect()) connects_.failed(now);
    return std::min(connects_.at(), saturating_add(now, std::chrono::hours(1)));
  }
  static_cast<void>(link_.look(system_clock().now()));  // the relay says the same of its own link
  for (auto& [topic, one] : watched_) {
    const Instant now = system_clock().now();
    say_alive(now);
    if (one.feed->is_started() && !advance(one, now)) break;
  }
  close_what_is_over();
  const Instant now = system_clock().now();
  say_alive(now);
  Instant due = peers_.due();
  for (const auto& [topic, one] : watched_) {
    if (one.feed->is_started()) due = std::min({due, one.feed->due(), one.presence->due()});
  }
  // Not again at once after a failure.
  return std::max(due, saturating_add(now, std::chrono::milliseconds(5)));
}

bool NatsPresence::advance(Watched& one, Instant now) {
  if (!one.feed->tick(now)) return false;
  if (now < one.presence->due()) return true;
  switch (one.presence->advance()) {
    case Progress::good:
      return true;
    case Progress::no_answer:
      return false;
    case Progress::reload:
      one.feed->reload();
      return true;
  }
  return true;
}

void NatsPresence::close_what_is_over() {
  for (auto each = watched_.begin(); each != watched_.end();) {
    Watched& one = each->second;
    if (one.presence->may_close()) {
      one.feed->stop();
      one.presence->close();
    }
    const bool is_over = one.is_removed && !one.feed->is_started();
    each = is_over ? watched_.erase(each) : std::next(each);
  }
}

}  // namespace fanfare::relay
