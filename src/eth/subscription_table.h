#pragma once
// Which connection holds which subscription of one network on one loop, and under which id. It counts them
// against the limits, and knows nothing of events. One thread, no I/O.
//
//   connection -> [ subscription ... ]                   for replies, limits and drop()
//   canonical topic -> group -> id for ordinal 0, 1, ..  one text per group and ordinal, shared
//
// A topic is a type with its canonical parameters: equivalent filters are one topic. The k-th subscription of
// one connection to one topic has ordinal k. So its ids differ, while the first subscriptions of all
// connections share one frame.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "eth/feeds/feed.h"
#include "eth/filter_budget.h"
#include "eth/latest_head.h"
#include "eth/replay.h"
#include "eth/resume_link.h"
#include "eth/subscription_id.h"
#include "eth/subscription_params.h"
#include "pubsub/event_log.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

// Who shares the id of a subscription.
enum class IdScope : std::uint8_t {
  shared,  // the first subscriptions of all connections to one topic: their notifications are encoded once
  own,     // no other subscription, ever: each costs an encoding of its own
};

struct SubscriptionManagerOptions {
  std::string network;   // "main/1": part of every id
  Salt salt{};           // the same on every loop of the process
  std::size_t loop = 0;  // distinguishes the loops of the process
  std::uint32_t subscriptions_per_connection_max = 100;
  // Addresses, topics and transactions in the filters of one connection's subscriptions together.
  std::size_t alternatives_per_connection_max = 20'000;
  // Shared by all connections on all loops; counts each distinct filter of a loop once. Must outlive the
  // manager. Null: no limit.
  FilterBudget* budget = nullptr;
  // The types that are published; others are rejected as unknown.
  SubscriptionTypes types = kNewHeadsOnly;
};

class SubscriptionTable {
 public:
  // An id under which a group's notifications are sent.
  struct GroupId {
    SubscriptionId id;
    std::uint32_t holders = 0;
    std::uint32_t ordinal = 0;                   // in `shared`, unless it is own
    bool is_own = false;                         // of one subscription; free without a holder
    std::unique_ptr<pubsub::EventLog> log = {};  // once a holder wants the latest head only
  };
  struct Group : FeedGroup {
    std::string topic;  // canonical; empty: free
    std::vector<GroupId> ids;
    std::vector<std::uint32_t> shared;    // by ordinal, indices of ids
    std::vector<std::uint32_t> free_own;  // indices of ids without a holder
    std::uint32_t holders = 0;
    std::size_t alternatives = 0;  // of its filter
  };
  struct Subscription {
    GroupIndex group = 0;
    std::uint32_t id = 0;                // index in the group's ids
    pubsub::Ticket ticket;               // of generation 0 until it is live
    std::unique_ptr<Replay> replay;      // until it is live
    std::unique_ptr<LatestHead> latest;  // in front of the connection, if the client asked for it
    std::unique_ptr<TrackedSubscriber> tracked = {};  // in front of it, if it belongs to a session
    bool has_waited = false;                          // because its feed held it back
    bool may_hold_removed = false;  // of a session: not all that its client may have to retract is known
    bool is_halted = false;         // of a session: it has missed something, so its connection will be closed

    bool is_live() const { return ticket.generation != 0; }
    // A batch of its replay is not sent completely.
    bool can_continue() const { return replay != nullptr && replay->has_batch() && !is_halted; }
  };
  struct Connection {
    pubsub::Subscriber* subscriber = nullptr;
    std::vector<Subscription> subscriptions;
    std::size_t alternatives = 0;  // of all of them
  };
  // The feeds learn from it which groups there are.
  class GroupObserver {
   public:
    // The group has its first subscription; what `wanted` holds may be moved from.
    virtual void on_group_added(GroupIndex group, SubscriptionRequest& wanted) = 0;
    // The group has lost its last subscription, and can still be read.
    virtual void on_group_removed(GroupIndex group) = 0;

   protected:
    ~GroupObserver() = default;
  };

  // `topics` and `observer` must outlive the table.
  SubscriptionTable(SubscriptionManagerOptions options, pubsub::TopicTable& topics, GroupObserver& observer);
  SubscriptionTable(const SubscriptionTable&) = delete;
  SubscriptionTable& operator=(const SubscriptionTable&) = delete;
  ~SubscriptionTable();

  const SubscriptionManagerOptions& options() const { return options_; }
  // Of a connection; it keeps those that it has.
  void set_subscriptions_max(std::uint32_t max) { options_.subscriptions_per_connection_max = max; }

  // Adds a subscription that is not live. -32005: the connection has too many, or too many alternatives in
  // their filters, or all connections together have. Valid until the connection's next one is added or removed.
  std::expected<Subscription*, RpcError> add(ConnectionKey connection, pubsub::Subscriber& subscriber,
                                             SubscriptionRequest wanted, IdScope ids);
  // The subscription gets the topic's events from now on.
  void go_live(const Connection& connection, Subscription& subscription);
  // It gets none until it goes live again.
  void suspend(Subscription& subscription);
  // False: there is none.
  bool remove(ConnectionKey connection, const SubscriptionId& id);
  // Removes all subscriptions of the connection; returns their number.
  std::size_t drop(ConnectionKey connection);

  // Null: there is none. Valid until the connection's next subscription is added or removed.
  Connection* find(ConnectionKey connection);
  Subscription* find(ConnectionKey connection, const SubscriptionId& id);
  // Empty: there is none.
  std::optional<SubscriptionType> type_of(ConnectionKey connection, std::string_view id);
  Group& group(GroupIndex index) { return groups_[index]; }
  const Group& group(GroupIndex index) const { return groups_[index]; }
  Group& group_of(const Subscription& subscription) { return groups_[subscription.group]; }
  const SubscriptionId& id_of(const Subscription& subscription) const {
    return groups_[subscription.group].ids[subscription.id].id;
  }
  // The published frames of its id, from which slow readers take the latest one.
  pubsub::EventLog& log_of(const Subscription& subscription);
  std::unordered_map<ConnectionKey, Connection>& connections() { return connections_; }

  std::size_t connection_count() const { return connections_.size(); }
  std::size_t size() const { return total_; }
  std::size_t size(SubscriptionType type) const { return by_type_[static_cast<std::size_t>(type)]; }
  std::size_t size_of(ConnectionKey connection) const;
  // As SubscriptionManager::topics_of().
  std::vector<std::string> topics_of(ConnectionKey connection, std::size_t most, std::size_t bytes_max) const;
  // Distinct topics with subscriptions.
  std::size_t topics() const { return by_topic_.size(); }

 private:
  std::expected<void, RpcError> admit(ConnectionKey connection, const SubscriptionRequest& wanted) const;
  GroupIndex group_for(SubscriptionRequest& wanted);
  std::uint32_t shared_id(GroupIndex group, const Connection& connection);
  std::uint32_t own_id(GroupIndex group);
  void release(Subscription& subscription);

  SubscriptionManagerOptions options_;
  pubsub::TopicTable& topics_;
  GroupObserver& observer_;
  std::unordered_map<ConnectionKey, Connection> connections_;
  std::deque<Group> groups_;
  std::vector<GroupIndex> free_groups_;
  std::unordered_map<std::string_view, GroupIndex> by_topic_;  // keys are the groups' own strings
  std::array<std::size_t, kSubscriptionTypes> by_type_{};
  std::size_t total_ = 0;
  std::uint64_t own_ids_ = 0;  // created so far: ids are never reused
};

}  // namespace fanfare::eth
