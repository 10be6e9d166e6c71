#pragma once
// One plain topic subscription of one public session. Owned by its connection, in a slot of its loop's pool.
// pubsub/pace.h handles the messages that wait for a slow session. Used on the loop's thread only.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/loop_context.h"
#include "base/block_pool.h"
#include "fanfare/session.h"
#include "pubsub/pace.h"
#include "session/session.h"

namespace fanfare::api {

// The subscriptions of one connection that have waiting messages, to plain and hub topics.
struct WaitingSubscriptions : pubsub::WaitingList {
  // While a lagged or missed handler runs: the message that follows the dropped ones. Later messages of the
  // same topic are sent after it.
  struct InHand {
    const pubsub::PacedSubscriber* of;  // null: the handler has unsubscribed from the topic
    std::string topic;
    SharedBytes frame;
  };
  std::optional<InHand> in_hand;
  // When the outbox was last empty, waiting messages went first and filled it.
  bool drain_is_next = false;

  void send_in_hand(session::Session& engine);
  // Called when another message is published to the topic.
  void send_in_hand_of(const pubsub::PacedSubscriber& subscriber, session::Session& engine) {
    if (in_hand && in_hand->of == &subscriber) send_in_hand(engine);
  }
  void forget(const pubsub::PacedSubscriber& subscriber) {
    if (in_hand && in_hand->of == &subscriber) in_hand->of = nullptr;
  }
};

class Subscription final : public pubsub::PacedSubscriber {
 public:
  // Starts with WhenFull::close: sends every message, or ends the session. set_policy() changes that.
  static std::unique_ptr<Subscription> make(LoopContext& loop_context, session::Session& engine,
                                            std::string_view topic);
  // Not virtual: it is never owned through a base class.
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  static void* operator new(std::size_t, BlockPool& room) { return room.take(); }
  static void operator delete(void* subscription) { BlockPool::give_back(subscription); }
  static void operator delete(void* subscription, BlockPool&) { BlockPool::give_back(subscription); }

  // Sets a policy other than WhenFull::close. While messages wait, the subscription is in the list, which
  // must outlive it.
  void pace(TopicPolicy policy, WaitingSubscriptions& list);
  bool deliver(const SharedBytes& frame) override;
  std::string_view topic_name() const override { return topic_.first; }
  void on_missed(const Missed& missed) override;
  const LoopContext::NamedTopic* key() const { return &topic_; }

  std::unique_ptr<Subscription> next;  // the next one in the list of a connection with few topics

 private:
  Subscription(session::Session& engine, LoopContext::NamedTopic& topic);

  bool is_open() const override { return engine_.is_open(); }
  bool is_congested() const override { return engine_.is_congested(); }
  bool send(const SharedBytes& frame) override {
    return engine_.send_frame(frame) != session::SendResult::closed;
  }
  bool has_room_behind(std::size_t bytes) override { return engine_.has_room_behind(bytes); }
  void on_ready() override {}  // messages wait behind a congested outbox, which reports when it is drained

  session::Session& engine_;
  LoopContext::NamedTopic& topic_;
  pubsub::Ticket ticket_;
};

static_assert(sizeof(Subscription) <= 48,
              "this, times the connections, is what a topic that all listen to costs");

}  // namespace fanfare::api
