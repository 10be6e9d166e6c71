// Delivers the events of the network's source to the subscribers of one loop.

#include <utility>

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
    if (logs_pass_) {
      bool over = false;
      if (!run_guarded("an event", [&] { over = continue_logs(); })) {
        lose_event();
      } else if (!over) {
        break;
      } else {
        for (const auto& [connection, id] : subscriptions_.take_ready()) activate(connection, id);
        event_is_over();
      }
      continue;
    }
    if (!std::exchange(pause_is_over_, false) && should_pause()) return pause();
    if (!run_guarded("an event", [this] { publish_one(); })) lose_event();
    last_published_ = context_.server.loop().now();
    if (logs_pass_) break;
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
  counted_ = now;
}

// A stream that looks unbroken must be unbroken: subscribers that may have missed the event must reconnect.
void LoopEvents::lose_event() {
  logs_pass_.reset();
  to_publish_.pop_front();
  published_of_first_ = 0;
  rewind();  // subscriptions with cursors get what they missed
  for (std::size_t i = 0; i < eth::kSubscriptionTypes; ++i) {
    const auto type = static_cast<eth::SubscriptionType>(i);
    const std::string words = "out of memory: an event was missed";
    if (type == eth::SubscriptionType::new_pending_transactions) {
      miss_pending(false, words);
    } else {
      close_subscribers(type, words);
    }
  }
  for (const auto& [connection, id] : std::exchange(activate_later_, {})) activate(connection, id);
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
    to_publish_.pop_front();
    return;
  }
  publish((*std::get<PublishedEvents>(to_publish_.front()).events)[published_of_first_]);
  if (logs_pass_ && !continue_logs()) return;
  for (const auto& [connection, id] : subscriptions_.take_ready()) activate(connection, id);
  event_is_over();
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

void LoopEvents::publish(const eth::SourceEvent& event) {
  const auto count = [this](SubscriptionKind kind, std::size_t taken) {
    metrics().notifications[kind].add(taken);
  };
  if (const auto* baseline = std::get_if<eth::Baseline>(&event)) {
    shown_head_ = baseline->header->number;
    rewind();
    subscriptions_.note_head(*baseline->header);
  } else if (const auto* added = std::get_if<eth::BlockAdded>(&event)) {
    publish_block(*added);
  } else if (const auto* late = std::get_if<eth::BlockLogsLate>(&event)) {
    if (subscriptions_.wants_late_logs(*late->header)) begin_logs(late->header, late->logs, false);
  } else if (const auto* removed = std::get_if<eth::BlockRemoved>(&event)) {
    // Logs that were never sent need not be retracted.
    const bool was_told = subscriptions_.may_have_told_logs(*removed->header);
    if (was_told && removed->logs) return begin_logs(removed->header, removed->logs, true);
    if (was_told) {
      for (auto& missing : subscriptions_.rewind_logs()) ask_history(std::move(missing));
    }
    subscriptions_.note_removed(*removed->header);
  } else if (const auto* hash = std::get_if<eth::PendingHash>(&event)) {
    count(SubscriptionKind::new_pending_transactions, subscriptions_.publish_pending_hash(hash->hash));
  } else if (const auto* body = std::get_if<eth::PendingBody>(&event)) {
    count(SubscriptionKind::new_pending_transactions,
          subscriptions_.publish_pending_body(body->transaction_json));
  } else if (const auto* unseen = std::get_if<eth::PendingMissed>(&event)) {
    miss_pending(unseen->bodies_only,
                 "pending transactions may have been missed: " + std::string(unseen->why));
  } else if (const auto* syncing = std::get_if<eth::SyncingChanged>(&event)) {
    count(SubscriptionKind::syncing, subscriptions_.publish_syncing(syncing->result_json));
  } else if (const auto* gap = std::get_if<eth::Gap>(&event)) {
    const std::string words =
        "blocks " + std::to_string(gap->first) + " to " + std::to_string(gap->last) + " were missed";
    close_subscribers(eth::SubscriptionType::new_heads, words);
    close_subscribers(eth::SubscriptionType::logs, words);
    close_subscribers(eth::SubscriptionType::transaction_receipts, words);
  } else if (const auto* missing = std::get_if<eth::LogsMissing>(&event)) {
    if (!subscriptions_.miss_logs(*missing->header)) return;
    const std::uint64_t number = missing->header->number;
    subscriptions_.publish_missed(eth::SubscriptionType::logs, number, number,
                                  eth::MissedBecause::unavailable);
    close_subscribers(eth::SubscriptionType::logs,
                      "the logs of block " + std::to_string(number) + " were missed");
  } else if (const auto* receipts = std::get_if<eth::ReceiptsKnown>(&event)) {
    if (const auto missed = subscriptions_.receipts_missed_before(*receipts->header)) miss_receipts(*missed);
    count(SubscriptionKind::transaction_receipts,
          subscriptions_.publish_receipts(*receipts->header, *receipts->receipts));
  } else if (const auto* lost = std::get_if<eth::ReceiptsMissing>(&event)) {
    const std::uint64_t number = lost->header->number;
    if (subscriptions_.miss_receipts(*lost->header)) miss_receipts({.first = number, .last = number});
  } else if (const auto* reorg = std::get_if<eth::Reorg>(&event); reorg != nullptr && reorg->beyond_window) {
    close_subscribers(eth::SubscriptionType::logs, "a reorg went deeper than the window");
    close_subscribers(eth::SubscriptionType::transaction_receipts, "a reorg went deeper than the window");
  }
}

