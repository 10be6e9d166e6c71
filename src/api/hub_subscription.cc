#include "api/hub_subscription.h"

#include <new>

#include "api/connection.h"
#include "api/loop_context.h"
#include "api/route_endpoint.h"
#include "base/guard.h"
#include "ws/close_code.h"

namespace fanfare::api {

HubSubscription::~HubSubscription() {
  if (!is_plain()) static_cast<WaitingSubscriptions&>(waiting_list()).forget(*this);
}

// If there is no memory to queue an event for a subscriber, it must not be lost silently.
bool HubSubscription::deliver(const SharedBytes& frame) try {
  if (is_plain()) return engine_.is_open() && send_event(engine_, frame);
  if (engine_.is_open()) static_cast<WaitingSubscriptions&>(waiting_list()).send_in_hand_of(*this, engine_);
  return PacedSubscriber::deliver(frame);
} catch (const std::bad_alloc&) {
  note_out_of_memory("an event for a subscriber");
  engine_.start_closing(ws::close_code::try_again_later, "out of memory");
  return false;
}

bool HubSubscription::send(const SharedBytes& frame) {
  return send_event(engine_, frame);
}

void HubSubscription::on_ready() {
  Connection::of(engine_).send_waiting_later();
}

void HubSubscription::tell_missed(const Missed& missed) {
  const std::shared_ptr<pubsub::Topic> topic = shared_topic();  // the handler may unsubscribe
  tell(engine_, "missed",
       [&] { route_of(engine_).missed(Connection::of(engine_).handle(), topic->name, missed); });
}

void HubSubscription::on_notice(TopicNotice notice) {
  if (!engine_.is_open()) return;
  if (notice != TopicNotice::removed) {
    const std::shared_ptr<pubsub::Topic> topic = shared_topic();
    tell(engine_, "notice",
         [&] { route_of(engine_).notice(Connection::of(engine_).handle(), topic->name, notice); });
    return;
  }
  ended_ = true;
  Connection& connection = Connection::of(engine_);
  if (!has_ended()) return connection.end_topic_when_sent();
  connection.end_topic(*topic());
}

}  // namespace fanfare::api
