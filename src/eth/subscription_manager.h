#pragma once
// eth_subscribe and eth_unsubscribe for one network on one loop: which connection holds which subscription,
// its id, and the text of its notifications. One thread, no I/O.
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
#include "eth/block_logs.h"
#include "eth/cursor.h"
#include "eth/filter_budget.h"
#include "eth/filter_index.h"
#include "eth/header.h"
#include "eth/history.h"
#include "eth/interest.h"
#include "eth/latest_head.h"
#include "eth/receipt_filters.h"
#include "eth/replay.h"
#include "eth/subscription_id.h"
#include "eth/subscription_params.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

// The caller's key for a connection; unique on this loop while the connection lives.
using ConnectionKey = std::uint64_t;

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

class SubscriptionManager {
 public:
  // Turns the text of a notification into the bytes for subscribers (a WebSocket frame around it).
  using Framer = std::function<SharedBytes(std::string_view notification_json)>;

  struct Counters {
    std::uint64_t subscribed = 0;
    std::uint64_t unsubscribed = 0;  // by request
    std::uint64_t dropped = 0;       // with their connection
    std::uint64_t ended = 0;         // by end_pending()
    std::uint64_t refused = 0;       // any error of subscribe(), or withdrawn
    std::uint64_t encoded = 0;       // frames made
    std::uint64_t delivered = 0;     // frames handed to subscribers
    std::uint64_t replayed = 0;      // frames made for resuming subscribers
    std::uint64_t resumed = 0;       // became live without missing anything
    std::uint64_t resumed_with_notice = 0;
    std::uint64_t heads_dropped = 0;  // for subscribers that asked for the latest head only
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

  // What History must deliver to a subscription that is not live yet.
  struct Missing {
    ConnectionKey connection = 0;
    std::string id;
    Position from;
    HistoryNeeds needs;
  };
  // The subscription is served from now on. One to syncing is sent the present state at once, if it is known.
  // One with a cursor of its own first gets what it missed, which is returned. Does nothing if the
  // subscription is gone.
  std::optional<Missing> activate(ConnectionKey connection, std::string_view id);
  // Takes History's answer to that, and delivers it as far as the subscriber's congestion allows. At the end
  // of a batch the subscription is live, or its next missing part is returned. A batch that is `live` must be
  // passed at its position among the published events.
  std::optional<Missing> replay(ConnectionKey connection, std::string_view id, HistoryBatchPtr batch);
  // The subscriber is no longer congested: continues to deliver.
  std::vector<Missing> drained(ConnectionKey connection);
  // Whether the next head follows the last one published here.
  bool is_followed_by(const Header& header) const;
  // It does not follow: subscriptions with cursors are no longer live, and miss the blocks between.
  std::vector<Missing> rewind();
  // The last published block is about to be removed, and its logs are unknown here. Subscriptions resumed
  // from a cursor may hold logs of it and must learn of the removal. Call before note_removed().
  std::vector<Missing> rewind_logs();

  // True, or an error: -32602 bad parameters, -32000 no such subscription of this connection.
  std::expected<bool, RpcError> unsubscribe(ConnectionKey connection, std::string_view params_json);

  // Revokes an id of subscribe() for which activate() was not called.
  void withdraw(ConnectionKey connection, std::string_view id);

  // The connection is closed or closing: removes all of its subscriptions. May be called from deliver().
  void drop(ConnectionKey connection);

  // `header_json` is the notification's `result`. Returns how many connections accepted it.
  std::size_t publish_head(std::string_view header_json);
  // Also remembers the chain's position, for interest() and for cursors. A head that was removed and returns
  // before any other was published is not published again.
  std::size_t publish_head(const Header& header);
  // Sets the head that subscribers of this loop start from, without publishing it (a baseline).
  void note_head(const Header& header);
  // All logs of the block to the filters they match, in order; `removed`: as removals, the last log first.
  std::size_t publish_logs(const Header& header, const BlockLogs& logs, bool removed);
  // The same in steps, for blocks with many logs and filters. Until a step returns true, nothing else may be
  // published or activated.
  struct LogsPass {
    HeaderPtr header;
    BlockLogsPtr logs;
    bool removed = false;
    std::size_t taken = 0;  // the return value of publish_logs()