void LoopEvents::miss_pending(bool bodies_only, const std::string& words) {
  const std::size_t ended = subscriptions_.end_pending(bodies_only, words);
  metrics().subscriptions_ended[SubscriptionKind::new_pending_transactions].add(ended);
  if (ended > 0) subscriptions_changed();
  close_all(bodies_only
                ? subscriptions_.connections_with_pending_bodies()
                : subscriptions_.connections_without_notices(eth::SubscriptionType::new_pending_transactions),
            words);
}

void LoopEvents::miss_receipts(const eth::SubscriptionManager::Range& blocks) {
  subscriptions_.publish_missed(eth::SubscriptionType::transaction_receipts, blocks.first, blocks.last,
                                eth::MissedBecause::unavailable);
  std::string words = "the receipts of block " + std::to_string(blocks.first);
  if (blocks.last > blocks.first) words.append(" to ").append(std::to_string(blocks.last));
  close_subscribers(eth::SubscriptionType::transaction_receipts, words + " were missed");
}

void LoopEvents::publish_block(const eth::BlockAdded& block) {
  const eth::Header& header = *block.header;
  shown_head_ = header.number;
  if (!subscriptions_.is_followed_by(header)) rewind();
  metrics().notifications[SubscriptionKind::new_heads].add(subscriptions_.publish_head(header));
  if (block.logs != nullptr) begin_logs(block.header, block.logs, false);
}

void LoopEvents::begin_logs(const eth::HeaderPtr& header, const eth::BlockLogsPtr& logs, bool removed) {
  logs_pass_.emplace(eth::SubscriptionManager::LogsPass{.header = header, .logs = logs, .removed = removed});
  match_time_ = {};
}

// False: the rest comes in the next turn. Between turns, sent data is written and calls are answered.
bool LoopEvents::continue_logs() {
  const Instant before = system_clock().now();
  const bool done = subscriptions_.publish_some_logs(*logs_pass_, limits_.filters_per_turn_max);
  match_time_ += system_clock().now() - before;
  if (done) end_logs();
  return done;
}

void LoopEvents::end_logs() {
  const eth::SubscriptionManager::LogsPass pass = *std::exchange(logs_pass_, std::nullopt);
  metrics().notifications[SubscriptionKind::logs].add(pass.taken);
  if (pass.removed) {
    subscriptions_.note_removed(*pass.header);
  } else {
    if (subscriptions_.subscriptions(eth::SubscriptionType::logs) > 0) metrics().match.observe(match_time_);
    subscriptions_.note_told(*pass.header);
  }
  for (const auto& [connection, id] : std::exchange(activate_later_, {})) activate(connection, id);
}

// The protocol has no notice for missed data, and a stream that looks unbroken must be unbroken. So the
// stream ends with the reason, and the client fetches what it missed after it reconnects. Subscriptions with
// cursors get our notice, or the missing data.
void LoopEvents::close_subscribers(eth::SubscriptionType type, const std::string& what_was_missed) {
  close_all(subscriptions_.connections_without_notices(type), what_was_missed);
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
