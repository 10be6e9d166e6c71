#include "api/subscription.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace fanfare::api {

void WaitingSubscriptions::send_in_hand(session::ServerSession& engine) {
  const SharedBytes frame = std::move(in_hand->frame);
  in_hand.reset();
  engine.send_frame(frame);
}

std::unique_ptr<Subscription> Subscription::make(Lane& lane, session::ServerSession& engine,
                                                 std::string_view topic) {
  std::unique_ptr<Subscription> made(new (lane.subscriptions()) Subscription(engine, lane.enter(topic)));
  made->ticket_ = lane.subscribe_to(made->topic_, *made);
  return made;
}

Subscription::Subscription(session::ServerSession& engine, Lane::NamedTopic& topic)
    : engine_(engine), topic_(topic) {}

Subscription::~Subscription() {
  if (waiting_ != nullptr) {
    WaitingSubscriptions& list = waiting_->list;
    if (!waiting_->backlog.empty()) list.order.erase(waiting_->place);
    if (waiting_->then_whole) list.whole_bytes -= waiting_->backlog.bytes();
    if (list.in_hand && list.in_hand->of == this) list.in_hand->of = nullptr;
  }
  Lane* const lane = Lane::current();
  FANFARE_CHECK(lane != nullptr);
  lane->leave(topic_, ticket_);
}

// Waiting frames keep waiting, and later frames queue after them. All of them are sent, or the session ends.
void Subscription::send_whole() {
  if (waiting_ == nullptr || waiting_->then_whole) return;
  if (waiting_->backlog.empty()) {
    waiting_.reset();
  } else {
    waiting_->then_whole = true;
    waiting_->backlog.set_frames_max(SIZE_MAX);
    waiting_->list.whole_bytes += waiting_->backlog.bytes();
  }
}

void Subscription::set_policy(TopicPolicy policy, WaitingSubscriptions& list) {
  const std::size_t frames_max =
      policy.when_full == WhenFull::keep_latest ? 1 : std::max<std::size_t>(1, policy.waiting_max);
  if (waiting_ == nullptr) {
    waiting_ = std::make_unique<Waiting>(pubsub::Backlog(frames_max), list);
  } else {
    if (std::exchange(waiting_->then_whole, false)) waiting_->list.whole_bytes -= waiting_->backlog.bytes();
    waiting_->backlog.set_frames_max(frames_max);
  }
}

bool Subscription::deliver(const SharedBytes& frame) {
  if (!engine_.is_open()) return false;
  if (waiting_ != nullptr) {
    WaitingSubscriptions& list = waiting_->list;
    if (list.in_hand && list.in_hand->of == this) list.send_in_hand(engine_);
    if (waiting_->then_whole && waiting_->backlog.empty()) {
      waiting_.reset();
    } else if (!waiting_->backlog.empty() || engine_.is_congested()) {
      return keep(frame);
    }
  }
  return engine_.send_frame(frame) != session::SendResult::closed;
}

bool Subscription::keep(const SharedBytes& frame) {
  WaitingSubscriptions& list = waiting_->list;
  if (waiting_->then_whole) {
    if (!engine_.has_room_behind(list.whole_bytes)) return false;
    list.whole_bytes += frame.size();
  }
  if (waiting_->backlog.empty()) waiting_->place = list.order.insert(list.order.end(), this);
  waiting_->backlog.add(frame);
  return true;
}

std::optional<pubsub::Backlog::Next> Subscription::take() {
  if (waiting_ == nullptr) return std::nullopt;
  auto oldest = waiting_->backlog.take();
  if (oldest && waiting_->then_whole) waiting_->list.whole_bytes -= oldest->frame.size();
  if (!oldest || !waiting_->backlog.empty()) return oldest;
  waiting_->list.order.erase(waiting_->place);
  return oldest;
}

}  // namespace fanfare::api