    Trail trail = {};  // copied to the manager at the end
    bool begun = false;
    std::size_t entry = 0;
    std::vector<FilterIndex::FilterId> matching = {};
    std::vector<std::uint32_t> generations = {};
    std::size_t next_match = 0;
    std::string result = {};
    std::string cursor = {};
  };
  // Checks or notifies at most `work_max` filters in this step, but handles at least one log; true when all
  // is published.
  bool publish_some_logs(LogsPass& pass, std::size_t work_max);
  // The same for a block that was published before. Logs that another loop requested are dropped if they were
  // already published here or concern nobody here.
  std::size_t publish_late_logs(const Header& header, const BlockLogs& logs);
  bool wants_late_logs(const Header& header) const;
  // Whether a subscriber here may have been sent logs of the block, which is about to be removed.
  bool may_have_told_logs(const Header& header) const;
  // The logs of this block will not come. False if they were published, or concern nobody here.
  bool miss_logs(const Header& header);
  // A subscriber to logs that comes while logs of announced blocks are outstanding begins after the last
  // published head, once those logs have arrived. Returns the subscriptions to activate again now.
  std::vector<std::pair<ConnectionKey, std::string>> take_ready();
  // The block is no longer part of the chain. Call after its logs were retracted.
  void note_removed(const Header& header);
  // The block was fully published. Subscriptions with cursors that got nothing for long are sent a new cursor
  // from time to time.
  void note_told(const Header& header);
  // Data of these blocks will be missing: notifies the subscriptions with cursors, which have a notice for
  // it.
  void publish_missed(SubscriptionType type, std::uint64_t first, std::uint64_t last, MissedBecause because);
  // The receipts of one block, to the filters they match, one notification for each filter. Blocks come in
  // order: one that was already published here is meant for another loop, and dropped.
  std::size_t publish_receipts(const Header& header, const BlockReceipts& receipts);
  // The receipts of this block will not come. False if they were published, or concern nobody here.
  bool miss_receipts(const Header& header);
  // The blocks between the last one whose receipts were published here and this one: there should be none.
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  std::optional<Range> receipts_missed_before(const Header& header) const;
  std::size_t publish_pending_hash(std::string_view hash);
  std::size_t publish_pending_body(std::string_view transaction_json);
  // `result_json` is `false` or the object with the status. The same state is not published twice; activate()
  // sends it to later subscribers.
  std::size_t publish_syncing(std::string_view result_json);

  // What the subscriptions of this loop need. Check after subscribe, unsubscribe and drop.
  Interest interest() const;

  // Connections with a live subscription of the type without cursors: such a subscription has no notice for
  // missed data.
  std::vector<ConnectionKey> connections_without_notices(SubscriptionType type) const;
  // Connections with a live subscription to whole pending transactions.
  std::vector<ConnectionKey> connections_with_pending_bodies() const;
  // Ends the live subscriptions to pending transactions (`bodies_only`: to whole ones) that asked for
  // notices. Each is sent a notice with `why` and removed. Returns how many.
  std::size_t end_pending(bool bodies_only, std::string_view why);

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
    bool is_own = false;  // of one subscription; free without a holder
  };
  struct Group {
    SubscriptionType type = SubscriptionType::new_heads;
    std::uint32_t generation = 0;
    std::string topic;  // canonical; empty: free
    std::vector<GroupId> ids;
    std::vector<std::uint32_t> shared;    // by ordinal, indices of ids
    std::vector<std::uint32_t> free_own;  // indices of ids without a holder
    std::uint32_t holders = 0;
    std::size_t alternatives = 0;  // of its filter
    bool has_cursors = false;
    bool ends_with_notice = false;
    std::uint64_t last_told = 0;  // with cursors: the block of the last notification
  };
  struct Subscription {
    std::uint32_t group = 0;
    std::uint32_t id = 0;                // index in the group's ids
    pubsub::Ticket ticket;               // of generation 0 until it is live
    std::unique_ptr<Replay> replay;      // until it is live
    std::unique_ptr<LatestHead> latest;  // in front of the connection, if the client asked for it
    bool has_waited = false;             // for the logs of blocks before it
  };
  struct Connection {
    pubsub::Subscriber* subscriber = nullptr;
    std::vector<Subscription> subscriptions;
    std::size_t alternatives = 0;  // of all of them
  };

