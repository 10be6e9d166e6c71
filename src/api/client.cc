#include "fanfare/client.h"

#include <utility>

#include "api/client_core.h"

namespace fanfare {

Client::Client(ClientOptions options, ClientHandlers handlers)
    : core_(std::make_shared<api::ClientCore>(*this, std::move(options), std::move(handlers))) {}

Client::~Client() {
  core_->leave();
}

// A handler may destroy the client before these two return.
Expected<void, Error> Client::start() {
  const auto core = core_;
  return core->start();
}

void Client::run() {
  const auto core = core_;
  core->run();
}

SendResult Client::send(std::string_view text) {
  return core_->send(ws::Opcode::text, as_bytes(text));
}

SendResult Client::send(Bytes binary) {
  return core_->send(ws::Opcode::binary, binary);
}

SendResult Client::send(const Message& message) {
  return core_->send(message.is_text() ? ws::Opcode::text : ws::Opcode::binary, message.bytes());
}

SendResult Client::send(std::string_view text, SendOptions options) {
  return core_->send(ws::Opcode::text, as_bytes(text), options);
}

SendResult Client::send(Bytes binary, SendOptions options) {
  return core_->send(ws::Opcode::binary, binary, options);
}

SendResult Client::ping(Bytes payload) {
  return core_->send(ws::Opcode::ping, payload);
}

void Client::pause() {
  core_->set_paused(true);
}

void Client::resume() {
  core_->set_paused(false);
}

void Client::close(std::uint16_t code, std::string_view reason) {
  core_->close(code, reason);
}

bool Client::is_open() const {
  return core_->is_open();
}

std::size_t Client::buffered_amount() const {
  return core_->buffered_amount();
}

std::uint64_t Client::unsent_messages() const {
  return core_->unsent_messages();
}

}  // namespace fanfare
