#include "eth/subscription_manager.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr int kServerError = -32000;
constexpr int kLimitExceeded = -32005;

constexpr std::array<std::string_view, kSubscriptionTypes> kTypeNames = {"newHeads", "logs",
                                                                         "newPendingTransactions", "syncing"};

std::unexpected<RpcError> error(int code, std::string message) {
  return std::unexpected(RpcError{.code = code, .message = std::move(message)});
}

bool is_absent_or_empty(std::optional<std::string_view> raw) {
  if (!raw || jsonrpc::kind_of(*raw) == jsonrpc::Kind::null) return true;
  if (jsonrpc::kind_of(*raw) != jsonrpc::Kind::object) return false;
  const auto members = jsonrpc::object_members(*raw);
  return members.begin() == members.end();
}

constexpr std::string_view kNewHeads = kTypeNames[0];
constexpr std::string_view kPendingHashes = kTypeNames[2];
constexpr std::string_view kPendingBodies = "newPendingTransactions:full";
constexpr std::string_view kSyncing = kTypeNames[3];

}  // namespace

std::string_view name_of(SubscriptionType type) {
  return kTypeNames[static_cast<std::size_t>(type)];
}

// What is asked for, in canonical form.
struct SubscriptionManager::Wanted {
  SubscriptionType type = SubscriptionType::new_heads;
  std::string topic;
  LogFilter filter;  // of logs
};

std::expected<SubscriptionManager::Wanted, RpcError> SubscriptionManager::read_params(
    std::string_view params, SubscriptionTypes types) {
  const auto first = jsonrpc::element(params, 0);
  if (!first) return error(kInvalidParams, "missing value for required argument 0");
  const auto name = jsonrpc::string_copy(*first);
  if (!name) return error(kInvalidParams, "the subscription's name must be a string");
  const auto second = jsonrpc::element(params, 1);
  const auto* const known = std::ranges::find(kTypeNames, *name);
  const auto index = static_cast<std::size_t>(known - kTypeNames.begin());
  if (known == kTypeNames.end() || !types[index]) {
    return error(kMethodNotFound, "no \"" + name->substr(0, 64) + "\" subscription in eth namespace");
  }

  Wanted wanted{.type = static_cast<SubscriptionType>(index), .topic = *name, .filter = {}};
  switch (wanted.type) {
    case SubscriptionType::new_heads:
    case SubscriptionType::syncing:
      if (!is_absent_or_empty(second)) return error(kInvalidParams, *name + " takes no arguments");
      break;
    case SubscriptionType::logs: {
      auto filter = parse_log_filter(second.value_or(std::string_view{}));
      if (!filter) return error(kInvalidParams, std::move(filter.error()));
      wanted.filter = std::move(*filter);
      wanted.topic.append(1, ':').append(wanted.filter.canonical());
      break;
    }
    case SubscriptionType::new_pending_transactions: {
      if (is_absent_or_empty(second)) break;
      const auto whole = jsonrpc::bool_value(*second);
      if (!whole) return error(kInvalidParams, "the second parameter must be true or false");
      if (*whole) wanted.topic = kPendingBodies;
      break;
    }
  }
  return wanted;
}

SubscriptionManager::SubscriptionManager(SubscriptionManagerOptions options, pubsub::TopicTable& topics,
                                         Framer framer)
    : options_(std::move(options)), topics_(topics), framer_(std::move(framer)), filters_(options_.salt) {}

SubscriptionManager::~SubscriptionManager() {
  // The table may outlive the network: it must not keep pointers to subscribers that nobody can drop.
  for (auto& [key, connection] : connections_) {
    for (const Subscription& subscription : connection.subscriptions)
      topics_.unsubscribe(subscription.ticket);
  }
}

