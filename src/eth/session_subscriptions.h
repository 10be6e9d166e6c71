#pragma once
// The subscriptions of connections that continue a session (resume_link.h), on one loop: which are remembered, where they
// continue, and what becomes of those that have missed something for good. Clients of sessions know no notices, so the
// connection is closed with the notice as the reason, once no other subscription of it is being replayed: it names the blocks
// of all. One thread.

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "eth/notifier.h"
#include "eth/replay.h"
#include "eth/resume_link.h"
#include "eth/subscription_aftermath.h"
#include "eth/subscription_table.h"

namespace fanfare::eth {

class SessionSubscriptions {
 public:
  using Subscription = SubscriptionTable::Subscription;
  using Connection = SubscriptionTable::Connection;

  // `step`: of the notification being delivered (Notifier::step()). All must outlive this object.
  SessionSubscriptions(SubscriptionTable& table, const Step& step, SubscriptionCounters& counters)
      : table_(table), step_(step), counters_(counters) {}

  // Of a request that a session remembers, which then asks for positions. Empty: it remembers none like this.
  static std::optional<TopicHash> remember(SubscriptionRequest& wanted);
  // The new subscription continues where the session is; without a topic it belongs to none. `retracts`: its type retracts
  // what reorgs removed. Errors: another connection has the session, or -32005: it has no room.
  std::expected<void, RpcError> add(Subscription& subscription, pubsub::Subscriber& connection,
                                    ResumeLink* session, const std::optional<TopicHash>& topic,
                                    bool retracts);
  // Whether its client will be sent what it missed.
  bool continues(ConnectionKey connection, std::string_view id);
  // Removes a subscription of any connection; its session forgets it. True also for one of an earlier connection, which stays
  // remembered. `session`: may be null.
  bool remove(ConnectionKey connection, const SubscriptionId& id, const ResumeLink* session);
  // The same for one that could not be made: it stays remembered.
  bool withdraw(ConnectionKey connection, std::string_view id);
  void drop(ConnectionKey connection) { gaps_.erase(connection); }

  // Where notifications of the subscription go.
  static pubsub::Subscriber& subscriber_of(const Connection& connection, const Subscription& subscription);
  // The connection will be closed: nothing that is published from now on reaches it.
  static void freeze(const Connection& connection);
  // The subscription has missed something, after which it would be at `after`.
  void halt(ConnectionKey connection, Subscription& subscription, const Replay::Gap& gap,
            const Position& after);
  // If it is not known what its client has to retract, it has missed that.
  bool halt_if_uncertain(ConnectionKey connection, Subscription& subscription,
                         std::optional<std::uint64_t> head);
  // The connections to close for that, each once.
  void take_closings(std::vector<SubscriptionAftermath::Closing>& closings);

 private:
  bool is_replaying(ConnectionKey connection);

  SubscriptionTable& table_;
  const Step& step_;
  SubscriptionCounters& counters_;
  std::unordered_map<ConnectionKey, Replay::Gap> gaps_;
};

}  // namespace fanfare::eth
