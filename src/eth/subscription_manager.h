#pragma once
// eth_subscribe and eth_unsubscribe for one network on one loop: which connection holds which subscription,
// under which id, and the text of its notifications. One thread, no I/O.
//
//   connection -> [ subscription ... ]                   to answer, to limit, to drop
//   canonical topic -> group -> id for ordinal 0, 1, ..  one text a group and ordinal, shared by all
//   subscribers
//
// A topic is a type with its canonical parameters: filters that mean the same are one topic. The k-th
// subscription of one connection to one topic has ordinal k, so its ids differ while everybody's first shares
// one frame.
//
// Order. subscribe() reserves and returns the id; nothing is delivered until activate(). The caller calls
// activate() once the reply that carries the id (of a batch: the whole batch's reply) is in the outbox, so
// that a client never sees a notification for an id it does not know yet. A subscription that goes on from a
// cursor is replayed before it is live: activate() says what to ask History for, replay() takes the answers.

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

// The caller's name for a connection; unique on this loop while the connection lives.
using ConnectionKey = std::uint64_t;

// Who else has the id of a subscription.
enum class IdScope : std::uint8_t {
  shared,  // the first subscriptions of all connections to the same: their notifications are encoded once
  own,     // nobody, ever: each such subscription costs an encoding of its own
};

struct SubscriptionManagerOptions {
  std::string network;   // "main/1": part of every id
  Salt salt{};           // the same on every loop of the process
  std::size_t loop = 0;  // tells the loops of the process apart
  std::uint32_t subscriptions_per_connection_max = 100;
  // Addresses, topics and transactions in the filters of one connection's subscriptions together.
  std::size_t alternatives_per_connection_max = 20'000;
  // Of all connections on all loops, each different filter of a loop once; outlives the manager. Null: no
  // limit.
  FilterBudget* budget = nullptr;
  // Those that somebody publishes; the others are refused as unknown.
  SubscriptionTypes types = kNewHeadsOnly;
};

class SubscriptionManager {
 public:
  // From the text of a notification to what subscribers are given (a WebSocket frame around it).
  using Framer = std::function<SharedBytes(std::string_view notification_json)>;

  struct Counters {
    std::uint64_t subscribed = 0;
    std::uint64_t unsubscribed = 0;  // by request
    std::uint64_t dropped = 0;       // with their connection
    std::uint64_t ended = 0;         // by end_pending()
    std::uint64_t refused = 0;       // any error of subscribe(), or withdrawn
    std::uint64_t encoded = 0;       // frames made
    std::uint64_t delivered = 0;     // frames handed to subscribers
    std::uint64_t replayed = 0;      // frames made for one who comes back
    std::uint64_t resumed = 0;       // became live, and missed nothing
    std::uint64_t resumed_with_notice = 0;
    std::uint64_t heads_dropped = 0;  // for those who asked for the latest only
  };

  // `topics` outlives the manager; tables may be shared by the networks of one loop.
  SubscriptionManager(SubscriptionManagerOptions options, pubsub::TopicTable& topics, Framer framer);
  SubscriptionManager(const SubscriptionManager&) = delete;
  SubscriptionManager& operator=(const SubscriptionManager&) = delete;
  ~SubscriptionManager();

  // `params_json` is the request's `params`, raw; empty if it has none. Returns the id as text. `subscriber`
  // is the connection's own and must stay until drop(). Errors: -32601 unknown type, -32602 bad parameters,
  // -32005 too many subscriptions, or too many alternatives in their filters.
  std::expected<std::string, RpcError> subscribe(ConnectionKey connection, pubsub::Subscriber& subscriber,
                                                 std::string_view params_json, IdScope ids = IdScope::shared);

  // What a subscription that is not live yet has to be told of, by History.
  struct Missing {
    ConnectionKey connection = 0;
    std::string id;
    Position from;
    HistoryNeeds needs;
  };
  // From here on the subscription is served; one to syncing is told the present state at once, if it is
  // known, and one with a cursor of its own first gets what it missed, and that is returned. Nothing happens
  // if it is gone already.
  std::optional<Missing> activate(ConnectionKey connection, std::string_view id);
  // What History answered to that: delivered as far as the subscriber's congestion allows. With the end of a
  // batch the subscription is live, or what it misses next is returned. A batch that is `live` must come
  // in its place among the events that are published.
  std::optional<Missing> replay(ConnectionKey connection, std::string_view id, HistoryBatchPtr batch);
  // The subscriber is not congested any more: goes on with what waits.
  std::vector<Missing> drained(ConnectionKey connection);
  // The next head goes on from what was published here.
  bool is_followed_by(const Header& header) const;
  // It does not: those with cursors are not live any more, and miss what lies between.
  std::vector<Missing> rewind();
  // The block published last is about to be taken back, and its logs are known to nobody here: whoever came
  // with a cursor may hold them from before, and misses that they are gone. Before note_removed().
  std::vector<Missing> rewind_logs();

  // True, or an error: -32602 bad parameters, -32000 no such subscription of this connection.
  std::expected<bool, RpcError> unsubscribe(ConnectionKey connection, std::string_view params_json);

  // What subscribe() gave is refused after all: for whom activate() was not called.
  void withdraw(ConnectionKey connection, std::string_view id);

  // The connection is gone, or about to be: forgets all of its subscriptions. May be called from deliver().
  void drop(ConnectionKey connection);

