#include "eth/subscription_manager.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr int kInvalidParams = -32602;
constexpr int kServerError = -32000;
constexpr int kLimitExceeded = -32005;

std::unexpected<RpcError> error(int code, std::string message) {
  return std::unexpected(RpcError{.code = code, .message = std::move(message)});
}

}  // namespace

SubscriptionManager::SubscriptionManager(SubscriptionManagerOptions options, pubsub::TopicTable& topics,
                                         Framer framer)
    : options_(std::move(options)), topics_(topics), framer_(std::move(framer)) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const auto type = static_cast<SubscriptionType>(i);
    feeds_[i] = feed_type(type).make(*this, type);
  }
}

SubscriptionManager::~SubscriptionManager() {
  // The table may outlive the network: it must not keep pointers to subscribers that can no longer be
  // dropped.
  for (auto& [key, connection] : connections_) {
    for (const Subscription& subscription : connection.subscriptions)
      topics_.unsubscribe(subscription.ticket);
  }
  if (options_.budget == nullptr) return;
  for (const Group& group : groups_) options_.budget->give_back(group.alternatives);
}

std::expected<std::string, RpcError> SubscriptionManager::subscribe(ConnectionKey connection_key,
                                                                    pubsub::Subscriber& subscriber,
                                                                    std::string_view params_json,
                                                                    IdScope ids) {
  auto wanted = parse_subscription(params_json, options_.types);
  if (!wanted) {
    ++counters_.refused;
    return std::unexpected(std::move(wanted.error()));
  }
  if (auto admitted = admit(connection_key, *wanted); !admitted) {
    ++counters_.refused;
    return std::unexpected(std::move(admitted.error()));
  }
  const std::uint32_t group_index = group_for(*wanted);
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
  if (wanted->resume_from) added.replay = std::make_unique<Replay>(*wanted->resume_from);
  if (wanted->latest_if_slow) {
    added.latest = std::make_unique<LatestHead>(subscriber, log_of(group.ids[id]), last_head_);
  }
  ++total_;
  ++by_type_[static_cast<std::size_t>(group.type)];
  ++counters_.subscribed;
  return to_text(group.ids[id].id);
}

// The lowest ordinal this connection does not hold: the first subscription of every connection has the same
// id.
std::uint32_t SubscriptionManager::shared_id(std::uint32_t group_index, const Connection& connection) {
  Group& group = groups_[group_index];
  for (std::uint32_t ordinal = 0;; ++ordinal) {
    if (ordinal == group.shared.size()) {
      group.shared.push_back(static_cast<std::uint32_t>(group.ids.size()));
      group.ids.push_back(
          {.id = make_subscription_id(options_.salt, options_.network, group.topic, ordinal)});
    }
    const std::uint32_t id = group.shared[ordinal];
    const auto holds = [&](const Subscription& one) { return one.group == group_index && one.id == id; };
    if (std::ranges::none_of(connection.subscriptions, holds)) return id;
  }
}

