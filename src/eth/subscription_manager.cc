#include "eth/subscription_manager.h"

#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::eth {
namespace {

std::unexpected<RpcError> error(int code, std::string message) {
  return std::unexpected(RpcError{.code = code, .message = std::move(message)});
}

std::expected<std::string, RpcError> id_in(std::string_view params_json) {
  const auto first = jsonrpc::element(params_json, 0);
  if (!first) return error(RpcError::kInvalidParams, "missing value for required argument 0");
  auto text = jsonrpc::string_copy(*first);
  if (!text) return error(RpcError::kInvalidParams, "the subscription id must be a string");
  return *std::move(text);
}

std::unexpected<RpcError> refused(SubscriptionCounters& counters, RpcError why) {
  ++counters.refused;
  return std::unexpected(std::move(why));
}

}  // namespace

SubscriptionManager::SubscriptionManager(SubscriptionManagerOptions options, pubsub::TopicTable& topics,
                                         Framer framer)
    : notifier_(topics, std::move(framer), counters_),
      table_(std::move(options), topics, *this),
      sessions_(table_, notifier_.step(), counters_) {
  for (std::size_t i = 0; i < feeds_.size(); ++i) {
    const auto type = static_cast<SubscriptionType>(i);
    feeds_[i] = feed_type(type).make(*this, type);
  }
}

SubscriptionManager::~SubscriptionManager() = default;

std::expected<std::string, RpcError> SubscriptionManager::subscribe(ConnectionKey connection,
                                                                    pubsub::Subscriber& subscriber,
                                                                    std::string_view params_json, IdScope ids,
                                                                    ResumeLink* session) {
  auto wanted = parse_subscription(params_json, table_.options().types);
  if (!wanted) return refused(counters_, std::move(wanted.error()));
  const auto topic = session == nullptr ? std::nullopt : SessionSubscriptions::remember(*wanted);
  const auto resume_from = wanted->resume_from;
  const bool latest_if_slow = wanted->latest_if_slow;
  auto added = table_.add(connection, subscriber, *std::move(wanted), ids);
  if (!added) return refused(counters_, std::move(added.error()));
  Subscription& subscription = **added;
  const bool retracts = feed(table_.group_of(subscription).type).history_needs().logs;
  auto remembered = sessions_.add(subscription, subscriber, session, topic, retracts);
  if (!remembered) {
    table_.remove(connection, table_.id_of(subscription));
    return refused(counters_, std::move(remembered.error()));
  }
  if (resume_from) subscription.replay = std::make_unique<Replay>(*resume_from);
  if (latest_if_slow) {
    subscription.latest = std::make_unique<LatestHead>(subscriber, table_.log_of(subscription), last_head_);
  }
  ++counters_.subscribed;
  return to_text(table_.id_of(subscription));
}

std::expected<bool, RpcError> SubscriptionManager::unsubscribe(ConnectionKey connection,
                                                               std::string_view params_json,
                                                               const ResumeLink* session) {
  const auto text = id_in(params_json);
  if (!text) return std::unexpected(text.error());
  const auto id = parse_subscription_id(*text);
  if (!id || !sessions_.remove(connection, *id, session))
    return error(RpcError::kServerError, "subscription not found");
  ++counters_.unsubscribed;
  return true;
}

Interest SubscriptionManager::interest() const {
  Interest interest;
  for (const auto& feed : feeds_) feed->add_interest(interest);
  return interest;
}

}  // namespace fanfare::eth
