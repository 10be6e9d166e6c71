#include "session/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/guard.h"
#include "base/log_limiter.h"
#include "session/session_table.h"

namespace fanfare::session {
namespace {

void log_broken(ws::Rule broken_rule) {
  const ws::RuleInfo& rule = ws::info(broken_rule);
  static LogLimiter broken(log::Level::debug, "websocket_rule_broken", kDebugLogLimits);
  broken.write({{"rule", rule.name}, {"section", rule.clause}, {"code", rule.code}});
}

Message message_of(const ws::Event& event) {
  return {.opcode = event.opcode, .payload = event.payload, .first = event.first, .last = event.last};
}

}  // namespace

Session::Session(SessionTable& table, net::Transport& transport, Endpoint& endpoint,
                 ws::Connection::Options options, std::unique_ptr<SessionData> data)
    : SessionOutput(transport, endpoint, std::move(options)) {
  endpoint.enter(table);
  data_ = std::move(data);
}

Session::~Session() {
  endpoint_->leave();
  data_.reset();  // may use the session; the endpoint may go with it
}

std::unique_ptr<Session> Session::make(SessionTable& table, net::Transport& transport, Endpoint& endpoint,
                                       ws::Connection::Options options, std::unique_ptr<SessionData> data) {
  return std::unique_ptr<Session>(
      new (table.session_memory()) Session(table, transport, endpoint, std::move(options), std::move(data)));
}

void Session::open() {
  join();
  begin();
}

void Session::open_in_place_of(Member& before) {
  table().replace(before, *this);
  begin();
}

void Session::begin() {
  deadline_from_ms_ = idle_since_ms_ = now_ms();
  endpoint_->on_open(*this);
}

// Bytes that had to be kept are lost without memory for them, so the rest of the input cannot be interpreted.
void Session::on_receive(MutableBytes input) {
  if (!run_guarded("a connection", [&] { receive(input); })) close();
}

void Session::receive(MutableBytes input) {
  awaiting_pong_ = false;
  table().count_bytes_received(*this, input.size());
  // The loop may already have had more data when reading was paused.
  if (has_unread_) return keep(input);
  if (hand_out_only_message(input)) return;
  const MutableBytes rest = consume(input);
  if (rest.empty() || is_closed()) return;
  keep(rest);
  go_on_next_turn();
}

void Session::receive_later(Bytes input, bool end_came) {
  keep(input);
  end_waits_ = end_came;
  transport().pause_reading();
  if (!paused_) table().go_on_next_turn(*this);
}

inline std::size_t Session::share_left() {
  return share_.bytes_left(table().loop().turn_number(), endpoint_->settings());
}

void Session::keep(Bytes input) {
  table().unread_[this].bytes.append(input);
  has_unread_ = true;
}

void Session::go_on() {
  if (paused_ || !has_unread_ || is_closed()) return;
  if (share_left() == 0) return table().go_on_next_turn(*this);  // still the same turn
  // Taken out while it is processed, because handlers may pause and resume.
  auto taken = table().unread_.extract(this);
  has_unread_ = false;
  SessionTable::Unread& unread = taken.mapped();
  const MutableBytes rest = consume(unread.bytes.bytes().subspan(unread.done));
  if (is_closed()) return;
  if (!rest.empty()) {
    unread.done = unread.bytes.size() - rest.size();
    table().unread_.insert(std::move(taken));
    has_unread_ = true;
    return go_on_next_turn();
  }
  if (end_waits_) {
    end_waits_ = false;
    return on_end();
  }
  if (!paused_) transport().resume_reading();
}

void Session::go_on_next_turn() {
  if (paused_) return;  // resume() continues
  transport().pause_reading();
  table().counters().turn_shares_spent.add();
  endpoint_->on_turn_share_spent(*this);
  table().go_on_next_turn(*this);
}

inline void Session::hand_out(const ws::Event& message) {
  had_message_ = true;
  if (message.last) table().count_received(*this, 1);
  if (phase_ == Phase::open) endpoint_->on_message(*this, message_of(message));
}

inline bool Session::may_go_on() const {
  return !is_closed() && !paused_ && !share_.is_spent(endpoint_->settings());
}

inline bool Session::hand_out_only_message(MutableBytes input) {
  const std::size_t size = input.size();
  if (connection_.role() != ws::Role::server || !ws::may_be_one_short_message(input)) return false;
  if (phase_ != Phase::open || paused_ || is_closed() || share_left() < size) return false;
  const auto message = connection_.next_whole_message<ws::Role::server>(input);
  if (!message) return false;
  endpoint_->on_message(*this, {.opcode = message->opcode, .payload = message->payload});
  had_message_ = true;
  share_.add(1, size);
  table().count_received(*this, 1);
  return true;
}

// The path of nearly all other messages. Counters are updated once, at the end.
template <ws::Role self>
inline MutableBytes Session::hand_out_whole_messages(MutableBytes input) {
  Endpoint& endpoint = *endpoint_;
  const std::size_t before = input.size();
  const unsigned messages_max = share_.frames_left(endpoint.settings());
  unsigned messages = 0;
  while (messages < messages_max && phase_ == Phase::open && !paused_) {
    const auto message = connection_.next_whole_message<self>(input);
    if (!message) break;
    ++messages;
    const MutableBytes payload(message->payload.data(), message->payload.size());
    endpoint.on_message(*this, {.opcode = message->opcode, .payload = payload});
    if (input.empty()) break;
  }
  if (messages > 0) had_message_ = true;
  share_.add(messages, before - input.size());
  table().count_received(*this, messages);
  return input;
}

MutableBytes Session::consume(MutableBytes input) {
  const std::size_t share = std::min(share_left(), input.size());
  const MutableBytes after = input.subspan(share);
  input = input.first(share);
  const bool is_server = connection_.role() == ws::Role::server;
  bool has_answered = false;
  while (may_go_on()) {
    input = is_server ? hand_out_whole_messages<ws::Role::server>(input)
                      : hand_out_whole_messages<ws::Role::client>(input);
    if ((input.empty() && connection_.buffered_bytes() == 0) || !may_go_on()) break;
    const std::size_t before = input.size();
    const auto event = connection_.next(input, transport());
    share_.add_bytes(std::max(before - input.size(), event ? event->payload.size() : 0));
    if (!event) break;
    share_.add_frames(1);
    has_answered = has_answered || event->kind == ws::Event::Kind::ping;
    handle(*event);
  }
  if (has_answered && !has_room_for_answers()) {
    end(cause_, ws::close_code::abnormal);
    close();
  }
  note_unfinished(share - input.size());
  return {input.data(), input.size() + after.size()};
}

void Session::handle(const ws::Event& event) {
  switch (event.kind) {
    case ws::Event::Kind::message:
      return hand_out(event);
    case ws::Event::Kind::ping:  // answered
    case ws::Event::Kind::pong:
      if (phase_ != Phase::open) return;
      if (event.kind == ws::Event::Kind::ping) return endpoint_->on_ping(*this);
      return endpoint_->on_pong(*this, event.payload);
    case ws::Event::Kind::close: {
      const std::string reason(as_text(event.payload));
      end(phase_ == Phase::closing ? cause_ : Cause::peer_closed, event.code, reason);
      return leave();
    }
    case ws::Event::Kind::failed:
      log_broken(event.rule);
      end(Cause::rule_broken, event.code, {}, event.rule);
      return leave();
  }
}

void Session::close_as(Cause cause, std::uint16_t code, std::string_view reason) {
  if (phase_ != Phase::open) return;
  connection_.close(code, reason, transport());
  begin_closing(cause);
}

void Session::close() {
  if (phase_ == Phase::open) phase_ = Phase::dropped;
  Member::close();
}

void Session::begin_closing(Cause cause) {
  phase_ = Phase::closing;
  cause_ = cause;
  forget_drain();
  deadline_from_ms_ = now_ms();
  // The peer's Close must be read, even if the application paused the session.
  resume();
}

void Session::end(Cause cause, std::uint16_t code, std::string_view reason, std::optional<ws::Rule> rule) {
  if (phase_ == Phase::ended) return;
  phase_ = Phase::ended;
  forget_drain();
  deadline_from_ms_ = now_ms();
  const CloseInfo info{
      .cause = cause,
      .code = code,
      .reason = reason,
      .broken_rule = rule,
      .unsent_bytes = held_bytes() + (connection_.should_close_transport() ? 0 : queued_bytes())};
  if (SessionWatcher* const watcher = table().session_watcher()) watcher->on_session_ended(*this, info);
  endpoint_->on_close(*this, info);
  drop_held();
}

void Session::pause() {
  if (phase_ != Phase::open) return;
  paused_ = true;
  if (transport().is_end_unread() || end_waits_)
    deadline_from_ms_ = now_ms();  // until now nothing was read for another reason
  transport().pause_reading();
}

void Session::resume() {
  if (!paused_) return;
  paused_ = false;
  awaiting_pong_ = false;
  // Deferred: a handler must not run on the stack of a caller that resumes, sends or closes.
  if (has_unread_) return table().go_on_next_turn(*this);
  transport().resume_reading();
}

void Session::on_flushed() {
  if (take_congested() && phase_ == Phase::open) endpoint_->on_drained(*this);
}

void Session::on_end() {
  // Data that arrived before the FIN is delivered first.
  if (has_unread_) {
    end_waits_ = true;
    if (paused_) deadline_from_ms_ = now_ms();
    return;
  }
  // A FIN within the WebSocket connection, or the peer's side of the closing. The peer may still read: the loop closes after the last
  // byte of what it has not been sent, such as the answer to a message that came with the FIN.
  end_without_close(Cause::connection_lost);
  if (queued_bytes() > 0) return transport().finish_writing();
  close();
}

void Session::on_detached() {
  end_without_close(Cause::shut_down);
  if (has_unread_) table().unread_.erase(this);
  leave_table();
}

}  // namespace fanfare::session
