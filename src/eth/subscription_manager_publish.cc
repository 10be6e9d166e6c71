// The second half of the subscription manager: delivery. The first half, subscription_manager.cc, is
// ownership.

#include <algorithm>
#include <utility>

#include "eth/subscription_manager.h"

namespace fanfare::eth {
namespace {

// A filter without a match in so many blocks is sent the chain's position, so that its cursor stays fresh.
constexpr std::uint64_t kSilentBlocksMax = 64;

}  // namespace

// --- live ------------------------------------------------------------------------------------------

std::size_t SubscriptionManager::publish_head(std::string_view header_json) {
  return publish(kNewHeadsTopic, {.member = "result", .json = header_json, .cursor = {}});
}

std::size_t SubscriptionManager::publish_head(const Header& header) {
  last_head_ = header.number;
  trail_.move_to(header);
  if (!logs_trail_.number()) {
    logs_trail_ = trail_;
    logs_trail_.move_to_parent_of(header);
  }
  if (!receipts_trail_.number()) {
    receipts_trail_ = trail_;
    receipts_trail_.move_to_parent_of(header);
  }
  if (still_stands(header)) return 0;
  std::size_t taken = publish_head(header.json);
  if (has_topic(kNewHeadsCursorTopic)) {
    // Its logs come after it.
    const std::string cursor = to_cursor(trail_.position(0));
    taken += publish(kNewHeadsCursorTopic, {.member = "result", .json = header.json, .cursor = cursor});
  }
  return taken;
}

bool SubscriptionManager::still_stands(const Header& header) {
  if (!taken_back_.empty() && taken_back_.front() == header.hash) {
    taken_back_.pop_front();
    return true;
  }
  taken_back_.clear();
  return false;
}

void SubscriptionManager::note_head(const Header& header) {
  const bool was_nowhere = !trail_.number();
  last_head_ = header.number;
  trail_.move_to(header);
  logs_trail_ = trail_;
  receipts_trail_ = trail_;
  if (was_nowhere) publish_live_notices();
}

// For subscribers that came before any block was known.
void SubscriptionManager::publish_live_notices() {
  const std::string cursor = to_cursor(trail_.position(Position::kAll));
  const std::string notice = live_notice(*trail_.number());
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    if (!groups_[group].has_cursors) continue;
    publish_to_group(group, {.member = "notice", .json = notice, .cursor = cursor});
  }
}

void SubscriptionManager::note_told(const Header& header) {
  if (header.number % kSilentBlocksMax != 0 || !logs_trail_.number()) return;
  const std::string cursor = to_cursor(logs_trail_.position(Position::kAll));
  const std::string notice = live_notice(header.number);
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    if (!groups_[group].has_cursors || groups_[group].type != SubscriptionType::logs) continue;
    if (groups_[group].last_told + kSilentBlocksMax > header.number) continue;
    publish_to_group(group, {.member = "notice", .json = notice, .cursor = cursor});
  }
}

void SubscriptionManager::publish_missed(SubscriptionType type, std::uint64_t first, std::uint64_t last,
                                         MissedBecause because) {
  const std::string notice = missed_notice(first, last, because);
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    if (!groups_[group].has_cursors || groups_[group].type != type) continue;
    publish_to_group(group, {.member = "notice", .json = notice, .cursor = {}});
  }
}

void SubscriptionManager::note_removed(const Header& header) {
  taken_back_.push_front(header.hash);
  trail_.move_to_parent_of(header);
  if (receipts_trail_.number() >= header.number) receipts_trail_.move_to_parent_of(header);
  if (logs_trail_.number() >= header.number) logs_trail_.move_to_parent_of(header);
  for (WaitsForLogs& one : waiting_for_logs_) one.number = std::min(one.number, *trail_.number());
}

std::optional<SubscriptionManager::Range> SubscriptionManager::receipts_missed_before(
    const Header& header) const {
  const auto told = receipts_trail_.number();
  if (receipt_filters_.empty() || !told || header.number <= *told + 1) return std::nullopt;
  return Range{.first = *told + 1, .last = header.number - 1};
}

bool SubscriptionManager::miss_receipts(const Header& header) {
  if (receipt_filters_.empty() || receipts_trail_.number() >= header.number) return false;
  receipts_trail_.move_to(header);
  return true;
}

