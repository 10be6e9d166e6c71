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
// that a client never sees a notification for an id it does not know yet.

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/shared_bytes.h"
#include "eth/block_logs.h"
#include "eth/filter_index.h"
#include "eth/header.h"
#include "eth/interest.h"
#include "eth/subscription_id.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

enum class SubscriptionType : std::uint8_t {
  new_heads,
  logs,
  new_pending_transactions,
  syncing,
};
inline constexpr std::size_t kSubscriptionTypes = 4;

// A set of types: bits in the enumerators' order.
using SubscriptionTypes = std::bitset<kSubscriptionTypes>;
inline constexpr SubscriptionTypes kNewHeadsOnly{1U};
inline constexpr SubscriptionTypes kAllSubscriptionTypes{0xFU};

// As clients write it.
std::string_view name_of(SubscriptionType type);

struct RpcError {
  int code = 0;
  std::string message;
};

// The caller's name for a connection; unique on this loop while the connection lives.
using ConnectionKey = std::uint64_t;

struct SubscriptionManagerOptions {
  std::string network;  // "main/1": part of every id
  Salt salt{};          // the same on every loop of the process
  std::uint32_t subscriptions_per_connection_max = 100;
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
    std::uint64_t refused = 0;       // any error of subscribe()
    std::uint64_t encoded = 0;       // frames made
    std::uint64_t delivered = 0;     // frames handed to subscribers
  };

  // `topics` outlives the manager; tables may be shared by the networks of one loop.
  SubscriptionManager(SubscriptionManagerOptions options, pubsub::TopicTable& topics, Framer framer);
  SubscriptionManager(const SubscriptionManager&) = delete;
  SubscriptionManager& operator=(const SubscriptionManager&) = delete;
  ~SubscriptionManager();

  // `params_json` is the request's `params`, raw; empty if it has none. Returns the id as text. `subscriber`
  // is the connection's own and must stay until drop(). Errors: -32601 unknown type, -32602 bad parameters,
  // -32005 too many subscriptions.
  std::expected<std::string, RpcError> subscribe(ConnectionKey connection, pubsub::Subscriber& subscriber,
                                                 std::string_view params_json);

  // From here on the subscription is served. Nothing happens if it is gone already.
  void activate(ConnectionKey connection, std::string_view id);

  // True, or an error: -32602 bad parameters, -32000 no such subscription of this connection.
  std::expected<bool, RpcError> unsubscribe(ConnectionKey connection, std::string_view params_json);

  // The connection is gone, or about to be: forgets all of its subscriptions. May be called from deliver().
  void drop(ConnectionKey connection);

  // `header_json` is the notification's `result`. Returns how many connections took it.
  std::size_t publish_head(std::string_view header_json);
  // The same, and remembers its number for interest().
  std::size_t publish_head(const Header& header);
  // The head this loop's subscribers know of, when it is not published (a baseline).
  void note_head(std::uint64_t number) { last_head_ = number; }
  // All logs of one block to the filters they match, in order; `removed`: for the last time, last one first.
  std::size_t publish_logs(const BlockLogs& logs, bool removed);
  std::size_t publish_pending_hash(std::string_view hash);
  std::size_t publish_pending_body(std::string_view transaction_json);
  // `result_json` is `false` or the object with the status.
  std::size_t publish_syncing(std::string_view result_json);

  // What the subscriptions of this loop need. To be looked at after subscribe, unsubscribe and drop.
  Interest interest() const;

  // Who has at least one subscription of the type: for what concerns connections and not subscriptions.
  std::vector<ConnectionKey> connections_with(SubscriptionType type) const;

  std::size_t connections() const { return connections_.size(); }
  std::size_t subscriptions() const { return total_; }
  std::size_t subscriptions(SubscriptionType type) const;
  std::size_t subscriptions_of(ConnectionKey connection) const;
  // Different topics (type and canonical filter) that someone is subscribed to.
  std::size_t topics() const { return by_topic_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Wanted;
  struct Ordinal {
    SubscriptionId id;
    std::uint32_t holders = 0;
  };
  struct Group {
    SubscriptionType type = SubscriptionType::new_heads;
    std::uint32_t generation = 0;
    std::string topic;              // canonical; empty: free
    std::vector<Ordinal> ordinals;  // by ordinal
    std::uint32_t holders = 0;
  };
  struct Subscription {
    std::uint32_t group = 0;
    std::uint32_t ordinal = 0;
    pubsub::Ticket ticket;  // of generation 0 until it is active
  };
  struct Connection {
    pubsub::Subscriber* subscriber = nullptr;
    std::vector<Subscription> subscriptions;
  };

  std::uint32_t group_for(Wanted& wanted);
  void release(const Subscription& subscription);
  std::vector<Subscription>::iterator find(Connection& connection, const SubscriptionId& id);
  static std::expected<Wanted, RpcError> read_params(std::string_view params, SubscriptionTypes types);
  std::size_t publish(std::string_view topic, std::string_view result_json);
  std::size_t publish_to_group(std::uint32_t group, std::string_view result_json);
  bool has_topic(std::string_view topic) const { return by_topic_.contains(topic); }
  SharedBytes encode(const SubscriptionId& id, std::string_view result_json);

  SubscriptionManagerOptions options_;
  pubsub::TopicTable& topics_;
  Framer framer_;
  std::unordered_map<ConnectionKey, Connection> connections_;
  std::deque<Group> groups_;
  std::vector<std::uint32_t> free_groups_;
  std::unordered_map<std::string_view, std::uint32_t> by_topic_;  // keys are the groups' own strings
  std::array<std::size_t, kSubscriptionTypes> by_type_{};
  std::size_t total_ = 0;
  FilterIndex filters_;  // ids are those of the groups
  std::optional<std::uint64_t> last_head_;
  std::string scratch_;
  Counters counters_;
};

}  // namespace fanfare::eth
