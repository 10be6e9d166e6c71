#include "api/subscription.h"

#include <utility>

#include "api/connection.h"
#include "api/route_endpoint.h"
#include "base/check.h"

namespace fanfare::api {

void WaitingSubscriptions::send_in_hand(session::Session& engine) {
  const SharedBytes frame = std::move(in_hand->frame);
  in_hand.reset();
  if (!frame.empty()) send_event(engine, frame);
}

std::unique_ptr<Subscription> Subscription::make(LoopContext& loop_context, session::Session& engine,
                                                 std::string_view topic) {
  std::unique_ptr<Subscription> made(new (loop_context.subscriptions())
                                         Subscription(engine, loop_context.enter(topic)));
  made->ticket_ = loop_context.subscribe_to(made->topic_, *made);
  return made;
}

Subscription::Subscription(session::Session& engine, LoopContext::NamedTopic& topic)
    : engine_(engine), topic_(topic) {}

Subscription::~Subscription() {
  if (!is_plain()) static_cast<WaitingSubscriptions&>(waiting_list()).forget(*this);
  LoopContext* const loop_context = LoopContext::current();
  FANFARE_CHECK(loop_context != nullptr);
  loop_context->leave(topic_, ticket_);
}

void Subscription::pace(TopicPolicy policy, WaitingSubscriptions& list) {
  set_policy(policy, list, LoopContext::log_of(topic_));
}

bool Subscription::deliver(const SharedBytes& frame) {
  if (is_plain()) return engine_.is_open() && engine_.send_frame(frame) != session::SendResult::closed;
  if (engine_.is_open()) static_cast<WaitingSubscriptions&>(waiting_list()).send_in_hand_of(*this, engine_);
  return PacedSubscriber::deliver(frame);
}

void Subscription::on_missed(const Missed& missed) {
  Connection& connection = Connection::of(engine_);
  const std::string topic = topic_.first;  // the handler may unsubscribe
  tell(engine_, "lagged", [&] { route_of(engine_).lagged(connection.handle(), topic, missed.count()); });
}

}  // namespace fanfare::api
