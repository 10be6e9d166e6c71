#pragma once
// eth_subscribe and eth_unsubscribe for one network on one loop: which connection holds which subscription and
// its id, and the way of the source's events to the feeds (feeds/feed.h), which make the texts. It knows no
// subscription type. One thread, no I/O.
//
//   connection -> [ subscription ... ]                   for replies, limits and drop()
//   canonical topic -> group -> id for ordinal 0, 1, ..  one text per group and ordinal, shared
//
// A topic is a type with its canonical parameters: equivalent filters are one topic. The k-th subscription of
// one connection to one topic has ordinal k. So its ids differ, while the first subscriptions of all
// connections share one frame.
//
// Order. subscribe() reserves and returns the id; nothing is delivered until activate(). The caller calls
// activate() once the reply with the id (of a batch: the whole batch's reply) is in the outbox. So a client
// never sees a notification for an unknown id. A subscription that resumes from a cursor is replayed before
// it is live: activate() returns what to request from History, and replay() takes the answers.
//
// Events. begin() takes one, and step() continues it until it returns true; nothing is activated in between.
// take_aftermath() then says what the caller must do.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/shared_bytes.h"
#include "eth/cursor.h"
#include "eth/feeds/feed.h"
#include "eth/filter_budget.h"
#include "eth/history.h"
#include "eth/interest.h"
#include "eth/latest_head.h"
#include "eth/replay.h"
#include "eth/source_event.h"
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

class SubscriptionManager final : private FeedLoop {
 public:
  // Turns the text of a notification into the bytes for subscribers (a WebSocket frame around it).
  using Framer = std::function<SharedBytes(std::string_view notification_json)>;

  struct Counters {
    std::uint64_t subscribed = 0;
    std::uint64_t unsubscribed = 0;  // by request
    std::uint64_t dropped = 0;       // with their connection
    std::uint64_t ended = 0;         // by a notice, because they missed something
    std::uint64_t refused = 0;       // any error of subscribe(), or withdrawn
    std::uint64_t encoded = 0;       // frames made
    std::uint64_t delivered = 0;     // frames handed to subscribers
    std::uint64_t replayed = 0;      // frames made for resuming subscribers
    std::uint64_t resumed = 0;       // became live without missing anything
    std::uint64_t resumed_with_notice = 0;
    std::uint64_t heads_dropped = 0;   // for subscribers that asked for the latest head only
    std::uint64_t blocks_matched = 0;  // blocks whose logs were held against filters
    // By type: results handed to subscribers, without replays; and subscriptions ended by a notice.
    std::array<std::uint64_t, kSubscriptionTypes> results{};
    std::array<std::uint64_t, kSubscriptionTypes> ended_of{};
  };

  // `topics` must outlive the manager; the networks of one loop may share it.
  SubscriptionManager(SubscriptionManagerOptions options, pubsub::TopicTable& topics, Framer framer);
  SubscriptionManager(const SubscriptionManager&) = delete;
  SubscriptionManager& operator=(const SubscriptionManager&) = delete;
  ~SubscriptionManager();

  // `params_json` is the raw `params` of the request; empty if it has none. Returns the id as text.
  // `subscriber` belongs to the connection and must stay valid until drop(). Errors: -32601 unknown type,
  // -32602 bad parameters, -32005 too many subscriptions, or too many alternatives in their filters.
  std::expected<std::string, RpcError> subscribe(ConnectionKey connection, pubsub::Subscriber& subscriber,
                                                 std::string_view params_json, IdScope ids = IdScope::shared);

  // Empty: the connection has no such subscription.
  std::optional<SubscriptionType> type_of(ConnectionKey connection, std::string_view id);

  // What History must deliver to a subscription that is not live yet.
  struct Missing {
    ConnectionKey connection = 0;
    std::string id;
    Position from;
    HistoryNeeds needs;
  };
  // The subscription is served from now on. One with a cursor of its own first gets what it missed, which is
  // returned. In the middle of an event this happens at its end. Does nothing if the subscription is gone.
  std::optional<Missing> activate(ConnectionKey connection, std::string_view id);
  // Takes History's answer to that, and delivers it as far as the subscriber's congestion allows. At the end
  // of a batch the subscription is live, or its next missing part is returned. A batch that is `live` must be
  // passed at its position among the published events.
  std::optional<Missing> replay(ConnectionKey connection, std::string_view id, HistoryBatchPtr batch);
  // The subscriber is no longer congested: continues to deliver.
  std::vector<Missing> drained(ConnectionKey connection);

  // Takes the source's next event. The caller calls step() until it returns true, before anything else is
  // passed in. A step checks or notifies at most `work_max` filters, but handles at least one log.
  void begin(const SourceEvent& event);
  bool step(std::size_t work_max);
  // Both, in one go.
  void publish(const SourceEvent& event);
  // The event could not be published, or not wholly. Subscriptions with cursors replay; others end, with `why`.
  void lose_event(const std::string& why);
  // The work that events left for the caller.
  struct Aftermath {
    std::vector<Missing> missing;  // to request from the history
    // Connections to close: their streams have missed something and have no notice for it.
    struct Closing {
      std::vector<ConnectionKey> connections;
      std::string why;
    };
    std::vector<Closing> closing;
    // A connection for each of its subscriptions that a notice has ended.
    std::vector<ConnectionKey> ended;
  };
  Aftermath take_aftermath() { return std::exchange(aftermath_, {}); }
  // The number of the last head published here.
  std::optional<std::uint64_t> head() const { return last_head_; }

