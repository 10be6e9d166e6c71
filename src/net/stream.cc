#include "net/stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls_layer.h"

namespace fanfare::net {

Stream::~Stream() = default;

void Stream::set_handler(std::unique_ptr<TransportHandler> handler) {
  FANFARE_CHECK(handler != nullptr);
  // Made first: without memory, the old handler stays.
  std::unique_ptr<TransportHandler>& retired = loop_.retired_.emplace_back();
  TlsLayer* const layer = tls_layer();
  retired = std::exchange(layer == nullptr ? handler_ : layer->handler(), std::move(handler));
}

bool Stream::prepare_to_queue() {
  if (has(kClosed) || has(kFinishWriting)) return false;
  loop_.dirty_.mark(*this);
  return true;
}

Outbox& Stream::outbox() {
  if (outbox_ == nullptr) outbox_ = loop_.outboxes_.take();
  return *outbox_;
}

TlsLayer& Stream::secured_by() const {
  return static_cast<TlsLayer&>(*handler_);
}

const TlsSession* Stream::tls() const {
  TlsLayer* const layer = tls_layer();
  return layer == nullptr ? nullptr : &layer->session();
}

Outbox& Stream::plain_outbox() {
  TlsLayer* const layer = tls_layer();
  return layer == nullptr ? outbox() : layer->session().waiting;
}

std::size_t Stream::queued_elsewhere() const {
  return secured_by().session().waiting.bytes();
}

void Stream::start_tls(std::shared_ptr<const TlsContext> context, TlsRole role,
                       std::string_view server_name) {
  FANFARE_CHECK(tls_layer() == nullptr);
  // The layer takes the handler, so nothing may fail between the two.
  auto layer = std::make_unique<TlsLayer>(*this, std::move(context), role, server_name);
  handler_ = std::move(layer);
  set(kQueuesElsewhere);
  loop_.dirty_.mark(*this);
}

void Stream::receive_encrypted(Bytes bytes) {
  if (!has(kClosed)) secured_by().decrypt(bytes);
}

std::uint8_t* Stream::extend_slowly(std::size_t size) {
  // An answer on a stream that has nothing else to send: no call is on the way.
  if (constexpr std::uint32_t kOther = kClosed | kFinishWriting | kQueuesElsewhere;
      outbox_ == nullptr && !has(kOther) && loop_.dirty_.mark_in_place(*this)) {
    if (std::uint8_t* const room = loop_.outboxes_.begin_spare(outbox_, size, loop_.arena_)) return room;
  }
  return extend_any(size);
}

std::uint8_t* Stream::extend_any(std::size_t size) {
  if (!prepare_to_queue()) return loop_.room_to_drop(size);
  return plain_outbox().extend(size, loop_.arena_);
}

void Stream::push(SharedBytes bytes) {
  if (!prepare_to_queue()) return;
  loop_.second_look_.pushed();
  plain_outbox().push(std::move(bytes));
}

std::size_t Stream::send_now(Bytes first, Bytes then) {
  // A stream that sends, or waits for its peer, has an outbox.
  if (outbox_ != nullptr || tls_layer() != nullptr || has(kConnecting) || !prepare_to_queue()) return 0;
  std::array<iovec, 2> parts{iovec{const_cast<std::uint8_t*>(first.data()), first.size()},
                             iovec{const_cast<std::uint8_t*>(then.data()), then.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

void Stream::pause_reading() {
  if (has(kReadPaused) || has(kClosed)) return;
  set(kReadPaused);
  loop_.update_reading(*this);
}

void Stream::resume_reading() {
  if (!has(kReadPaused) || has(kClosed)) return;
  unset(kReadPaused);
  unset(kEndUnread);
  loop_.update_reading(*this);
}

void Stream::finish_writing() {
  if (has(kClosed) || has(kFinishWriting)) return;
  set(kFinishWriting);
  loop_.dirty_.mark(*this);
}

void Stream::close() {
  if (has(kClosed)) return;
  set(kClosed);
  loop_.schedule_close(*this);
}

bool Stream::is_all_sent() const {
  TlsLayer* const tls = tls_layer();
  return tls == nullptr || tls->session().is_secured();
}

std::string Stream::peer() const {
  const auto address = peer_address(fd_);
  return address ? address->text() : "";
}

}  // namespace fanfare::net
