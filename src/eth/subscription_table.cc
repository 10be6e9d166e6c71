#include "eth/subscription_table.h"

#include <algorithm>
#include <utility>

namespace fanfare::eth {
namespace {

std::unexpected<RpcError> over_limit(std::string message) {
  return std::unexpected(RpcError{.code = RpcError::kLimitExceeded, .message = std::move(message)});
}

}  // namespace

SubscriptionTable::SubscriptionTable(SubscriptionManagerOptions options, pubsub::TopicTable& topics,
                                     GroupObserver& observer)
    : options_(std::move(options)), topics_(topics), observer_(observer) {}

SubscriptionTable::~SubscriptionTable() {
  // The topics may outlive the network: they must not keep pointers to subscribers that can no longer be
  // dropped.
  for (auto& [key, connection] : connections_) {
    for (const Subscription& subscription : connection.subscriptions)
      topics_.unsubscribe(subscription.ticket);
  }
  if (options_.budget == nullptr) return;
  for (const Group& group : groups_) options_.budget->give_back(group.alternatives);
}

std::expected<SubscriptionTable::Subscription*, RpcError> SubscriptionTable::add(
    ConnectionKey connection_key, pubsub::Subscriber& subscriber, SubscriptionRequest wanted, IdScope ids) {
  if (auto admitted = admit(connection_key, wanted); !admitted)
    return std::unexpected(std::move(admitted.error()));
  const GroupIndex group_index = group_for(wanted);
  Group& group = groups_[group_index];
  Connection& connection = connections_[connection_key];
  connection.subscriber = &subscriber;

  const std::uint32_t id = ids == IdScope::own ? own_id(group_index) : shared_id(group_index, connection);
  ++group.ids[id].holders;
  ++group.holders;
  connection.alternatives += group.alternatives;
  Subscription& added = connection.subscriptions.emplace_back();
  added.group = group_index;
  added.id = id;
  ++total_;
  ++by_type_[static_cast<std::size_t>(group.type)];
  return &added;
}

std::expected<void, RpcError> SubscriptionTable::admit(ConnectionKey connection,
                                                       const SubscriptionRequest& wanted) const {
  const auto found = connections_.find(connection);
  const std::size_t held = found == connections_.end() ? 0 : found->second.subscriptions.size();
  if (held >= options_.subscriptions_per_connection_max) {
    return over_limit("too many subscriptions: at most " +
                      std::to_string(options_.subscriptions_per_connection_max) + " per connection");
  }
  const std::size_t before = found == connections_.end() ? 0 : found->second.alternatives;
  if (before + wanted.alternatives > options_.alternatives_per_connection_max) {
    return over_limit("the filters of this connection have too many addresses and topics: at most " +
                      std::to_string(options_.alternatives_per_connection_max));
  }
  // A topic that already has a subscriber on this loop costs nothing more.
  if (options_.budget == nullptr || by_topic_.contains(wanted.topic) ||
      options_.budget->take(wanted.alternatives)) {
    return {};
  }
  return over_limit("the filters of all connections have too many addresses and topics");
}

GroupIndex SubscriptionTable::group_for(SubscriptionRequest& wanted) {
  const auto found = by_topic_.find(wanted.topic);
  if (found != by_topic_.end()) return found->second;
  GroupIndex index = 0;
  if (free_groups_.empty()) {
    index = static_cast<GroupIndex>(groups_.size());
    groups_.emplace_back();
  } else {
    index = free_groups_.back();
    free_groups_.pop_back();
  }
  Group& group = groups_[index];
  group.type = wanted.type;
  group.alternatives = wanted.alternatives;
  group.has_cursors = wanted.has_cursors;
  group.ends_with_notice = wanted.ends_with_notice;
  group.is_tracked = wanted.is_tracked;
  group.topic = std::move(wanted.topic);
  by_topic_.emplace(group.topic, index);
  observer_.on_group_added(index, wanted);
  return index;
}

// The lowest ordinal this connection does not hold: the first subscription of every connection has the same
// id. One pass over its subscriptions: a client may add hundreds of one topic at once.
std::uint32_t SubscriptionTable::shared_id(GroupIndex group_index, const Connection& connection) {
  Group& group = groups_[group_index];
  std::vector<bool> holds(group.shared.size());
  for (const Subscription& one : connection.subscriptions) {
    if (one.group != group_index) continue;
    if (const GroupId& its_id = group.ids[one.id]; !its_id.is_own) holds[its_id.ordinal] = true;
  }
  const auto ordinal = static_cast<std::uint32_t>(std::ranges::find(holds, false) - holds.begin());
  if (ordinal == group.shared.size()) {
    group.shared.push_back(static_cast<std::uint32_t>(group.ids.size()));
    group.ids.push_back({.id = make_subscription_id(options_.salt, options_.network, group.topic, ordinal),
                         .ordinal = ordinal});
  }
  return group.shared[ordinal];
}

std::uint32_t SubscriptionTable::own_id(GroupIndex group_index) {
  Group& group = groups_[group_index];
  if (group.free_own.empty()) {
    group.free_own.push_back(static_cast<std::uint32_t>(group.ids.size()));
    group.ids.emplace_back();
  }
  const std::uint32_t id = group.free_own.back();
  group.free_own.pop_back();
  // No topic's name has this prefix.
  const std::string name = "own:" + std::to_string(options_.loop) + ":" + std::to_string(++own_ids_);
  group.ids[id] = {.id = make_subscription_id(options_.salt, options_.network, name, 0), .is_own = true};
  return id;
}

void SubscriptionTable::go_live(const Connection& connection, Subscription& subscription) {
  pubsub::Subscriber* subscriber = connection.subscriber;
  if (subscription.tracked != nullptr) subscriber = subscription.tracked.get();
  if (subscription.latest != nullptr) subscriber = subscription.latest.get();
  subscription.ticket = topics_.subscribe(id_of(subscription), *subscriber);
}

void SubscriptionTable::suspend(Subscription& subscription) {
  topics_.unsubscribe(std::exchange(subscription.ticket, {}));
}

bool SubscriptionTable::remove(ConnectionKey connection_key, const SubscriptionId& id) {
  Subscription* const subscription = find(connection_key, id);
  if (subscription == nullptr) return false;
  const auto connection = connections_.find(connection_key);
  connection->second.alternatives -= groups_[subscription->group].alternatives;
  release(*subscription);
  auto& all = connection->second.subscriptions;
  all.erase(all.begin() + (subscription - all.data()));
  if (all.empty()) connections_.erase(connection);
  return true;
}

std::size_t SubscriptionTable::drop(ConnectionKey connection_key) {
  const auto found = connections_.find(connection_key);
  if (found == connections_.end()) return 0;
  const std::size_t count = found->second.subscriptions.size();
  for (Subscription& subscription : found->second.subscriptions) release(subscription);
  connections_.erase(found);
  return count;
}

void SubscriptionTable::release(Subscription& subscription) {
  topics_.unsubscribe(subscription.ticket);
  subscription.latest.reset();  // its log may go with the group
  Group& group = groups_[subscription.group];
  GroupId& its_id = group.ids[subscription.id];
  --its_id.holders;
  if (its_id.is_own) group.free_own.push_back(subscription.id);
  --total_;
  --by_type_[static_cast<std::size_t>(group.type)];
  if (--group.holders > 0) return;
  by_topic_.erase(group.topic);
  observer_.on_group_removed(subscription.group);
  if (options_.budget != nullptr) options_.budget->give_back(group.alternatives);
  const std::uint32_t generation = group.generation + 1;
  group = Group{};
  group.generation = generation;
  free_groups_.push_back(subscription.group);
}

SubscriptionTable::Connection* SubscriptionTable::find(ConnectionKey connection) {
  const auto found = connections_.find(connection);
  return found == connections_.end() ? nullptr : &found->second;
}

SubscriptionTable::Subscription* SubscriptionTable::find(ConnectionKey connection_key,
                                                         const SubscriptionId& id) {
  Connection* const connection = find(connection_key);
  if (connection == nullptr) return nullptr;
  const auto found = std::ranges::find_if(connection->subscriptions,
                                          [&](const Subscription& one) { return id_of(one) == id; });
  return found == connection->subscriptions.end() ? nullptr : &*found;
}

std::optional<SubscriptionType> SubscriptionTable::type_of(ConnectionKey connection,
                                                           std::string_view id_text) {
  const auto id = parse_subscription_id(id_text);
  const Subscription* const found = id ? find(connection, *id) : nullptr;
  return found == nullptr ? std::nullopt : std::optional(group_of(*found).type);
}

pubsub::EventLog& SubscriptionTable::log_of(const Subscription& subscription) {
  GroupId& id = groups_[subscription.group].ids[subscription.id];
  if (id.log == nullptr) id.log = std::make_unique<pubsub::EventLog>();
  return *id.log;
}

std::vector<std::string> SubscriptionTable::topics_of(ConnectionKey connection, std::size_t most,
                                                      std::size_t bytes_max) const {
  std::vector<std::string> topics;
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return topics;
  for (const Subscription& subscription : found->second.subscriptions) {
    if (topics.size() == most) break;
    topics.push_back(group(subscription.group).topic.substr(0, bytes_max));
  }
  return topics;
}

std::size_t SubscriptionTable::size_of(ConnectionKey connection) const {
  const auto found = connections_.find(connection);
  return found == connections_.end() ? 0 : found->second.subscriptions.size();
}

}  // namespace fanfare::eth
