#pragma once
// One plain topic that one public session listens to. Owned by its connection; it lies in a slot of its
// lane's pool. What of it waits for a session that reads too slowly: pubsub/pace.h. One thread, the loop's.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/loop_context.h"
#include "base/block_pool.h"
#include "fanfare/session.h"
#include "pubsub/pace.h"
#include "session/server_session.h"

namespace fanfare::api {

// Those of one connection that have something waiting, of plain topics and of the hub's.
struct WaitingSubscriptions : pubsub::WaitingList {
  // While a lagged or missed handler runs: the message that it is told about. Whatever else goes to the same
  // topic goes behind it.
  struct InHand {
    const pubsub::PacedSubscriber* of;  // null: the handler has left the topic
    std::string topic;
    SharedBytes frame;
  };
  std::optional<InHand> in_hand;
  // What waits went first when the outbox was last empty, and filled it.
  bool drain_is_next = false;

  void send_in_hand(session::ServerSession& engine);
  // Something else is published to its topic.
  void send_in_hand_of(const pubsub::PacedSubscriber& subscriber, session::ServerSession& engine) {
    if (in_hand && in_hand->of == &subscriber) send_in_hand(engine);
  }
  void forget(const pubsub::PacedSubscriber& subscriber) {
    if (in_hand && in_hand->of == &subscriber) in_hand->of = nullptr;
  }
};

class Subscription final : public pubsub::PacedSubscriber {
 public:
  // Sends what is published whole, or ends the session (WhenFull::close), until it gets another policy.
  static std::unique_ptr<Subscription> make(LoopContext& loop_context, session::ServerSession& engine,
                                            std::string_view topic);
  // Not virtual: nobody owns it as anything else.
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  static void* operator new(std::size_t, BlockPool& room) { return room.take(); }
  static void operator delete(void* subscription) { BlockPool::give_back(subscription); }
  static void operator delete(void* subscription, BlockPool&) { BlockPool::give_back(subscription); }

  // One that is not WhenFull::close. While something waits, it is in the list, which outlives it.
  void pace(TopicPolicy policy, WaitingSubscriptions& list);
  bool deliver(const SharedBytes& frame) override;
  std::string_view topic_name() const override { return topic_.first; }
  void on_missed(const Missed& missed) override;
  const LoopContext::NamedTopic* key() const { return &topic_; }

  std::unique_ptr<Subscription> next;  // in the list of a connection that has few

 private:
  Subscription(session::ServerSession& engine, LoopContext::NamedTopic& topic);

  bool is_open() const override { return engine_.is_open(); }
  bool is_congested() const override { return engine_.is_congested(); }
  bool send(const SharedBytes& frame) override {
    return engine_.send_frame(frame) != session::SendResult::closed;
  }
  bool has_room_behind(std::size_t bytes) override { return engine_.has_room_behind(bytes); }
  void on_ready() override {}  // what waits does so behind a congested outbox, which says when it is drained

  session::ServerSession& engine_;
  LoopContext::NamedTopic& topic_;
  pubsub::Ticket ticket_;
};

static_assert(sizeof(Subscription) <= 48,
              "this, times the connections, is what a topic that all listen to costs");

}  // namespace fanfare::api
