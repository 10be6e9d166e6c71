#include "streamserver/loop_streams.h"

#include <utility>

#include "base/bytes.h"

namespace fanfare::streamserver {

session::SessionSettings session_settings(const streams::Limits& limits, session::SessionSettings settings) {
  settings.limits.message_bytes_max = limits.message_bytes_max * streams::kMessageBytesFactor;
  settings.outbox_bytes_max = limits.outbox_bytes_max;
  settings.outbox_bytes_high = limits.outbox_bytes_max / 4;
  settings.ping_interval = limits.ping_interval;
  return settings;
}

void LoopStreams::on_open(session::Session& session) {
  session.data<StreamConnection>().open(session);
}

void LoopStreams::on_message(session::Session& session, const session::Message& message) {
  if (streams::Client* const client = session.data<StreamConnection>().client()) {
    client->receive(message.opcode == ws::Opcode::text, as_text(message.payload));
  }
}

void LoopStreams::on_drained(session::Session& session) {
  if (streams::Client* const client = session.data<StreamConnection>().client()) client->send_waiting();
}

void LoopStreams::on_close(session::Session& session, const session::CloseInfo& /*info*/) {
  session.data<StreamConnection>().end();
}

void StreamConnection::open(session::Session& session) {
  session_ = &session;
  client_ = std::make_unique<streams::Client>(loop_.shared(), *this, streams::Transport::websocket);
  client_->welcome();
}

void StreamConnection::send_waiting_later() {
  if (std::exchange(sends_later_, true)) return;
  session::LoopServer& server = loop_.server();
  server.loop().post([&server, id = session_->id()] {
    session::Session* const there = server.sessions().find(id);
    if (there == nullptr || !there->is_open()) return;
    auto& connection = there->data<StreamConnection>();
    connection.sends_later_ = false;
    if (connection.client_ != nullptr) connection.client_->send_waiting();
  });
}

}  // namespace fanfare::streamserver