  // The parts of a notification that differ between topics.
  struct Text {
    std::string_view member;  // "result" or "notice"
    std::string_view json;
    std::string_view cursor;  // may be empty
  };

  std::vector<ConnectionKey> connections_with_live(const std::function<bool(const Group&)>& fits) const;
  bool is_live_with_cursor(const Subscription& subscription) const;
  Missing rewind(ConnectionKey connection, Subscription& subscription);
  std::uint32_t group_for(SubscriptionRequest& wanted);
  std::uint32_t shared_id(std::uint32_t group, const Connection& connection);
  std::uint32_t own_id(std::uint32_t group);
  const SubscriptionId& id_of(const Subscription& subscription) const {
    return groups_[subscription.group].ids[subscription.id].id;
  }
  std::expected<void, RpcError> admit(ConnectionKey connection, const SubscriptionRequest& wanted) const;
  void release(const Subscription& subscription);
  void begin_log(LogsPass& pass, std::size_t index, std::size_t& work);
  void publish_match(LogsPass& pass, std::size_t index);
  bool remove(ConnectionKey connection, const SubscriptionId& id);
  std::vector<Subscription>::iterator find(Connection& connection, const SubscriptionId& id);
  Subscription* find(ConnectionKey connection, const SubscriptionId& id);
  Replay::Filters filters_of(const Subscription& subscription) const;
  Position position_for(const Group& group) const;
  static Missing missing(ConnectionKey connection, const SubscriptionId& id, const Replay& replay);
  pubsub::Ticket go_live(const Connection& connection, const Subscription& subscription);
  bool still_stands(const Header& header);
  bool logs_are_behind() const { return logs_trail_.number() && logs_trail_.number() < trail_.number(); }
  void send_latest(ConnectionKey connection, const SubscriptionId& id);
  std::optional<Missing> continue_replay(ConnectionKey connection, const SubscriptionId& id);
  std::size_t publish(std::string_view topic, const Text& text);
  std::size_t publish_to_group(std::uint32_t group, const Text& text);
  std::optional<BlockId> published() const;
  void publish_live_notices();
  bool has_topic(std::string_view topic) const { return by_topic_.contains(topic); }
  SharedBytes encode(const SubscriptionId& id, const Text& text);

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
  FilterIndex filters_;        // ids are those of the groups
  ReceiptFilters receipt_filters_;
  std::string syncing_state_;  // last published, while needed; empty: unknown
  std::optional<std::uint64_t> last_head_;
  // Heads that were published, then removed, and not replaced yet, in chain order. If the first of them
  // returns, every subscriber still has it.
  std::deque<Hash256> taken_back_;
  Trail trail_;  // the chain as published here
  // The chain as far as receipts were published; while they are needed.
  Trail receipts_trail_;
  std::optional<BlockId> receipts_after_;  // where publishing of receipts began
  // The chain as far as logs were published, which may lag behind heads.
  Trail logs_trail_;
  std::optional<BlockId> logs_after_;
  struct WaitsForLogs {
    ConnectionKey connection = 0;
    std::string id;
    std::uint64_t number = 0;  // of the last block whose logs it does not get
  };
  std::vector<WaitsForLogs> waiting_for_logs_;
  std::string scratch_;
  Counters counters_;
};

}  // namespace fanfare::eth