std::size_t SubscriptionManager::publish_receipts(const Header& header, const BlockReceipts& receipts) {
  if (receipt_filters_.empty() || receipts_trail_.number() >= header.number) return 0;
  receipts_trail_.move_to(header);
  const std::string cursor = to_cursor(receipts_trail_.position(Position::kAll));
  std::size_t taken = 0;
  for (const std::uint32_t group : receipt_filters_.match(receipts)) {
    // A delivery may have dropped the group.
    if (groups_[group].type != SubscriptionType::transaction_receipts) continue;
    groups_[group].last_told = header.number;
    const std::string json = matching_receipts(receipts, receipt_filters_.filter(group));
    taken += publish_to_group(group, {.member = "result",
                                      .json = json,
                                      .cursor = groups_[group].has_cursors ? cursor : std::string_view()});
  }
  if (header.number % kSilentBlocksMax != 0) return taken;
  const std::string notice = live_notice(header.number);
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    if (!groups_[group].has_cursors || groups_[group].type != SubscriptionType::transaction_receipts)
      continue;
    if (groups_[group].last_told + kSilentBlocksMax > header.number) continue;
    publish_to_group(group, {.member = "notice", .json = notice, .cursor = cursor});
  }
  return taken;
}

std::size_t SubscriptionManager::publish_pending_hash(std::string_view hash) {
  if (!has_topic(kPendingHashesTopic) && !has_topic(kPendingHashesNoticeTopic)) return 0;
  const std::string json = '"' + std::string(hash) + '"';
  const Text text{.member = "result", .json = json, .cursor = {}};
  return publish(kPendingHashesTopic, text) + publish(kPendingHashesNoticeTopic, text);
}

std::size_t SubscriptionManager::publish_pending_body(std::string_view transaction_json) {
  const Text text{.member = "result", .json = transaction_json, .cursor = {}};
  return publish(kPendingBodiesTopic, text) + publish(kPendingBodiesNoticeTopic, text);
}

// A delivery may end a connection and, with it, others in this list: ids are collected first, then looked up
// again.
std::size_t SubscriptionManager::end_pending(bool bodies_only, std::string_view why) {
  std::vector<std::pair<ConnectionKey, SubscriptionId>> ended;
  for (const auto& [key, connection] : connections_) {
    for (const Subscription& one : connection.subscriptions) {
      const Group& group = groups_[one.group];
      if (!group.ends_with_notice || one.ticket.generation == 0) continue;
      if (bodies_only && group.topic != kPendingBodiesNoticeTopic) continue;
      ended.emplace_back(key, id_of(one));
    }
  }
  const std::string notice = ended_notice(why);
  std::size_t told = 0;
  for (const auto& [key, id] : ended) {
    if (find(key, id) == nullptr) continue;
    connections_.at(key).subscriber->deliver(encode(id, {.member = "notice", .json = notice, .cursor = {}}));
    if (!remove(key, id)) continue;
    ++counters_.ended;
    ++told;
  }
  return told;
}

std::size_t SubscriptionManager::publish_syncing(std::string_view result_json) {
  if (!has_topic(kSyncingTopic) || syncing_state_ == result_json) return 0;
  syncing_state_ = result_json;
  return publish(kSyncingTopic, {.member = "result", .json = result_json, .cursor = {}});
}

std::size_t SubscriptionManager::publish(std::string_view topic, const Text& text) {
  const auto found = by_topic_.find(topic);
  return found == by_topic_.end() ? 0 : publish_to_group(found->second, text);
}

std::size_t SubscriptionManager::publish_to_group(std::uint32_t group_index, const Text& text) {
  // A delivery may drop connections, and the group with the last of them: look it up again each time.
  const Group& group = groups_[group_index];
  const std::uint32_t generation = group.generation;
  std::size_t taken = 0;
  for (std::size_t i = 0; group.generation == generation && i < group.ids.size(); ++i) {
    const SubscriptionId id = group.ids[i].id;
    if (group.ids[i].holders == 0 || topics_.subscribers(id) == 0) continue;
    taken += topics_.publish(id, encode(id, text));
  }
  counters_.delivered += taken;
  return taken;
}

SharedBytes SubscriptionManager::encode(const SubscriptionId& id, const Text& text) {
  scratch_.clear();
  scratch_.append(R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":")")
      .append(to_text(id))
      .append("\",\"")
      .append(text.member)
      .append("\":")
      .append(text.json);
  if (!text.cursor.empty()) scratch_.append(R"(,"cursor":")").append(text.cursor).append(1, '"');
  scratch_.append("}}");
  ++counters_.encoded;
  return framer_(scratch_);
}

