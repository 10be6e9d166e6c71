#include "api/subscription.h"

#include <algorithm>

#include "base/check.h"

namespace fanfare::api {

std::unique_ptr<Subscription> Subscription::make(Lane& lane, session::ServerSession& engine,
                                                 std::string_view topic) {
  std::unique_ptr<Subscription> made(new (lane.subscriptions()) Subscription(engine, lane.enter(topic)));
  made->ticket_ = lane.subscribe_to(made->topic_, *made);
  return made;
}

Subscription::Subscription(session::ServerSession& engine, Lane::NamedTopic& topic)
    : engine_(engine), topic_(topic) {}

Subscription::~Subscription() {
  if (waiting_ != nullptr && !waiting_->backlog.empty()) waiting_->list.erase(waiting_->place);
  Lane* const lane = Lane::current();
  FANFARE_CHECK(lane != nullptr);
  lane->leave(topic_, ticket_);
}

// Frames that wait already keep waiting: under close they would have been sent or have ended the session.
void Subscription::send_whole() {
  if (waiting_ == nullptr) return;
  if (waiting_->backlog.empty()) {
    waiting_.reset();
  } else {
    waiting_->then_whole = true;
  }
}

void Subscription::set_policy(TopicPolicy policy, WaitingSubscriptions& list) {
  const std::size_t frames_max =
      policy.when_full == WhenFull::keep_latest ? 1 : std::max<std::size_t>(1, policy.waiting_max);
  if (waiting_ == nullptr) {
    waiting_ = std::make_unique<Waiting>(pubsub::Backlog(frames_max), list);
  } else {
    waiting_->backlog.set_frames_max(frames_max);
    waiting_->then_whole = false;
  }
}

bool Subscription::deliver(const SharedBytes& frame) {
  if (!engine_.is_open()) return false;
  if (waiting_ == nullptr || (waiting_->backlog.empty() && !engine_.is_congested())) {
    return engine_.send_frame(frame) != session::SendResult::closed;
  }
  if (waiting_->backlog.empty()) waiting_->place = waiting_->list.insert(waiting_->list.end(), this);
  waiting_->backlog.add(frame);
  return true;
}

std::optional<pubsub::Backlog::Next> Subscription::take() {
  if (waiting_ == nullptr) return std::nullopt;
  auto oldest = waiting_->backlog.take();
  if (!oldest || !waiting_->backlog.empty()) return oldest;
  waiting_->list.erase(waiting_->place);
  if (waiting_->then_whole) waiting_.reset();
  return oldest;
}

}  // namespace fanfare::api
