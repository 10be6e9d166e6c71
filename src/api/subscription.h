#pragma once
// One topic subscription of one public session, and the messages that wait because the session reads too
// slowly. Owned by its connection, in a slot of its loop's pool. Used on the loop's thread only.

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/lane.h"
#include "base/block_pool.h"
#include "fanfare/session.h"
#include "pubsub/backlog.h"
#include "session/server_session.h"

namespace fanfare::api {

class Subscription;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final
// The subscriptions of one connection that have waiting messages.
struct WaitingSubscriptions {
  std::list<Subscription*> order;  // in the order in which they began to wait
  std::size_t whole_bytes = 0;     // waiting bytes of subscriptions set back to WhenFull::close
  // While a lagged handler runs: the message that follows the dropped ones. Later messages of the same topic
  // are sent after it.
  struct InHand {
    const Subscription* of;  // null: the handler has unsubscribed from the topic
    std::string topic;
    SharedBytes frame;
  };
  std::optional<InHand> in_hand;
  // When the outbox was last empty, waiting messages went first and filled it.
  bool drain_is_next = false;

  void send_in_hand(session::ServerSession& engine);
};

class Subscription final : public pubsub::Subscriber {
 public:
  // Starts with WhenFull::close: sends every message, or ends the session. set_policy() changes that.
  static std::unique_ptr<Subscription> make(Lane& lane, session::ServerSession& engine,
                                            std::string_view topic);
  // Not virtual: it is never owned through a base class.
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  static void* operator new(std::size_t, BlockPool& room) { return room.take(); }
  static void operator delete(void* subscription) { BlockPool::give_back(subscription); }
  static void operator delete(void* subscription, BlockPool&) { BlockPool::give_back(subscription); }

  // Sets WhenFull::close, except for messages that already wait.
  void send_whole();
  // Sets one of the other policies. While messages wait, the subscription is in the list, which must outlive
  // it.
  void set_policy(TopicPolicy policy, WaitingSubscriptions& list);
  bool deliver(const SharedBytes& frame) override;
  std::optional<pubsub::Backlog::Next> take();
  const std::string& topic() const { return topic_.first; }
  const Lane::NamedTopic* key() const { return &topic_; }

  std::unique_ptr<Subscription> next;  // the next one in the list of a connection with few topics

 private:
  struct Waiting {
    pubsub::Backlog backlog;
    WaitingSubscriptions& list;
    std::list<Subscription*>::iterator place = {};  // valid unless the backlog is empty
    bool then_whole = false;  // WhenFull::close: nothing more is dropped, and this is destroyed once empty
  };

  Subscription(session::ServerSession& engine, Lane::NamedTopic& topic);
  bool keep(const SharedBytes& frame);

  session::ServerSession& engine_;
  Lane::NamedTopic& topic_;
  pubsub::Ticket ticket_;
  std::unique_ptr<Waiting> waiting_;  // null: WhenFull::close
};

static_assert(sizeof(Subscription) <= 48,
              "this, times the connections, is what a topic that all listen to costs");

}  // namespace fanfare::api