std::expected<std::string, RpcError> SubscriptionManager::subscribe(ConnectionKey connection_key,
                                                                    pubsub::Subscriber& subscriber,
                                                                    std::string_view params_json) {
  auto wanted = read_params(params_json, options_.types);
  if (!wanted) {
    ++counters_.refused;
    return std::unexpected(std::move(wanted.error()));
  }
  const std::size_t held = subscriptions_of(connection_key);
  if (held >= options_.subscriptions_per_connection_max) {
    ++counters_.refused;
    return error(kLimitExceeded, "too many subscriptions: at most " +
                                     std::to_string(options_.subscriptions_per_connection_max) +
                                     " per connection");
  }
  const std::uint32_t group_index = group_for(*wanted);
  Group& group = groups_[group_index];
  Connection& connection = connections_[connection_key];
  connection.subscriber = &subscriber;

  // The lowest ordinal this connection does not hold: everybody's first is everybody's same.
  std::uint32_t ordinal = 0;
  const auto holds = [&](const Subscription& one) {
    return one.group == group_index && one.ordinal == ordinal;
  };
  while (std::ranges::any_of(connection.subscriptions, holds)) ++ordinal;
  while (group.ordinals.size() <= ordinal) {
    const auto next = static_cast<std::uint32_t>(group.ordinals.size());
    group.ordinals.push_back(
        {.id = make_subscription_id(options_.salt, options_.network, group.topic, next), .holders = 0});
  }
  ++group.ordinals[ordinal].holders;
  ++group.holders;
  connection.subscriptions.push_back({.group = group_index, .ordinal = ordinal, .ticket = {}});
  ++total_;
  ++by_type_[static_cast<std::size_t>(group.type)];
  ++counters_.subscribed;
  return to_text(group.ordinals[ordinal].id);
}

std::uint32_t SubscriptionManager::group_for(Wanted& wanted) {
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
  group.topic = std::move(wanted.topic);
  by_topic_.emplace(group.topic, index);
  if (group.type == SubscriptionType::logs) filters_.add(index, std::move(wanted.filter));
  return index;
}

void SubscriptionManager::activate(ConnectionKey connection_key, std::string_view id_text) {
  const auto connection = connections_.find(connection_key);
  const auto id = parse_subscription_id(id_text);
  if (connection == connections_.end() || !id) return;
  const auto subscription = find(connection->second, *id);
  if (subscription == connection->second.subscriptions.end() || subscription->ticket.generation != 0) return;
  subscription->ticket = topics_.subscribe(*id, *connection->second.subscriber);
}

std::expected<bool, RpcError> SubscriptionManager::unsubscribe(ConnectionKey connection_key,
                                                               std::string_view params_json) {
  const auto first = jsonrpc::element(params_json, 0);
  if (!first) return error(kInvalidParams, "missing value for required argument 0");
  const auto text = jsonrpc::string_copy(*first);
  if (!text) return error(kInvalidParams, "the subscription id must be a string");
  const auto id = parse_subscription_id(*text);
  const auto connection = connections_.find(connection_key);
  if (id && connection != connections_.end()) {
    auto& all = connection->second.subscriptions;
    const auto subscription = find(connection->second, *id);
    if (subscription != all.end()) {
      release(*subscription);
      all.erase(subscription);
      if (all.empty()) connections_.erase(connection);
      ++counters_.unsubscribed;
      return true;
    }
  }
  return error(kServerError, "subscription not found");
}

std::vector<SubscriptionManager::Subscription>::iterator SubscriptionManager::find(Connection& connection,
                                                                                   const SubscriptionId& id) {
  return std::ranges::find_if(connection.subscriptions, [&](const Subscription& one) {
    return groups_[one.group].ordinals[one.ordinal].id == id;
  });
}

void SubscriptionManager::drop(ConnectionKey connection_key) {
  const auto found = connections_.find(connection_key);
  if (found == connections_.end()) return;
  for (const Subscription& subscription : found->second.subscriptions) release(subscription);
  counters_.dropped += found->second.subscriptions.size();
  connections_.erase(found);
}

std::vector<ConnectionKey> SubscriptionManager::connections_with(SubscriptionType type) const {
  std::vector<ConnectionKey> found;
  for (const auto& [key, connection] : connections_) {
    const bool has = std::ranges::any_of(connection.subscriptions, [&](const Subscription& subscription) {
      return groups_[subscription.group].type == type;
    });
    if (has) found.push_back(key);
  }
  return found;
}

