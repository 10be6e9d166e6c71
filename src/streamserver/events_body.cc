#include "streamserver/events_body.h"

#include <string>
#include <utility>

#include "base/bytes.h"
#include "streams/messages.h"

namespace fanfare::streamserver {
namespace {

std::string retry_line(const streams::Limits& limits) {
  const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(limits.reconnect_min);
  return "retry: " + std::to_string(wait.count()) + "\n\n";
}

}  // namespace

void EventsBody::start(session::HttpConnection& session, const std::shared_ptr<LoopStreams>& loop,
                       ConnectionSlot slot, std::unique_ptr<streams::Permit> permit,
                       const streams::Request& wanted) {
  auto body = std::make_unique<EventsBody>(session, loop, std::move(slot), std::move(permit));
  EventsBody& events = *body;
  // A proxy that collects the answer would deliver nothing.
  const session::HttpResponse head{.content_type = "text/event-stream",
                                   .body = "",
                                   .headers = {{.name = "Cache-Control", .value = "no-store"},
                                               {.name = "X-Accel-Buffering", .value = "no"}}};
  // HEAD: the body is gone.
  if (!session.start_body(head, std::nullopt, std::move(body))) return;
  events.write(as_bytes(retry_line(loop->catalog().limits())));
  if (events.permit_ != nullptr) events.permit_->begin(events);
  // The stream was removed just now, or a quota is used up.
  if (const auto joined = events.client_.subscribe(wanted); !joined) {
    events.send(streams::error_message(joined.error(), true));
    return events.close(0, {});
  }
  events.plan_heartbeat();
}

EventsBody::EventsBody(session::HttpConnection& session, std::shared_ptr<LoopStreams> loop,
                       ConnectionSlot slot, std::unique_ptr<streams::Permit> permit)
    : session_(session),
      loop_(std::move(loop)),
      slot_(std::move(slot)),
      permit_(std::move(permit)),
      client_(loop_->shared(), *this, streams::Transport::events, permit_.get()) {}

EventsBody::~EventsBody() {
  *self_ = nullptr;
  loop_->slow_watch().remove(*this);
  loop_->server().loop().cancel(heartbeat_);
}

void EventsBody::on_writable(session::HttpConnection& /*session*/) {
  set_congested(false);
  client_.send_waiting();
}

void EventsBody::on_shut_down(session::HttpConnection& /*session*/) {
  close(0, {});
}

// One message may exceed the limit; what already waits counts, as for a WebSocket.
bool EventsBody::has_room(std::size_t waiting_bytes) {
  if (session_.queued_bytes() + waiting_bytes < loop_->catalog().limits().outbox_bytes_max) return true;
  cut_off();
  return false;
}

// Not within the call: the body is destroyed when it ends.
void EventsBody::cut_off() {
  if (std::exchange(ended_, true)) return;
  loop_->server().loop().post([self = self_] {
    if (*self != nullptr) (*self)->session_.abort_body();
  });
}

void EventsBody::set_congested(bool is_congested) {
  if (std::exchange(congested_, is_congested) == is_congested) return;
  if (is_congested) {
    loop_->slow_watch().add(*this);
  } else {
    loop_->slow_watch().remove(*this);
  }
}

bool EventsBody::write(Bytes bytes) {
  if (ended_ || !has_room(0)) return false;
  if (permit_ != nullptr) permit_->charge_bytes(bytes.size());
  switch (session_.write_body(bytes)) {
    case session::SendResult::queued:
      set_congested(session_.queued_bytes() >= outbox_bytes_high(loop_->catalog().limits()));
      return true;
    case session::SendResult::congested:
      set_congested(true);
      return true;
    case session::SendResult::closed:
      ended_ = true;
      return false;
  }
  return false;
}

void EventsBody::send(std::string_view json) {
  write(as_bytes(streams::sse_event({}, json)));
}

bool EventsBody::send_shared(const SharedBytes& bytes) {
  return write(bytes.view());
}

bool EventsBody::has_room_behind(std::size_t bytes) {
  return !ended_ && has_room(bytes);
}

void EventsBody::send_waiting_later() {
  if (std::exchange(sends_later_, true)) return;
  loop_->server().loop().post([self = self_] {
    if (*self == nullptr) return;
    EventsBody& events = **self;
    events.sends_later_ = false;
    events.client_.send_waiting();
  });
}

// Not within the call: the body is destroyed when it ends.
void EventsBody::close(std::uint16_t /*code*/, std::string_view /*reason*/) {
  if (std::exchange(ended_, true)) return;
  loop_->server().loop().post([self = self_] {
    if (*self != nullptr) (*self)->session_.end_body();
  });
}

void EventsBody::on_permit_changed() {
  client_.check_permit();
  if (client_.subscriptions() == 0) close(0, {});
}

void EventsBody::on_permit_ended(std::string_view reason) {
  client_.end_all(reason);
  close(0, {});
}

void EventsBody::plan_heartbeat() {
  heartbeat_ = loop_->server().loop().call_after(loop_->catalog().limits().heartbeat, [this] {
    if (!congested_) write(as_bytes(": heartbeat\n\n"));
    plan_heartbeat();
  });
}

}  // namespace fanfare::streamserver
