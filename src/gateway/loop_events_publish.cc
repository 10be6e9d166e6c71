// Delivers the events of the network's source to the subscribers of one loop.

#include <utility>

#include "access/quota.h"
#include "base/guard.h"
#include "gateway/loop_events.h"

namespace fanfare::gateway {
namespace {

session::SessionId id_of(eth::ConnectionKey key) {
  return {.slot = static_cast<std::uint32_t>(key >> 32U), .generation = static_cast<std::uint32_t>(key)};
}

// Blocks with shorter intervals come as fast as they are published: it is a jump.
constexpr Duration kBurst = std::chrono::milliseconds(250);

}  // namespace

void LoopEvents::publish(Network::Events events, Instant told) {
  enqueue(PublishedEvents{.events = std::move(events), .at = told});
}

void LoopEvents::enqueue(std::variant<PublishedEvents, HistoryAnswer> next) {
  to_publish_.push_back(std::move(next));
  // If more than one waits, the next turn is already scheduled.
  if (to_publish_.size() == 1) publish_next();
}

void LoopEvents::publish_next() {
  for (std::size_t i = 0; i < limits_.events_per_turn_max && !to_publish_.empty(); ++i) {
    if (is_publishing_) {
      bool over = false;
      if (!run_guarded("an event", [&] { over = continue_event(); })) {
        lose_event();
      } else if (!over) {
        break;
      }
      continue;
    }
    if (!std::exchange(pause_is_over_, false) && should_pause()) return pause();
    if (!run_guarded("an event", [this] { publish_one(); })) lose_event();
    last_published_ = context_.server.loop().now();
    if (is_publishing_) break;
  }
  if (behind_ == 0) pauses_ = 0;
  if (!to_publish_.empty()) context_.server.loop().post([this] { publish_next(); });
  count_changes();
}

void LoopEvents::count_changes() {
  const eth::SubscriptionManager::Counters& now = subscriptions_.counters();
  metrics().resumes[ResumeOutcome::complete].add(now.resumed - counted_.resumed);
  metrics().resumes[ResumeOutcome::notice].add(now.resumed_with_notice - counted_.resumed_with_notice);
  metrics().replayed.add(now.replayed - counted_.replayed);
  metrics().slow_drops[SlowPolicy::latest].add(now.heads_dropped - counted_.heads_dropped);
  for (std::size_t i = 0; i < eth::kSubscriptionTypes; ++i) {
    const auto type = static_cast<eth::SubscriptionType>(i);
    metrics().notifications[type].add(now.results[i] - counted_.results[i]);
    metrics().subscriptions_ended[type].add(now.ended_of[i] - counted_.ended_of[i]);
  }
  const bool have_ended = now.ended != counted_.ended;
  counted_ = now;
  if (have_ended) subscriptions_changed();
}

// A stream that looks unbroken must be unbroken: subscribers that may have missed the event must reconnect.
void LoopEvents::lose_event() {
  is_publishing_ = false;
  to_publish_.pop_front();
  published_of_first_ = 0;
  subscriptions_.lose_event("out of memory: an event was missed");
  settle();
}

// Readers that are behind get a short pause. A client that does not read has had its time after pauses_max of
// them.
void LoopEvents::pause() {
  paused_ = true;
  ++pauses_;
  pause_timer_ = context_.server.loop().call_after(limits_.pause, [this] {
    paused_ = false;
    pause_is_over_ = true;
    publish_next();
  });
}

void LoopEvents::publish_one() {
  if (auto* answer = std::get_if<HistoryAnswer>(&to_publish_.front())) {
    auto missing = subscriptions_.replay(answer->connection, answer->id, std::move(answer->batch));
    if (missing) ask_history(std::move(*missing));
    settle();
    to_publish_.pop_front();
    return;
  }
  subscriptions_.begin((*std::get<PublishedEvents>(to_publish_.front()).events)[published_of_first_]);
  shown_head_ = subscriptions_.head().value_or(0);
  is_publishing_ = true;
  match_time_ = {};
  continue_event();
}

bool LoopEvents::continue_event() {
  const std::uint64_t matched = subscriptions_.counters().blocks_matched;
  const Instant before = system_clock().now();
  const bool done = subscriptions_.step(limits_.filters_per_turn_max);
  match_time_ += system_clock().now() - before;
  if (subscriptions_.counters().blocks_matched > matched) metrics().match.observe(match_time_);
  settle();
  if (!done) return false;
  is_publishing_ = false;
  event_is_over();
  return true;
}

void LoopEvents::settle() {
  eth::SubscriptionManager::Aftermath aftermath = subscriptions_.take_aftermath();
  for (auto& missing : aftermath.missing) ask_history(std::move(missing));
  // The protocol has no notice for missed data, and a stream that looks unbroken must be unbroken. So it ends
  // with the reason, and the client fetches what it missed after it reconnects.
  for (const auto& closing : aftermath.closing) close_all(closing.connections, closing.why);
  for (const eth::ConnectionKey key : aftermath.ended) give_back(key);
}

// The client's quota counts live subscriptions: one that a notice has ended is none.
void LoopEvents::give_back(eth::ConnectionKey connection) {
  session::Session* const session = context_.server.sessions().find(id_of(connection));
  if (session == nullptr) return;
  const auto& payer = context_.subscriber_of(*session).connection_.caller().payer;
  if (payer != nullptr) payer->give_back_subscriptions(1);
}

void LoopEvents::event_is_over() {
  const PublishedEvents& told = std::get<PublishedEvents>(to_publish_.front());
  if (++published_of_first_ < told.events->size()) return;
  metrics().fan_out.observe(system_clock().now() - told.at);
  to_publish_.pop_front();
  published_of_first_ = 0;
}

bool LoopEvents::should_pause() const {
  if (behind_ == 0 || pauses_ >= limits_.pauses_max) return false;
  if (context_.server.loop().now() - last_published_ > kBurst) return false;
  // Pending transactions always come by the thousand: that is not a jump, and no reason for a pause.
  const auto* told = std::get_if<PublishedEvents>(&to_publish_.front());
  return told != nullptr && std::holds_alternative<eth::BlockAdded>((*told->events)[published_of_first_]);
}

void LoopEvents::caught_up(EventSubscriber& subscriber) {
  if (!std::exchange(subscriber.behind_, false) || --behind_ > 0 || !paused_) return;
  context_.server.loop().cancel(pause_timer_);
  paused_ = false;
  context_.server.loop().post([this] { publish_next(); });
}

void LoopEvents::close_all(const std::vector<eth::ConnectionKey>& connections, const std::string& why) {
  for (const eth::ConnectionKey key : connections) {
    session::Session* session = context_.server.sessions().find(id_of(key));
    if (session == nullptr || !session->is_open()) continue;
    context_.subscriber_of(*session).has_missed_ = true;
    session->start_closing(ws::close_code::try_again_later, why);
  }
}

}  // namespace fanfare::gateway