  // True, or an error: -32602 bad parameters, -32000 no such subscription of this connection.
  std::expected<bool, RpcError> unsubscribe(ConnectionKey connection, std::string_view params_json);

  // Revokes an id of subscribe() for which activate() was not called.
  void withdraw(ConnectionKey connection, std::string_view id);

  // The connection is closed or closing: removes all of its subscriptions. May be called from deliver().
  void drop(ConnectionKey connection);

  // What the subscriptions of this loop need. Check after subscribe, unsubscribe and drop.
  Interest interest() const;

  std::size_t connections() const { return connections_.size(); }
  std::size_t subscriptions() const { return total_; }
  std::size_t subscriptions(SubscriptionType type) const;
  std::size_t subscriptions_of(ConnectionKey connection) const;
  // Distinct topics (type and canonical filter) with subscribers.
  std::size_t topics() const { return by_topic_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  // An id under which a group's notifications are sent.
  struct GroupId {
    SubscriptionId id;
    std::uint32_t holders = 0;
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
    std::uint32_t group = 0;
    std::uint32_t id = 0;                // index in the group's ids
    pubsub::Ticket ticket;               // of generation 0 until it is live
    std::unique_ptr<Replay> replay;      // until it is live
    std::unique_ptr<LatestHead> latest;  // in front of the connection, if the client asked for it
    bool has_waited = false;             // because its feed held it back
  };
  struct Connection {
    pubsub::Subscriber* subscriber = nullptr;
    std::vector<Subscription> subscriptions;
    std::size_t alternatives = 0;  // of all of them
  };

  // FeedLoop
  const Salt& salt() const override { return options_.salt; }
  const Trail& trail() const override { return trail_; }
  FeedGroup& group(GroupIndex index) override { return groups_[index]; }
  std::size_t publish(GroupIndex group, const Notification& text) override;
  void replay(SubscriptionType type) override;
  void close(const Fits& fits, std::string why) override;
  void end(const Fits& fits, std::string_view why) override;
  void activate_held(ConnectionKey connection, const std::string& id) override;
  void count_match() override { ++counters_.blocks_matched; }

  Feed& feed(SubscriptionType type) const { return *feeds_[static_cast<std::size_t>(type)]; }
  void break_off();
  void end_event();
  bool is_followed_by(const Header& header) const;
  std::optional<Missing> go_live_or_ask(ConnectionKey connection, const SubscriptionId& id);
  bool is_live_with_cursor(const Subscription& subscription) const;
  Missing rewind(ConnectionKey connection, Subscription& subscription);
  std::uint32_t group_for(SubscriptionRequest& wanted);
  std::uint32_t shared_id(std::uint32_t group, const Connection& connection);
  std::uint32_t own_id(std::uint32_t group);
  const SubscriptionId& id_of(const Subscription& subscription) const {
    return groups_[subscription.group].ids[subscription.id].id;
  }
  pubsub::EventLog& log_of(GroupId& id);
  std::expected<void, RpcError> admit(ConnectionKey connection, const SubscriptionRequest& wanted) const;
  void release(Subscription& subscription);
  bool remove(ConnectionKey connection, const SubscriptionId& id);
  std::vector<Subscription>::iterator find(Connection& connection, const SubscriptionId& id);
  Subscription* find(ConnectionKey connection, const SubscriptionId& id);
  Missing missing(ConnectionKey connection, const SubscriptionId& id, const Subscription& subscription) const;
  pubsub::Ticket go_live(const Connection& connection, const Subscription& subscription);
  void send_latest(ConnectionKey connection, const SubscriptionId& id);
  std::optional<Missing> continue_replay(ConnectionKey connection, const SubscriptionId& id);
  bool has_topic(std::string_view topic) const { return by_topic_.contains(topic); }
  SharedBytes encode(const SubscriptionId& id, const Notification& text);

  SubscriptionManagerOptions options_;
  pubsub::TopicTable& topics_;
  Framer framer_;
  std::unordered_map<ConnectionKey, Connection> connections_;
  std::deque<Group> groups_;
  std::vector<std::uint32_t> free_groups_;
  std::unordered_map<std::string_view, std::uint32_t> by_topic_;  // keys are the groups' own strings
  std::array<std::size_t, kSubscriptionTypes> by_type_{};
  std::size_t total_ = 0;
  std::uint64_t own_ids_ = 0;  // created so far: ids are never reused
  std::array<std::unique_ptr<Feed>, kSubscriptionTypes> feeds_;
  std::optional<std::uint64_t> last_head_;
  Trail trail_;  // the chain as published here
  // The event in progress: what ends with it.
  bool is_publishing_ = false;
  HeaderPtr removed_;
  std::vector<std::pair<ConnectionKey, std::string>> activate_later_;
  Aftermath aftermath_;
  std::string scratch_;
  Counters counters_;
};

}  // namespace fanfare::eth
