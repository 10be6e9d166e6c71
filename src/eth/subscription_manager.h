#pragma once
// eth_subscribe and eth_unsubscribe for one network on one loop: the path of the source's events to the feeds
// (feeds/feed.h), which make the texts, and from there to the subscriptions (subscription_table.h). It knows no
// subscription type. One thread, no I/O.
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
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_bytes.h"
#include "eth/cursor.h"
#include "eth/feeds/feed.h"
#include "eth/history.h"
#include "eth/interest.h"
#include "eth/notifier.h"
#include "eth/resume_link.h"
#include "eth/session_subscriptions.h"
#include "eth/source_event.h"
#include "eth/subscription_aftermath.h"
#include "eth/subscription_table.h"
#include "pubsub/topic_table.h"

namespace fanfare::eth {

class SubscriptionManager final : private FeedLoop, private SubscriptionTable::GroupObserver {
 public:
  using Framer = Notifier::Framer;
  using Counters = SubscriptionCounters;

  // `topics` must outlive the manager; the networks of one loop may share it.
  SubscriptionManager(SubscriptionManagerOptions options, pubsub::TopicTable& topics, Framer framer);
  SubscriptionManager(const SubscriptionManager&) = delete;
  SubscriptionManager& operator=(const SubscriptionManager&) = delete;
  ~SubscriptionManager();

  // `params_json` is the raw `params` of the request; empty if it has none. Returns the id as text. `subscriber` belongs to
  // the connection and must stay valid until drop(). Errors: -32601 unknown type,
  // -32602 bad parameters, -32005 too many subscriptions, or too many alternatives in their filters. `session`: null, or what
  // the connection continues (session_subscriptions.h); it must outlive the subscription.
  std::expected<std::string, RpcError> subscribe(ConnectionKey connection, pubsub::Subscriber& subscriber,
                                                 std::string_view params_json, IdScope ids = IdScope::shared,
                                                 ResumeLink* session = nullptr);
  // Whether activate() will send what it missed. Only of a session: one with a cursor of its own has asked for that.
  bool continues(ConnectionKey connection, std::string_view id) {
    return sessions_.continues(connection, id);
  }

  // Of a connection, from its next one on.
  void set_subscriptions_max(std::uint32_t max) { table_.set_subscriptions_max(max); }

  // Empty: the connection has no such subscription.
  std::optional<SubscriptionType> type_of(ConnectionKey connection, std::string_view id) {
    return table_.type_of(connection, id);
  }
  using Missing = MissingHistory;
  // The subscription is served from now on. One with a cursor of its own first gets what it missed, which is returned. In
  // the middle of an event this happens at its end. Does nothing if the subscription is gone.
  std::optional<Missing> activate(ConnectionKey connection, std::string_view id);
  // Takes History's answer to that, and delivers it as far as the subscriber's congestion allows. At the end of a batch the
  // subscription is live, or its next missing part is returned. A batch that is `live` must be passed at its position among
  // the published events.
  std::optional<Missing> replay(ConnectionKey connection, std::string_view id, HistoryBatchPtr batch);
  // The subscriber is no longer congested: continues to deliver.
  std::vector<Missing> drained(ConnectionKey connection);

  // Takes the source's next event. The caller calls step() until it returns true, before anything else is passed in. A step
  // checks or notifies at most `work_max` filters, but handles at least one log.
  void begin(const SourceEvent& event);
  bool step(std::size_t work_max);
  void publish(const SourceEvent& event);  // both, in one go
  // The event could not be published, or not wholly. Subscriptions with cursors replay; others end, with `why`.
  void lose_event(const std::string& why);
  using Aftermath = SubscriptionAftermath;
  Aftermath take_aftermath();
  // The number of the last head published here.
  std::optional<std::uint64_t> head() const { return last_head_; }
  // True, or an error: -32602 bad parameters, -32000 no such subscription of this connection or its session.
  std::expected<bool, RpcError> unsubscribe(ConnectionKey connection, std::string_view params_json,
                                            const ResumeLink* session = nullptr);

  // Revokes an id of subscribe() for which activate() was not called.
  void withdraw(ConnectionKey connection, std::string_view id) {
    if (sessions_.withdraw(connection, id)) ++counters_.refused;
  }

  // The connection is closed or closing: removes all of its subscriptions. May be called from deliver().
  void drop(ConnectionKey connection) {
    sessions_.drop(connection);
    counters_.dropped += table_.drop(connection);
  }

  // What the subscriptions of this loop need. Check after subscribe, unsubscribe and drop.
  Interest interest() const;
  std::size_t connections() const { return table_.connection_count(); }
  std::size_t subscriptions() const { return table_.size(); }
  std::size_t subscriptions(SubscriptionType type) const { return table_.size(type); }
  std::size_t subscriptions_of(ConnectionKey connection) const { return table_.size_of(connection); }
  // The topics of one connection's subscriptions, at most `most` of them, each cut after `bytes_max` bytes: for people.
  std::vector<std::string> topics_of(ConnectionKey connection, std::size_t most,
                                     std::size_t bytes_max = 160) const {
    return table_.topics_of(connection, most, bytes_max);
  }
  // Distinct topics (type and canonical filter) with subscribers.
  std::size_t topics() const { return table_.topics(); }
  const Counters& counters() const { return counters_; }

 private:
  using Subscription = SubscriptionTable::Subscription;
  using Connection = SubscriptionTable::Connection;
  using Group = SubscriptionTable::Group;

  // SubscriptionTable::GroupObserver
  void on_group_added(GroupIndex group, SubscriptionRequest& wanted) override {
    feed(wanted.type).add(group, wanted);
  }
  void on_group_removed(GroupIndex group) override { feed(table_.group(group).type).remove(group); }
  // FeedLoop
  const Salt& salt() const override { return table_.options().salt; }
  const Trail& trail() const override { return trail_; }
  FeedGroup& group(GroupIndex index) override { return table_.group(index); }
  std::size_t publish(GroupIndex group, const Notification& text) override;
  void replay(SubscriptionType type) override;
  void close(const Fits& fits, std::string why) override;
  void end(const Fits& fits, std::string_view why) override;
  void activate_held(ConnectionKey connection, const std::string& id) override;
  void count_match() override { ++counters_.blocks_matched; }

  Feed& feed(SubscriptionType type) const { return *feeds_[static_cast<std::size_t>(type)]; }
  void break_off();
  void end_event();
  std::optional<Missing> go_live_or_ask(ConnectionKey connection, const SubscriptionId& id);
  Missing rewind(ConnectionKey connection, Subscription& subscription);
  Missing missing(ConnectionKey connection, const SubscriptionId& id, const Subscription& subscription) const;
  void go_live(const Connection& connection, Subscription& subscription);
  void send_latest(ConnectionKey connection, const SubscriptionId& id);
  std::optional<Missing> continue_replay(ConnectionKey connection, const SubscriptionId& id);

  Counters counters_;
  Notifier notifier_;
  SubscriptionTable table_;
  SessionSubscriptions sessions_;
  std::array<std::unique_ptr<Feed>, kSubscriptionTypes> feeds_;  // destroyed before the groups they use
  std::optional<std::uint64_t> last_head_;
  Trail trail_;  // the chain as published here
  // The event in progress: what ends with it.
  bool is_publishing_ = false;
  HeaderPtr removed_;
  std::vector<std::pair<ConnectionKey, std::string>> activate_later_;
  Aftermath aftermath_;
};

}  // namespace fanfare::eth