// --- from a cursor ---------------------------------------------------------------------------------

std::optional<SubscriptionManager::Missing> SubscriptionManager::activate(ConnectionKey connection_key,
                                                                          std::string_view id_text) {
  const auto connection = connections_.find(connection_key);
  const auto id = parse_subscription_id(id_text);
  if (connection == connections_.end() || !id) return std::nullopt;
  const auto subscription = find(connection->second, *id);
  if (subscription == connection->second.subscriptions.end() || subscription->ticket.generation != 0) {
    return std::nullopt;
  }
  if (subscription->replay != nullptr) return missing(connection_key, *id, *subscription->replay);
  pubsub::Subscriber& subscriber = *connection->second.subscriber;
  const Group& group = groups_[subscription->group];
  if (group.type == SubscriptionType::logs && logs_are_behind() &&
      !std::exchange(subscription->has_waited, true)) {
    waiting_for_logs_.push_back(
        {.connection = connection_key, .id = std::string(id_text), .number = *trail_.number()});
    return std::nullopt;
  }
  subscription->ticket = go_live(connection->second, *subscription);
  if (group.type == SubscriptionType::syncing && !syncing_state_.empty()) {
    subscriber.deliver(encode(*id, {.member = "result", .json = syncing_state_, .cursor = {}}));
  } else if (group.has_cursors && trail_.number()) {
    const Position stands_at = position_for(group);
    const std::string notice = live_notice(stands_at.number);
    subscriber.deliver(encode(*id, {.member = "notice", .json = notice, .cursor = to_cursor(stands_at)}));
  }
  return std::nullopt;
}

std::optional<SubscriptionManager::Missing> SubscriptionManager::replay(ConnectionKey connection,
                                                                        std::string_view id_text,
                                                                        HistoryBatchPtr batch) {
  const auto id = parse_subscription_id(id_text);
  Subscription* const subscription = id ? find(connection, *id) : nullptr;
  // It may have been cancelled, or even subscribed again, while the answer was on its way.
  if (subscription == nullptr || subscription->replay == nullptr || subscription->replay->has_batch() ||
      subscription->replay->position() != batch->from) {
    return std::nullopt;
  }
  subscription->replay->start(std::move(batch));
  return continue_replay(connection, *id);
}

std::vector<SubscriptionManager::Missing> SubscriptionManager::drained(ConnectionKey connection_key) {
  std::vector<Missing> all;
  std::vector<SubscriptionId> waiting;
  std::vector<SubscriptionId> latest;
  const auto connection = connections_.find(connection_key);
  if (connection == connections_.end()) return all;
  for (const Subscription& one : connection->second.subscriptions) {
    const SubscriptionId& id = id_of(one);
    if (one.replay != nullptr && one.replay->has_batch()) waiting.push_back(id);
    if (one.latest != nullptr) latest.push_back(id);
  }
  for (const SubscriptionId& id : latest) send_latest(connection_key, id);
  for (const SubscriptionId& id : waiting) {
    if (auto next = continue_replay(connection_key, id)) all.push_back(std::move(*next));
  }
  return all;
}

pubsub::Ticket SubscriptionManager::go_live(const Connection& connection, const Subscription& subscription) {
  pubsub::Subscriber& direct = *connection.subscriber;
  // The subscription was not sent those heads.
  if (groups_[subscription.group].type == SubscriptionType::new_heads) taken_back_.clear();
  return topics_.subscribe(id_of(subscription),
                           subscription.latest != nullptr ? *subscription.latest : direct);
}

// Sends the head kept for a slow reader that caught up, after a notice about the dropped ones.
void SubscriptionManager::send_latest(ConnectionKey connection_key, const SubscriptionId& id) {
  Subscription* const subscription = find(connection_key, id);
  if (subscription == nullptr || subscription->latest == nullptr) return;
  const auto held = subscription->latest->take();
  if (!held) return;
  pubsub::Subscriber& connection = *connections_.find(connection_key)->second.subscriber;
  if (held->heads_missed > 0) {
    counters_.heads_dropped += held->heads_missed;
    const std::string notice = missed_notice(held->first, held->last, MissedBecause::slow);
    connection.deliver(encode(id, {.member = "notice", .json = notice, .cursor = {}}));
  }
  connection.deliver(held->frame);
}

bool SubscriptionManager::is_followed_by(const Header& header) const {
  if (!trail_.number()) return true;
  return *trail_.number() + 1 == header.number && trail_.hash() == header.parent_hash;
}

