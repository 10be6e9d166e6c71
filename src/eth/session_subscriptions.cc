#include "eth/session_subscriptions.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace fanfare::eth {
namespace {

constexpr int kSessionTaken = -32000;
constexpr int kSessionsFull = -32005;

std::string words_of(const Replay::Gap& gap) {
  return gap.is_reorg ? reorged_notice(gap.first, gap.last) : missed_notice(gap.first, gap.last, gap.because);
}

RpcError claim_error(ResumeRecord::Refusal refusal) {
  if (refusal == ResumeRecord::Refusal::not_owner) {
    return {.code = kSessionTaken, .message = "the session continues on another connection"};
  }
  return {.code = kSessionsFull,
          .message = "no memory is left for this client's sessions; subscribe on a connection without one"};
}

// Whoever fetches missed blocks also learns what was removed.
void widen(Replay::Gap& all, const Replay::Gap& gap) {
  if (all.is_reorg && !gap.is_reorg) all.because = gap.because;
  all.is_reorg = all.is_reorg && gap.is_reorg;
  all.first = std::min(all.first, gap.first);
  all.last = std::max(all.last, gap.last);
}

}  // namespace

// Whoever names options knows cursors and notices, or needs neither.
std::optional<TopicHash> SessionSubscriptions::remember(SubscriptionRequest& wanted) {
  const bool resumes = feed_type(wanted.type).cursor == CursorOption::resumes;
  if (!resumes || wanted.has_cursors || wanted.ends_with_notice || wanted.latest_if_slow) return std::nullopt;
  const TopicHash topic = hash_of_topic(wanted.topic);
  wanted.has_cursors = wanted.is_tracked = true;
  wanted.topic += "#session";
  return topic;
}

std::expected<void, RpcError> SessionSubscriptions::add(Subscription& subscription,
                                                        pubsub::Subscriber& connection, ResumeLink* session,
                                                        const std::optional<TopicHash>& topic,
                                                        bool retracts) {
  if (!topic) return {};
  auto claim = session->claim(*topic, table_.id_of(subscription));
  if (!claim) return std::unexpected(claim_error(claim.error()));
  subscription.tracked =
      std::make_unique<TrackedSubscriber>(connection, *session, claim->slot, step_, retracts);
  if (!claim->point) return {};
  std::optional<std::uint64_t> removed_since;
  if (claim->point->is_stale) removed_since = 0;
  subscription.may_hold_removed = claim->point->is_incomplete;
  subscription.replay =
      std::make_unique<Replay>(claim->point->from, std::move(claim->point->may_have), removed_since);
  return {};
}

bool SessionSubscriptions::continues(ConnectionKey connection, std::string_view id_text) {
  const auto id = parse_subscription_id(id_text);
  const Subscription* const found = id ? table_.find(connection, *id) : nullptr;
  return found != nullptr && found->tracked != nullptr && found->replay != nullptr;
}

bool SessionSubscriptions::remove(ConnectionKey connection, const SubscriptionId& id,
                                  const ResumeLink* session) {
  const Subscription* const found = table_.find(connection, id);
  if (found == nullptr) return session != nullptr && session->remembers(id);
  if (found->tracked != nullptr) found->tracked->link().forget(found->tracked->slot());
  return table_.remove(connection, id);
}

bool SessionSubscriptions::withdraw(ConnectionKey connection, std::string_view id_text) {
  const auto id = parse_subscription_id(id_text);
  const Subscription* const found = id ? table_.find(connection, *id) : nullptr;
  if (found == nullptr) return false;
  if (found->tracked != nullptr) found->tracked->link().give_back(found->tracked->slot());
  return table_.remove(connection, *id);
}

pubsub::Subscriber& SessionSubscriptions::subscriber_of(const Connection& connection,
                                                        const Subscription& subscription) {
  if (subscription.tracked != nullptr) return *subscription.tracked;
  return *connection.subscriber;
}

void SessionSubscriptions::freeze(const Connection& connection) {
  for (const Subscription& one : connection.subscriptions) {
    if (one.tracked != nullptr) one.tracked->link().freeze();
  }
}

void SessionSubscriptions::halt(ConnectionKey connection, Subscription& subscription, const Replay::Gap& gap,
                                const Position& after) {
  subscription.is_halted = true;
  ++counters_.resumed_with_notice;
  subscription.tracked->link().note_gap(subscription.tracked->slot(), mark_of(to_cursor(after)));
  const auto [found, is_first] = gaps_.try_emplace(connection, gap);
  if (!is_first) widen(found->second, gap);
}

bool SessionSubscriptions::halt_if_uncertain(ConnectionKey connection, Subscription& subscription,
                                             std::optional<std::uint64_t> head) {
  if (!subscription.may_hold_removed) return false;
  Position after = subscription.replay->position();
  std::uint64_t last = std::max(after.number, head.value_or(0));
  for (const Position& known : subscription.replay->may_have()) last = std::max(last, known.number);
  std::uint64_t first = after.number + 1;
  if (subscription.tracked->retracts()) {
    // The client may have more logs of this block than are known. All of them are sent again on the next connection.
    first = after.number;
    after.logs_told = 0;
  }
  halt(connection, subscription, {.first = first, .last = std::max(first, last), .is_reorg = true}, after);
  return true;
}

void SessionSubscriptions::take_closings(std::vector<SubscriptionAftermath::Closing>& closings) {
  std::erase_if(gaps_, [&](const auto& one) {
    const auto& [key, gap] = one;
    if (is_replaying(key)) return false;
    const Connection* const connection = table_.find(key);
    if (connection == nullptr) return true;
    freeze(*connection);
    closings.push_back({.connections = {key}, .why = words_of(gap)});
    return true;
  });
}

bool SessionSubscriptions::is_replaying(ConnectionKey key) {
  const Connection* const connection = table_.find(key);
  return connection != nullptr && std::ranges::any_of(connection->subscriptions, [](const Subscription& one) {
           return one.tracked != nullptr && one.replay != nullptr && !one.is_halted;
         });
}

}  // namespace fanfare::eth
