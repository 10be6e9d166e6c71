// The second half of the subscription manager: events, delivery and replay. The first half,
// subscription_manager.cc, is what connections call.

#include <algorithm>
#include <limits>
#include <utility>

#include "eth/subscription_manager.h"

namespace fanfare::eth {
namespace {

using Fits = FeedLoop::Fits;

// A batch has covered what the client may have had. Where something is unknown, the batch may have begun below its position.
void settle(const TrackedSubscriber& tracked, Replay& replay) {
  tracked.link().lower(tracked.slot(), replay.take_lowered());
  if (!replay.take_settled()) return;
  const bool covers_unknown = replay.removed_since() && !replay.has_batch();
  if (covers_unknown) {
    tracked.link().note(tracked.slot(), mark_of(to_cursor(replay.position())), ResumeRecord::Change::adds);
  }
  tracked.link().settle(tracked.slot(), replay.may_have(), covers_unknown);
}

// To be found before a delivery, which may end the subscription.
std::pair<ResumeLink*, ResumeRecord::Slot> place_of(const TrackedSubscriber* tracked) {
  if (tracked == nullptr) return {};
  return {&tracked->link(), tracked->slot()};
}

std::vector<ConnectionKey> connections_with(SubscriptionTable& table, const Fits& fits) {
  std::vector<ConnectionKey> found;
  for (const auto& [key, connection] : table.connections()) {
    const bool has = std::ranges::any_of(connection.subscriptions, [&](const auto& subscription) {
      return subscription.is_live() && fits(subscription.group);
    });
    if (has) found.push_back(key);
  }
  return found;
}

std::vector<SubscriptionId> ids_of(SubscriptionTable& table, ConnectionKey key) {
  std::vector<SubscriptionId> ids;
  const SubscriptionTable::Connection* const connection = table.find(key);
  if (connection == nullptr) return ids;
  for (const auto& one : connection->subscriptions) ids.push_back(table.id_of(one));
  return ids;
}

// Those that a notice can end.
std::vector<std::pair<ConnectionKey, SubscriptionId>> subscriptions_with_notices(SubscriptionTable& table,
                                                                                 const Fits& fits) {
  std::vector<std::pair<ConnectionKey, SubscriptionId>> found;
  for (const auto& [key, connection] : table.connections()) {
    for (const auto& one : connection.subscriptions) {
      if (one.is_live() && one.tracked == nullptr && fits(one.group)) {
        found.emplace_back(key, table.id_of(one));
      }
    }
  }
  return found;
}

}  // namespace

// --- events ----------------------------------------------------------------------------------------

void SubscriptionManager::publish(const SourceEvent& event) {
  begin(event);
  while (!step(std::numeric_limits<std::size_t>::max())) {
  }
}

void SubscriptionManager::begin(const SourceEvent& event) {
  bool is_first_head = false;
  std::visit(Visitor{[&](const Baseline& baseline) {
                       break_off();
                       is_first_head = !trail_.number();
                       last_head_ = baseline.header->number;
                       trail_.move_to(*baseline.header);
                     },
                     [&](const BlockAdded& block) {
                       if (!trail_.is_followed_by(*block.header)) break_off();
                       last_head_ = block.header->number;
                       trail_.move_to(*block.header);
                     },
                     [&](const BlockRemoved& block) { removed_ = block.header; },
                     Ignores<BlockLogsLate, LogsMissing, Reorg, Gap, PendingHash, PendingBody, PendingMissed,
                             ReceiptsKnown, ReceiptsMissing, FeedEvent>{}},
             event);
  is_publishing_ = true;
  for (const auto& feed : feeds_) feed->on_event(event);
  if (!is_first_head) return;
  for (const auto& feed : feeds_) feed->on_first_head();
}

bool SubscriptionManager::step(std::size_t work_max) {
  for (const auto& feed : feeds_) {
    if (!feed->step(work_max)) return false;
  }
  end_event();
  return true;
}

void SubscriptionManager::end_event() {
  is_publishing_ = false;
  if (const HeaderPtr gone = std::exchange(removed_, nullptr)) trail_.move_to_parent_of(*gone);
  for (const auto& feed : feeds_) feed->on_event_over();
  for (const auto& [connection, id] : std::exchange(activate_later_, {})) activate_held(connection, id);
}

void SubscriptionManager::lose_event(const std::string& why) {
  removed_.reset();
  break_off();
  for (const auto& feed : feeds_) feed->lose(why);
  end_event();
}

// The next event does not follow: subscriptions with cursors are no longer live, and miss the blocks between.
void SubscriptionManager::break_off() {
  if (!trail_.number()) return;
  for (const auto& feed : feeds_) feed->on_break();
}

SubscriptionManager::Aftermath SubscriptionManager::take_aftermath() {
  sessions_.take_closings(aftermath_.closing);
  return std::exchange(aftermath_, {});
}

// --- for the feeds ---------------------------------------------------------------------------------

std::size_t SubscriptionManager::publish(GroupIndex group, const Notification& text) {
  if (text.is_gap && table_.group(group).is_tracked) {
    close([group](GroupIndex one) { return one == group; }, std::string(text.json));
    return 0;
  }
  return notifier_.publish(table_.group(group), text);
}

void SubscriptionManager::replay(SubscriptionType type) {
  if (!feed(type).trail().number()) return;
  for (auto& [key, connection] : table_.connections()) {
    for (Subscription& one : connection.subscriptions) {
      const bool is_meant =
          table_.group(one.group).type == type && one.is_live() && table_.group_of(one).has_cursors;
      if (is_meant) aftermath_.missing.push_back(rewind(key, one));
    }
  }
}

void SubscriptionManager::close(const Fits& fits, std::string why) {
  Aftermath::Closing closing{.connections = connections_with(table_, fits), .why = std::move(why)};
  for (const ConnectionKey key : closing.connections) SessionSubscriptions::freeze(*table_.find(key));
  if (!closing.connections.empty()) aftermath_.closing.push_back(std::move(closing));
}

// A delivery may end a connection and, with it, others in this list: ids are collected first, then looked up
// again.
void SubscriptionManager::end(const Fits& fits, std::string_view why) {
  close([&](GroupIndex group) { return table_.group(group).is_tracked && fits(group); }, std::string(why));
  const std::string notice = ended_notice(why);
  for (const auto& [key, id] : subscriptions_with_notices(table_, fits)) {
    const Subscription* const one = table_.find(key, id);
    if (one == nullptr) continue;
    const auto type = static_cast<std::size_t>(table_.group(one->group).type);
    table_.find(key)->subscriber->deliver(notifier_.encode(id, {.member = "notice", .json = notice}));
    if (!table_.remove(key, id)) continue;
    aftermath_.ended.push_back(key);
    ++counters_.ended;
    ++counters_.ended_of[type];
  }
}

void SubscriptionManager::activate_held(ConnectionKey connection, const std::string& id) {
  if (auto missing = activate(connection, id)) aftermath_.missing.push_back(std::move(*missing));
}

// --- from a cursor ---------------------------------------------------------------------------------

std::optional<SubscriptionManager::Missing> SubscriptionManager::activate(ConnectionKey connection,
                                                                          std::string_view id_text) {
  const auto id = parse_subscription_id(id_text);
  const Subscription* const subscription = id ? table_.find(connection, *id) : nullptr;
  if (subscription == nullptr || subscription->is_live()) return std::nullopt;
  // In the middle of a block it would get only part of the block.
  if (is_publishing_) {
    activate_later_.emplace_back(connection, id_text);
    return std::nullopt;
  }
  return go_live_or_ask(connection, *id);
}

std::optional<SubscriptionManager::Missing> SubscriptionManager::go_live_or_ask(ConnectionKey connection_key,
                                                                                const SubscriptionId& id) {
  const Connection& connection = *table_.find(connection_key);
  Subscription& subscription = *table_.find(connection_key, id);
  if (sessions_.halt_if_uncertain(connection_key, subscription, last_head_)) return std::nullopt;
  if (subscription.replay != nullptr) return missing(connection_key, id, subscription);
  const Group& group = table_.group(subscription.group);
  Feed& its_feed = feed(group.type);
  if (!subscription.has_waited && its_feed.must_wait(connection_key, to_text(id))) {
    subscription.has_waited = true;
    return std::nullopt;
  }
  go_live(connection, subscription);
  const auto greeting = its_feed.greeting(group);
  if (!greeting) return std::nullopt;
  SessionSubscriptions::subscriber_of(connection, subscription)
      .deliver(notifier_.encode(id, subscription,
                                {.member = greeting->is_notice ? "notice" : "result",
                                 .json = greeting->json,
                                 .cursor = greeting->cursor}));
  return std::nullopt;
}

std::optional<SubscriptionManager::Missing> SubscriptionManager::replay(ConnectionKey connection,
                                                                        std::string_view id_text,
                                                                        HistoryBatchPtr batch) {
  const auto id = parse_subscription_id(id_text);
  Subscription* const subscription = id ? table_.find(connection, *id) : nullptr;
  // It may have been cancelled, or even subscribed again, while the answer was on its way.
  if (subscription == nullptr || subscription->replay == nullptr || subscription->is_halted ||
      subscription->replay->has_batch() || subscription->replay->position() != batch->from) {
    return std::nullopt;
  }
  subscription->replay->start(std::move(batch));
  return continue_replay(connection, *id);
}

std::vector<SubscriptionManager::Missing> SubscriptionManager::drained(ConnectionKey connection_key) {
  std::vector<Missing> all;
  const std::vector<SubscriptionId> ids = ids_of(table_, connection_key);
  for (const SubscriptionId& id : ids) send_latest(connection_key, id);
  for (const SubscriptionId& id : ids) {
    const Subscription* const one = table_.find(connection_key, id);
    if (one == nullptr || !one->can_continue()) continue;
    if (auto next = continue_replay(connection_key, id)) all.push_back(std::move(*next));
  }
  return all;
}

void SubscriptionManager::go_live(const Connection& connection, Subscription& subscription) {
  feed(table_.group_of(subscription).type).on_live();
  table_.go_live(connection, subscription);
}

// Sends the head kept for a slow reader that caught up, after a notice about the dropped ones.
void SubscriptionManager::send_latest(ConnectionKey connection_key, const SubscriptionId& id) {
  Subscription* const subscription = table_.find(connection_key, id);
  if (subscription == nullptr || subscription->latest == nullptr) return;
  const auto held = subscription->latest->take_held();
  if (!held) return;
  pubsub::Subscriber& connection = *table_.find(connection_key)->subscriber;
  if (held->heads_missed > 0) {
    counters_.heads_dropped += held->heads_missed;
    const std::string notice = missed_notice(held->first, held->last, MissedBecause::slow);
    connection.deliver(notifier_.encode(id, {.member = "notice", .json = notice}));
  }
  connection.deliver(held->frame);
}

SubscriptionManager::Missing SubscriptionManager::rewind(ConnectionKey connection,
                                                         Subscription& subscription) {
  const Trail& its_trail = feed(table_.group(subscription.group).type).trail();
  table_.suspend(subscription);
  subscription.replay = std::make_unique<Replay>(its_trail.position(Position::kAll));
  return missing(connection, table_.id_of(subscription), subscription);
}

SubscriptionManager::Missing SubscriptionManager::missing(ConnectionKey connection, const SubscriptionId& id,
                                                          const Subscription& subscription) const {
  HistoryNeeds needs = feed(table_.group(subscription.group).type).history_needs();
  needs.may_have = subscription.replay->may_have();
  needs.removed_since = subscription.replay->removed_since();
  return {.connection = connection,
          .id = to_text(id),
          .from = subscription.replay->position(),
          .needs = std::move(needs)};
}

// A delivery may end the connection and with it the subscription: look it up again each time.
std::optional<SubscriptionManager::Missing> SubscriptionManager::continue_replay(ConnectionKey connection_key,
                                                                                 const SubscriptionId& id) {
  for (;;) {
    const Connection* const connection = table_.find(connection_key);
    Subscription* const subscription = table_.find(connection_key, id);
    if (subscription == nullptr || subscription->replay == nullptr) return std::nullopt;
    Replay& replay = *subscription->replay;
    pubsub::Subscriber& subscriber = SessionSubscriptions::subscriber_of(*connection, *subscription);
    // The last batch is sent completely: published events follow it.
    const bool is_last = replay.is_last();
    if (!is_last && subscriber.is_congested()) return std::nullopt;
    const auto message = replay.next(feed(table_.group(subscription->group).type), subscription->group);
    const auto [link, slot] = place_of(subscription->tracked.get());
    if (link != nullptr) settle(*subscription->tracked, replay);
    if (!message) return missing(connection_key, id, *subscription);
    if (message->gap && subscription->tracked != nullptr) {
      sessions_.halt(connection_key, *subscription, *message->gap, message->after);
      return std::nullopt;
    }
    const std::string cursor = message->is_aside ? std::string() : to_cursor(message->after);
    if (is_last && !replay.has_batch()) {
      // The message knows more ancestors than a loop that has just started.
      if (trail_.hash() == message->after.hash) trail_ = Trail(message->after);
      for (const auto& one : feeds_) one->on_replayed(message->after);
      ++(replay.is_incomplete() ? counters_.resumed_with_notice : counters_.resumed);
      subscription->replay.reset();
      go_live(*connection, *subscription);
    }
    ++counters_.replayed;
    const bool is_taken =
        subscriber.deliver(notifier_.encode(id, *subscription,
                                            {.member = message->is_notice ? "notice" : "result",
                                             .json = message->json,
                                             .cursor = cursor,
                                             .retracts = message->retracts}));
    if (is_taken && link != nullptr) link->lower(slot, message->lowered);
  }
}

}  // namespace fanfare::eth