std::vector<SubscriptionManager::Missing> SubscriptionManager::rewind() {
  std::vector<Missing> all;
  if (!trail_.number()) return all;
  for (auto& [key, connection] : connections_) {
    for (Subscription& one : connection.subscriptions) {
      if (is_live_with_cursor(one)) all.push_back(rewind(key, one));
    }
  }
  taken_back_.clear();
  receipts_trail_.clear();  // subscriptions without cursors continue from the chain's position
  logs_trail_.clear();
  return all;
}

std::vector<SubscriptionManager::Missing> SubscriptionManager::rewind_logs() {
  std::vector<Missing> all;
  if (!trail_.number()) return all;
  for (auto& [key, connection] : connections_) {
    for (Subscription& one : connection.subscriptions) {
      const bool is_logs = groups_[one.group].type == SubscriptionType::logs;
      if (is_logs && is_live_with_cursor(one)) all.push_back(rewind(key, one));
    }
  }
  return all;
}

bool SubscriptionManager::is_live_with_cursor(const Subscription& subscription) const {
  return groups_[subscription.group].has_cursors && subscription.ticket.generation != 0;
}

SubscriptionManager::Missing SubscriptionManager::rewind(ConnectionKey connection,
                                                         Subscription& subscription) {
  const Group& group = groups_[subscription.group];
  topics_.unsubscribe(std::exchange(subscription.ticket, {}));
  subscription.replay = std::make_unique<Replay>(group.type, position_for(group));
  return missing(connection, id_of(subscription), *subscription.replay);
}

// The position of the live subscriptions in the group.
Position SubscriptionManager::position_for(const Group& group) const {
  const bool by_receipts = group.type == SubscriptionType::transaction_receipts && receipts_trail_.number();
  const bool by_logs = group.type == SubscriptionType::logs && logs_trail_.number();
  const Trail& its_trail = by_receipts ? receipts_trail_ : by_logs ? logs_trail_ : trail_;
  return its_trail.position(Position::kAll);
}

SubscriptionManager::Missing SubscriptionManager::missing(ConnectionKey connection, const SubscriptionId& id,
                                                          const Replay& replay) {
  return {.connection = connection, .id = to_text(id), .from = replay.position(), .needs = replay.needs()};
}

// A delivery may end the connection and with it the subscription: look it up again each time.
std::optional<SubscriptionManager::Missing> SubscriptionManager::continue_replay(ConnectionKey connection_key,
                                                                                 const SubscriptionId& id) {
  for (;;) {
    const auto connection = connections_.find(connection_key);
    Subscription* const subscription = find(connection_key, id);
    if (subscription == nullptr || subscription->replay == nullptr) return std::nullopt;
    Replay& replay = *subscription->replay;
    pubsub::Subscriber& subscriber = *connection->second.subscriber;
    // The last batch is sent completely: published events follow it.
    const bool is_last = replay.is_last();
    if (!is_last && subscriber.is_congested()) return std::nullopt;
    const auto message = replay.next(filters_of(*subscription));
    if (!message) return missing(connection_key, id, replay);
    if (is_last && !replay.has_batch()) {
      // The message knows more ancestors than a loop that has just started.
      if (trail_.hash() == message->after.hash) trail_ = Trail(message->after);
      if (receipts_trail_.hash() == message->after.hash) receipts_trail_ = Trail(message->after);
      if (logs_trail_.hash() == message->after.hash) logs_trail_ = Trail(message->after);
      ++(replay.is_incomplete() ? counters_.resumed_with_notice : counters_.resumed);
      subscription->replay.reset();
      subscription->ticket = go_live(connection->second, *subscription);
    }
    ++counters_.replayed;
    subscriber.deliver(encode(id, {.member = message->is_notice ? "notice" : "result",
                                   .json = message->json,
                                   .cursor = to_cursor(message->after)}));
  }
}

Replay::Filters SubscriptionManager::filters_of(const Subscription& subscription) const {
  static const LogFilter kNoLogs;
  static const ReceiptFilter kNoReceipts;
  const SubscriptionType type = groups_[subscription.group].type;
  return {.logs = type == SubscriptionType::logs ? filters_.filter(subscription.group) : kNoLogs,
          .receipts = type == SubscriptionType::transaction_receipts
                          ? receipt_filters_.filter(subscription.group)
                          : kNoReceipts};
}

}  // namespace fanfare::eth
