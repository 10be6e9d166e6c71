#include "api/subscription.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::api {

std::unique_ptr<Subscription> Subscription::make(Lane& lane, session::ServerSession& engine,
                                                 std::string_view topic, TopicPolicy policy) {
  std::unique_ptr<Subscription> made(new (lane.subscriptions()) Subscription(engine, lane.enter(topic)));
  made->set_policy(policy);
  made->ticket_ = lane.subscribe_to(made->topic_, *made);
  return made;
}

Subscription::Subscription(session::ServerSession& engine, Lane::NamedTopic& topic)
    : engine_(engine), topic_(topic) {}

Subscription::~Subscription() {
  Lane* const lane = Lane::current();
  FANFARE_CHECK(lane != nullptr);
  lane->leave(topic_, ticket_);
}

void Subscription::set_policy(TopicPolicy policy) {
  // Frames that wait already keep waiting: under close they would have been sent or have ended the session.
  if (policy.when_full == WhenFull::close) {
    if (backlog_ == nullptr || backlog_->empty()) backlog_.reset();
    return;
  }
  const std::size_t frames_max =
      policy.when_full == WhenFull::keep_latest ? 1 : std::max<std::size_t>(1, policy.waiting_max);
  if (backlog_ == nullptr) {
    backlog_ = std::make_unique<pubsub::Backlog>(frames_max);
  } else {
    backlog_->set_frames_max(frames_max);
  }
}

bool Subscription::deliver(const SharedBytes& frame) {
  if (!engine_.is_open()) return false;
  if (backlog_ != nullptr && (!backlog_->empty() || engine_.is_congested())) {
    backlog_->add(frame);
    return true;
  }
  return engine_.send_frame(frame) != session::SendResult::closed;
}

std::optional<pubsub::Backlog::Next> Subscription::take() {
  return backlog_ == nullptr ? std::nullopt : backlog_->take();
}

}  // namespace fanfare::api
