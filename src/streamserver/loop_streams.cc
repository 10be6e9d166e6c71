#include "streamserver/loop_streams.h"

#include <utility>

#include "base/bytes.h"
#include "session/session_description.h"
#include "ws/close_code.h"

namespace fanfare::streamserver {

session::SessionSettings session_settings(const streams::Limits& limits, session::SessionSettings settings) {
  settings.limits.message_bytes_max = limits.message_bytes_max * streams::kMessageBytesFactor;
  settings.outbox_bytes_max = limits.outbox_bytes_max;
  settings.outbox_bytes_high = outbox_bytes_high(limits);
  settings.ping_interval = limits.ping_interval;
  return settings;
}

void LoopStreams::on_open(session::Session& session) {
  session.data<StreamConnection>().open(session);
}

void LoopStreams::on_message(session::Session& session, const session::Message& message) {
  session.data<StreamConnection>().receive(message);
}

void LoopStreams::on_drained(session::Session& session) {
  auto& connection = session.data<StreamConnection>();
  slow_watch_.remove(connection);
  connection.send_waiting();
}

void LoopStreams::on_close(session::Session& session, const session::CloseInfo& /*info*/) {
  session.data<StreamConnection>().end();
}

void StreamConnection::open(session::Session& session) {
  session_ = &session;
  client_ =
      std::make_unique<streams::Client>(loop_.shared(), *this, streams::Transport::websocket, permit_.get());
  if (permit_ != nullptr) permit_->begin(*this);
  client_->welcome();
}

void StreamConnection::receive(const session::Message& message) {
  if (client_ == nullptr) return;
  client_->receive(message.opcode == ws::Opcode::text, as_text(message.payload));
  // A message is paid after it was checked: otherwise one that is longer than a burst could never be sent.
  if (permit_ != nullptr) permit_->charge_bytes(message.payload.size());
}

void StreamConnection::send(std::string_view json) {
  note(session_->send_text(json), json.size());
}

bool StreamConnection::send_shared(const SharedBytes& bytes) {
  return note(session_->send_frame(bytes), bytes.view().size());
}

bool StreamConnection::note(session::SendResult sent, std::size_t bytes) {
  if (sent == session::SendResult::closed) return false;
  if (sent == session::SendResult::congested) loop_.slow_watch().add(*this);
  if (permit_ != nullptr) permit_->charge_bytes(bytes);
  return true;
}

void StreamConnection::send_waiting() {
  if (client_ != nullptr) client_->send_waiting();
}

void StreamConnection::end_as_too_slow() {
  session_->start_closing(ws::close_code::try_again_later, "reading too slowly");
}

void StreamConnection::describe(session::SessionDescription& out) const {
  out.service = "streams";
  if (permit_ != nullptr) out.principal = permit_->holder_name();
  if (client_ == nullptr) return;
  out.subscriptions = client_->subscriptions();
  out.topics = client_->stream_names(out.topics_max);
}

void StreamConnection::end() {
  loop_.slow_watch().remove(*this);
  client_.reset();
  permit_.reset();
}

void StreamConnection::on_permit_changed() {
  if (client_ != nullptr) client_->check_permit();
}

void StreamConnection::on_permit_ended(std::string_view reason) {
  session_->start_closing(ws::close_code::policy_violation, reason);
}

void StreamConnection::send_waiting_later() {
  if (std::exchange(sends_later_, true)) return;
  session::LoopServer& server = loop_.server();
  server.loop().post([&server, id = session_->id()] {
    session::Session* const there = server.sessions().find(id);
    if (there == nullptr || !there->is_open()) return;
    auto& connection = there->data<StreamConnection>();
    connection.sends_later_ = false;
    connection.send_waiting();
  });
}

}  // namespace fanfare::streamserver
