#pragma once
// One topic that one public session listens to, and what of it waits for a session that reads too slowly.
// Owned by its connection; it lies in a slot of its lane's pool. One thread, the loop's.

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
// Those of one connection that have something waiting.
struct WaitingSubscriptions {
  std::list<Subscription*> order;  // the first to wait first
  std::size_t whole_bytes = 0;     // what waits for those that are back at WhenFull::close
  // While a lagged handler runs: the message that it is told about. Whatever else goes to the same topic goes
  // behind it.
  struct InHand {
    const Subscription* of;  // null: the handler has left the topic
    std::string topic;
    SharedBytes frame;
  };
  std::optional<InHand> in_hand;
  // What waits went first when the outbox was last empty, and filled it.
  bool drain_is_next = false;

  void send_in_hand(session::ServerSession& engine);
};

class Subscription final : public pubsub::Subscriber {
 public:
  // Sends what is published whole, or ends the session (WhenFull::close), until it gets another policy.
  static std::unique_ptr<Subscription> make(Lane& lane, session::ServerSession& engine,
                                            std::string_view topic);
  // Not virtual: nobody owns it as anything else.
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  static void* operator new(std::size_t, BlockPool& room) { return room.take(); }
  static void operator delete(void* subscription) { BlockPool::give_back(subscription); }
  static void operator delete(void* subscription, BlockPool&) { BlockPool::give_back(subscription); }

  // WhenFull::close from here on, but for what waits already.
  void send_whole();
  // One of the others. While something waits, it is in the list, which outlives it.
  void set_policy(TopicPolicy policy, WaitingSubscriptions& list);
  bool deliver(const SharedBytes& frame) override;
  std::optional<pubsub::Backlog::Next> take();
  const std::string& topic() const { return topic_.first; }
  const Lane::NamedTopic* key() const { return &topic_; }

  std::unique_ptr<Subscription> next;  // in the list of a connection that has few

 private:
  struct Waiting {
    pubsub::Backlog backlog;
    WaitingSubscriptions& list;
    std::list<Subscription*>::iterator place = {};  // unless the backlog is empty
    bool then_whole = false;  // WhenFull::close: nothing more is dropped, and this goes once it is empty
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
