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
                       ConnectionSlot slot, const streams::Request& wanted) {
  auto body = std::make_unique<EventsBody>(session, loop, std::move(slot));
  EventsBody& events = *body;
  // A proxy that collects the answer would deliver nothing.
  const session::HttpResponse head{.content_type = "text/event-stream",
                                   .body = "",
                                   .headers = {{.name = "Cache-Control", .value = "no-store"},
                                               {.name = "X-Accel-Buffering", .value = "no"}}};
  // HEAD: the body is gone.
  if (!session.start_body(head, std::nullopt, std::move(body))) return;
  events.write(as_bytes(retry_line(loop->catalog().limits())));
  // The stream was removed just now.
  if (const auto joined = events.client_.subscribe(wanted); !joined) {
    events.send(streams::error_message(joined.error(), true));
    return events.close(0, {});
  }
  events.plan_heartbeat();
}

EventsBody::EventsBody(session::HttpConnection& session, std::shared_ptr<LoopStreams> loop,
                       ConnectionSlot slot)
    : session_(session),
      loop_(std::move(loop)),
      slot_(std::move(slot)),
      client_(loop_->shared(), *this, streams::Transport::events) {}

EventsBody::~EventsBody() {
  *self_ = nullptr;
  loop_->server().loop().cancel(heartbeat_);
}

void EventsBody::on_writable(session::HttpConnection& /*session*/) {
  congested_ = false;
  client_.send_waiting();
}

void EventsBody::on_shut_down(session::HttpConnection& /*session*/) {
  close(0, {});
}

bool EventsBody::write(Bytes bytes) {
  if (ended_) return false;
  switch (session_.write_body(bytes)) {
    case session::SendResult::queued:
      return true;
    case session::SendResult::congested:
      congested_ = true;
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
  if (ended_) return false;
  if (bytes < loop_->catalog().limits().outbox_bytes_max) return true;
  // The client sees that the answer was cut off, and resumes.
  ended_ = true;
  loop_->server().loop().post([self = self_] {
    if (*self != nullptr) (*self)->session_.abort_body();
  });
  return false;
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

void EventsBody::plan_heartbeat() {
  heartbeat_ = loop_->server().loop().call_after(loop_->catalog().limits().heartbeat, [this] {
    if (!congested_) write(as_bytes(": heartbeat\n\n"));
    plan_heartbeat();
  });
}

}  // namespace fanfare::streamserver