void SubscriptionManager::release(const Subscription& subscription) {
  topics_.unsubscribe(subscription.ticket);
  Group& group = groups_[subscription.group];
  --group.ordinals[subscription.ordinal].holders;
  --total_;
  --by_type_[static_cast<std::size_t>(group.type)];
  if (--group.holders > 0) return;
  by_topic_.erase(group.topic);
  if (group.type == SubscriptionType::logs) filters_.remove(subscription.group);
  const std::uint32_t generation = group.generation + 1;
  group = Group{};
  group.generation = generation;
  free_groups_.push_back(subscription.group);
}

std::size_t SubscriptionManager::publish_head(std::string_view header_json) {
  return publish(kNewHeads, header_json);
}

std::size_t SubscriptionManager::publish_head(const Header& header) {
  last_head_ = header.number;
  return publish(kNewHeads, header.json);
}

std::size_t SubscriptionManager::publish_pending_hash(std::string_view hash) {
  if (!has_topic(kPendingHashes)) return 0;
  return publish(kPendingHashes, "\"" + std::string(hash) + "\"");
}

std::size_t SubscriptionManager::publish_pending_body(std::string_view transaction_json) {
  return publish(kPendingBodies, transaction_json);
}

std::size_t SubscriptionManager::publish_syncing(std::string_view result_json) {
  return publish(kSyncing, result_json);
}

std::size_t SubscriptionManager::publish_logs(const BlockLogs& logs, bool removed) {
  if (filters_.size() == 0) return 0;
  std::size_t taken = 0;
  std::vector<FilterIndex::FilterId> matching;
  std::vector<std::uint32_t> generations;
  std::string result;
  for (std::size_t i = 0; i < logs.entries.size(); ++i) {
    const BlockLogs::Entry& entry = logs.entries[removed ? logs.entries.size() - 1 - i : i];
    matching.clear();
    filters_.match(entry.key, matching);
    if (matching.empty()) continue;
    generations.clear();
    for (const auto group : matching) generations.push_back(groups_[group].generation);
    result.clear();
    BlockLogs::append_json(entry, removed, result);
    for (std::size_t k = 0; k < matching.size(); ++k) {
      // A delivery may have dropped the group, and its place may be another filter's by now.
      if (groups_[matching[k]].generation == generations[k]) taken += publish_to_group(matching[k], result);
    }
  }
  return taken;
}

Interest SubscriptionManager::interest() const {
  Interest interest;
  interest.logs = filters_.size() > 0;
  if (interest.logs && last_head_) interest.logs_from_block = *last_head_ + 1;
  if (has_topic(kPendingHashes)) interest.pending = PendingWanted::hashes;
  if (has_topic(kPendingBodies)) interest.pending = PendingWanted::bodies;
  interest.syncing = has_topic(kSyncing);
  return interest;
}

std::size_t SubscriptionManager::publish(std::string_view topic, std::string_view result_json) {
  const auto found = by_topic_.find(topic);
  return found == by_topic_.end() ? 0 : publish_to_group(found->second, result_json);
}

std::size_t SubscriptionManager::publish_to_group(std::uint32_t group_index, std::string_view result_json) {
  // A delivery may drop connections, and with the last one the group: looked at anew each time.
  const Group& group = groups_[group_index];
  const std::uint32_t generation = group.generation;
  std::size_t taken = 0;
  for (std::size_t i = 0; group.generation == generation && i < group.ordinals.size(); ++i) {
    const SubscriptionId id = group.ordinals[i].id;
    if (group.ordinals[i].holders == 0 || topics_.subscribers(id) == 0) continue;
    taken += topics_.publish(id, encode(id, result_json));
  }
  counters_.delivered += taken;
  return taken;
}

SharedBytes SubscriptionManager::encode(const SubscriptionId& id, std::string_view result_json) {
  scratch_.clear();
  scratch_.append(R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":")")
      .append(to_text(id))
      .append(R"(","result":)")
      .append(result_json)
      .append("}}");
  ++counters_.encoded;
  return framer_(scratch_);
}

std::size_t SubscriptionManager::subscriptions(SubscriptionType type) const {
  return by_type_[static_cast<std::size_t>(type)];
}

std::size_t SubscriptionManager::subscriptions_of(ConnectionKey connection) const {
  const auto found = connections_.find(connection);
  return found == connections_.end() ? 0 : found->second.subscriptions.size();
}

}  // namespace fanfare::eth