  // `header_json` is the notification's `result`. Returns how many connections took it.
  std::size_t publish_head(std::string_view header_json);
  // The same, and remembers where the chain is, for interest() and for cursors. A head that was taken back
  // and comes again before any other was told is not told again.
  std::size_t publish_head(const Header& header);
  // The head this loop's subscribers know of, when it is not published (a baseline).
  void note_head(const Header& header);
  // All logs of the block to the filters they match, in order; `removed`: for the last time, last one first.
  std::size_t publish_logs(const Header& header, const BlockLogs& logs, bool removed);
  // The same in steps, for blocks and filters that are many: until a step returns true nothing else is
  // published, and nothing is activated.
  struct LogsPass {
    HeaderPtr header;
    BlockLogsPtr logs;
    bool removed = false;
    std::size_t taken = 0;  // what publish_logs() returns

    Trail trail = {};  // from here on the manager's
    bool begun = false;
    std::size_t entry = 0;
    std::vector<FilterIndex::FilterId> matching = {};
    std::vector<std::uint32_t> generations = {};
    std::size_t next_match = 0;
    std::string result = {};
    std::string cursor = {};
  };
  // At most so many filters looked at or told in this step, and one log at least; true when all is published.
  bool publish_some_logs(LogsPass& pass, std::size_t work_max);
  // The same of a block that was published before. Those that another loop asked for, and that were told here
  // or concern nobody, are dropped.
  std::size_t publish_late_logs(const Header& header, const BlockLogs& logs);
  bool wants_late_logs(const Header& header) const;
  // Whether the logs of the block, which is about to be taken back, may have been told to somebody here.
  bool may_have_told_logs(const Header& header) const;
  // The logs of this block will not be told; false if they were, or concern nobody here.
  bool miss_logs(const Header& header);
  // Who subscribes to logs while those of announced blocks are still to come begins after the head that was
  // published last, once they have come: those for whom that is now, to be activated again.
  std::vector<std::pair<ConnectionKey, std::string>> take_ready();
  // The block is not of the chain any more; after its logs were.
  void note_removed(const Header& header);
  // All of the block was told: from time to time those with cursors learn it who got nothing for long.
  void note_told(const Header& header);
  // Of these blocks not everything will be told: for those with cursors, who have a word for it.
  void publish_missed(SubscriptionType type, std::uint64_t first, std::uint64_t last, MissedBecause because);
  // Of one block, to the filters they match, each its own in one notification. Blocks come one after the
  // other: one that was told here before is for another loop, and dropped.
  std::size_t publish_receipts(const Header& header, const BlockReceipts& receipts);
  // The receipts of this block will not be told; false if they were, or concern nobody here.
  bool miss_receipts(const Header& header);
  // The blocks between the last one whose receipts were told here and this one: there should be none.
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  std::optional<Range> receipts_missed_before(const Header& header) const;
  std::size_t publish_pending_hash(std::string_view hash);
  std::size_t publish_pending_body(std::string_view transaction_json);
  // `result_json` is `false` or the object with the status. What was told last is not told again: it is what
  // activate() tells those who come later.
  std::size_t publish_syncing(std::string_view result_json);

  // What the subscriptions of this loop need. To be looked at after subscribe, unsubscribe and drop.
  Interest interest() const;

  // Who has a live subscription of the type without cursors: such a one cannot be told that it missed
  // something.
  std::vector<ConnectionKey> connections_without_notices(SubscriptionType type) const;
  // Who has a live subscription to whole pending transactions.
  std::vector<ConnectionKey> connections_with_pending_bodies() const;
  // Ends the live subscriptions to pending transactions (`bodies_only`: to whole ones) that asked for
  // notices: each is sent one with `why`, and is gone. Returns how many.
  std::size_t end_pending(bool bodies_only, std::string_view why);

  std::size_t connections() const { return connections_.size(); }
  std::size_t subscriptions() const { return total_; }
  std::size_t subscriptions(SubscriptionType type) const;
  std::size_t subscriptions_of(ConnectionKey connection) const;
  // Different topics (type and canonical filter) that someone is subscribed to.
  std::size_t topics() const { return by_topic_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  // An id under which a group's notifications go out.
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
    std::vector<std::uint32_t> free_own;  // likewise, without a holder
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
    std::unique_ptr<LatestHead> latest;  // in front of the connection, if that was asked for
    bool has_waited = false;             // for the logs of blocks before it
  };
  struct Connection {
    pubsub::Subscriber* subscriber = nullptr;
    std::vector<Subscription> subscriptions;
    std::size_t alternatives = 0;  // of all of them
  };

  // What of a notification is not the same for all topics.
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
  std::uint64_t own_ids_ = 0;  // made so far: none is made twice
  FilterIndex filters_;        // ids are those of the groups
  ReceiptFilters receipt_filters_;
  std::string syncing_state_;  // told last, while somebody wants it; empty: not known
  std::optional<std::uint64_t> last_head_;
  // Heads that were told, are gone, and have had none told in their place, in the order of the chain: one
  // that comes back as the first of them still stands with every subscriber.
  std::deque<Hash256> taken_back_;
  Trail trail_;  // the chain as published here
  // Likewise, as far as receipts were; while somebody wants them.
  Trail receipts_trail_;
  std::optional<BlockId> receipts_after_;  // where that began
  // Likewise for logs, which may come later than heads.
  Trail logs_trail_;
  std::optional<BlockId> logs_after_;
  struct WaitsForLogs {
    ConnectionKey connection = 0;
    std::string id;
    std::uint64_t number = 0;  // of the block whose logs are not its own yet
  };
  std::vector<WaitsForLogs> waiting_for_logs_;
  std::string scratch_;
  Counters counters_;
};

}  // namespace fanfare::eth
