#include "fanfare/client.h"

#include <utility>

#include "api/client_impl.h"

namespace fanfare {

Client::Client(ClientOptions options, ClientHandlers handlers)
    : impl_(std::make_shared<api::ClientImpl>(*this, std::move(options), std::move(handlers))) {}

Client::~Client() {
  impl_->leave();
}

// A handler may destroy the client before these two return.
Expected<void, Error> Client::start() {
  const auto impl = impl_;
  return impl->start();
}

void Client::run() {
  const auto impl = impl_;
  impl->run();
}

SendResult Client::send(std::string_view text) {
  return impl_->send(ws::Opcode::text, as_bytes(text));
}

SendResult Client::send(Bytes binary) {
  return impl_->send(ws::Opcode::binary, binary);
}

SendResult Client::send(const Message& message) {
  return impl_->send(message.is_text() ? ws::Opcode::text : ws::Opcode::binary, message.bytes());
}

SendResult Client::send(std::string_view text, SendOptions options) {
  return impl_->send(ws::Opcode::text, as_bytes(text), options);
}

SendResult Client::send(Bytes binary, SendOptions options) {
  return impl_->send(ws::Opcode::binary, binary, options);
}

SendResult Client::ping(Bytes payload) {
  return impl_->send(ws::Opcode::ping, payload);
}

void Client::pause() {
  impl_->set_paused(true);
}

void Client::resume() {
  impl_->set_paused(false);
}

void Client::close(std::uint16_t code, std::string_view reason) {
  impl_->close(code, reason);
}

bool Client::is_open() const {
  return impl_->is_open();
}

std::size_t Client::buffered_amount() const {
  return impl_->buffered_amount();
}

std::uint64_t Client::unsent_messages() const {
  return impl_->unsent_messages();
}

}  // namespace fanfare
