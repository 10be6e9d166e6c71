#include "fleet_session.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "fleet_clients.h"
#include "fleet_world.h"
#include "ws/close_code.h"

namespace fanfare::fleet {
namespace {

// The payload of a server's text frame.
std::string_view payload_of(const SharedBytes& frame) {
  const Bytes bytes = frame.view();
  const std::size_t header = bytes[1] < 126 ? 2 : bytes[1] == 126 ? 4 : 10;
  return as_text(bytes.subspan(header));
}

constexpr std::size_t kBytesBehindMax = 16 << 10;

}  // namespace

// --- the connection ------------------------------------------------------------------------------------

void Wire::tell(Told told) {
  if (!is_open()) return;
  sent_.push_back(std::move(told));
  if (sent_.size() > kSentMax) close(ws::close_code::try_again_later);
  plan_read();
}

void Wire::close(int code) {
  if (!is_open()) return;
  sent_.push_back({.kind = Told::Kind::closed, .text = std::to_string(code)});
  is_open_ = false;
  plan_read();
  if (gone) gone();
}

void Wire::abandon() {
  is_open_ = false;
  drained = nullptr;
  gone = nullptr;
  sent_.resize(std::min<std::size_t>(sent_.size(), world().random.below(sent_.size() + 1)));
  world().time.call_after(world().between(0ms, 3s), [self = shared_from_this()] {
    self->sent_.push_back({.kind = Told::Kind::closed, .text = "lost"});
    self->plan_read();
  });
}

void Wire::cut(bool is_noticed_at_once) {
  client_ = nullptr;
  if (!is_open()) return;
  const Duration notices_in = is_noticed_at_once ? 0ms : world().between(0ms, 6s);
  call_in(process_, world().time.now() + notices_in, [self = shared_from_this()] {
    if (!std::exchange(self->is_open_, false)) return;
    if (self->gone) self->gone();
  });
}

void Wire::plan_read() {
  if (client_ == nullptr || sent_.empty() || std::exchange(is_planned_, true)) return;
  world().time.call_after(world().between(100us, client_->pace()),
                          [self = shared_from_this()] { self->read(); });
}

void Wire::read() {
  is_planned_ = false;
  if (client_ == nullptr || sent_.empty()) return;
  const Told told = std::move(sent_.front());
  sent_.pop_front();
  if (sent_.size() + 1 == kRoom && is_open() && drained) drained();
  client_->read(*this, told);
  plan_read();
}

// --- topics of a program -------------------------------------------------------------------------------

TopicSession::TopicSession(std::shared_ptr<Wire> wire, pubsub::LoopHub& hub,
                           std::shared_ptr<pubsub::Topic> topic, std::optional<Position> since)
    : Session(std::move(wire)), hub_(hub), joined_(std::move(topic)), since_(since) {}

void TopicSession::begin() {
  if (since_ && world().planted == Planted::resume_skips_one && world().one_in(4)) ++since_->offset;
  const auto joined = hub_.join(joined_, *this, list, {.since = since_});
  if (!joined) return wire().close(ws::close_code::service_restart);
  wire().tell({.kind = Told::Kind::joined,
               .at = joined->position,
               .recovered = joined->recovered,
               .missed = joined->missing});
}

void TopicSession::drained() {
  while (wire().is_open() && is_behind() && !is_congested()) {
    const auto next = take();
    if (next->missed) on_missed(*next->missed);
    if (!next->frame.empty()) send(next->frame);
  }
}

// "EPOCH-OFFSET TEXT".
bool TopicSession::send(const SharedBytes& frame) {
  const std::string_view text = as_text(frame.view());
  const std::size_t dash = text.find('-');
  const std::size_t space = text.find(' ');
  Told told{.kind = Told::Kind::event, .text = std::string(text.substr(space + 1))};
  std::from_chars(text.data(), text.data() + dash, told.at.epoch);
  std::from_chars(text.data() + dash + 1, text.data() + space, told.at.offset);
  wire().tell(std::move(told));
  return wire().is_open();
}

bool TopicSession::has_room_behind(std::size_t bytes) {
  if (bytes < kBytesBehindMax) return true;
  wire().close(ws::close_code::try_again_later);
  return false;
}

void TopicSession::tell_missed(const Missed& missed) {
  if (world().planted == Planted::silent_gap) return;
  wire().tell({.kind = Told::Kind::missed, .missed = missed});
}

void TopicSession::drained_later() {
  if (wire().drained) wire().drained();
}

// --- streams -------------------------------------------------------------------------------------------

StreamSession::StreamSession(std::shared_ptr<Wire> wire, streams::LoopStreams& loop,
                             std::string first_message)
    : Session(std::move(wire)),
      first_message_(std::move(first_message)),
      client_(loop, *this, streams::Transport::websocket) {}

void StreamSession::send(std::string_view json) {
  wire().tell({.kind = Told::Kind::text, .text = std::string(json)});
}

bool StreamSession::send_shared(const SharedBytes& bytes) {
  wire().tell({.kind = Told::Kind::text, .text = std::string(payload_of(bytes))});
  return wire().is_open();
}

bool StreamSession::has_room_behind(std::size_t bytes) {
  if (bytes < kBytesBehindMax) return true;
  wire().close(ws::close_code::try_again_later);
  return false;
}

void StreamSession::send_waiting_later() {
  if (wire().drained) wire().drained();
}

}  // namespace fanfare::fleet