std::uint32_t SubscriptionManager::own_id(std::uint32_t group_index) {
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

pubsub::EventLog& SubscriptionManager::log_of(GroupId& id) {
  if (id.log == nullptr) id.log = std::make_unique<pubsub::EventLog>();
  return *id.log;
}

std::expected<void, RpcError> SubscriptionManager::admit(ConnectionKey connection,
                                                         const SubscriptionRequest& wanted) const {
  const auto found = connections_.find(connection);
  const std::size_t held = found == connections_.end() ? 0 : found->second.subscriptions.size();
  if (held >= options_.subscriptions_per_connection_max) {
    return error(kLimitExceeded, "too many subscriptions: at most " +
                                     std::to_string(options_.subscriptions_per_connection_max) +
                                     " per connection");
  }
  const std::size_t alternatives = wanted.alternatives;
  const std::size_t before = found == connections_.end() ? 0 : found->second.alternatives;
  if (before + alternatives > options_.alternatives_per_connection_max) {
    return error(kLimitExceeded,
                 "the filters of this connection have too many addresses and topics: at most " +
                     std::to_string(options_.alternatives_per_connection_max));
  }
  // A topic that already has a subscriber on this loop costs nothing more.
  if (options_.budget == nullptr || has_topic(wanted.topic) || options_.budget->take(alternatives)) return {};
  return error(kLimitExceeded, "the filters of all connections have too many addresses and topics");
}

std::uint32_t SubscriptionManager::group_for(SubscriptionRequest& wanted) {
  const auto found = by_topic_.find(wanted.topic);
  if (found != by_topic_.end()) return found->second;
  std::uint32_t index = 0;
  if (free_groups_.empty()) {
    index = static_cast<std::uint32_t>(groups_.size());
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
  group.topic = std::move(wanted.topic);
  by_topic_.emplace(group.topic, index);
  feed(group.type).add(index, wanted);
  return index;
}

std::expected<bool, RpcError> SubscriptionManager::unsubscribe(ConnectionKey connection_key,
                                                               std::string_view params_json) {
  const auto first = jsonrpc::element(params_json, 0);
  if (!first) return error(kInvalidParams, "missing value for required argument 0");
  const auto text = jsonrpc::string_copy(*first);
  if (!text) return error(kInvalidParams, "the subscription id must be a string");
  const auto id = parse_subscription_id(*text);
  if (!id || !remove(connection_key, *id)) return error(kServerError, "subscription not found");
  ++counters_.unsubscribed;
  return true;
}

void SubscriptionManager::withdraw(ConnectionKey connection, std::string_view id_text) {
  const auto id = parse_subscription_id(id_text);
  if (id && remove(connection, *id)) ++counters_.refused;
}

bool SubscriptionManager::remove(ConnectionKey connection_key, const SubscriptionId& id) {
  const auto connection = connections_.find(connection_key);
  if (connection == connections_.end()) return false;
  auto& all = connection->second.subscriptions;
  const auto subscription = find(connection->second, id);
  if (subscription == all.end()) return false;
  connection->second.alternatives -= groups_[subscription->group].alternatives;
  release(*subscription);
  all.erase(subscription);
  if (all.empty()) connections_.erase(connection);
  return true;
}

std::vector<SubscriptionManager::Subscription>::iterator SubscriptionManager::find(Connection& connection,
                                                                                   const SubscriptionId& id) {
  return std::ranges::find_if(connection.subscriptions,
                              [&](const Subscription& one) { return id_of(one) == id; });
}

SubscriptionManager::Subscription* SubscriptionManager::find(ConnectionKey connection_key,
                                                             const SubscriptionId& id) {
  const auto connection = connections_.find(connection_key);
  if (connection == connections_.end()) return nullptr;
  const auto subscription = find(connection->second, id);
  return subscription == connection->second.subscriptions.end() ? nullptr : &*subscription;
}

std::optional<SubscriptionType> SubscriptionManager::type_of(ConnectionKey connection,
                                                             std::string_view id_text) {
  const auto id = parse_subscription_id(id_text);
  const Subscription* const found = id ? find(connection, *id) : nullptr;
  return found == nullptr ? std::nullopt : std::optional(groups_[found->group].type);
}

void SubscriptionManager::drop(ConnectionKey connection_key) {
  const auto found = connections_.find(connection_key);
  if (found == connections_.end()) return;
  for (Subscription& subscription : found->second.subscriptions) release(subscription);
  counters_.dropped += found->second.subscriptions.size();
  connections_.erase(found);
}

void SubscriptionManager::release(Subscription& subscription) {
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
  feed(group.type).remove(subscription.group);
  if (options_.budget != nullptr) options_.budget->give_back(group.alternatives);
  const std::uint32_t generation = group.generation + 1;
  group = Group{};
  group.generation = generation;
  free_groups_.push_back(subscription.group);
}

Interest SubscriptionManager::interest() const {
  Interest interest;
  for (const auto& feed : feeds_) feed->add_interest(interest);
  return interest;
}

std::size_t SubscriptionManager::subscriptions(SubscriptionType type) const {
  return by_type_[static_cast<std::size_t>(type)];
}

std::size_t SubscriptionManager::subscriptions_of(ConnectionKey connection) const {
  const auto found = connections_.find(connection);
  return found == connections_.end() ? 0 : found->second.subscriptions.size();
}

}  // namespace fanfare::eth
