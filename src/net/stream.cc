#include "net/stream.h"

#include "base/check.h"
#include "net/loop.h"

namespace fanfare::net {

Stream::~Stream() = default;

bool Stream::prepare_to_queue() {
  if (has(kClosed) || has(kFinishWriting) || loop_ == nullptr) return false;
  loop_->mark_dirty(*this);
  return true;
}

Outbox& Stream::outbox() {
  if (outbox_ == nullptr) outbox_ = OutboxPtr(new (loop_->outboxes_.take()) Outbox);
  return *outbox_;
}

void Stream::start_tls(std::shared_ptr<const TlsContext> context, TlsRole role,
                       std::string_view server_name) {
  FANFARE_CHECK(tls_ == nullptr);
  tls_ = std::make_unique<TlsSession>(std::move(context), role, server_name);
  if (loop_ != nullptr) loop_->mark_dirty(*this);
}

void Stream::receive_encrypted(Bytes bytes) {
  if (!has(kClosed)) loop_->deliver_decrypted(*this, bytes);
}

std::uint8_t* Stream::extend_slowly(std::size_t size) {
  if (!prepare_to_queue()) return loop_->room_to_drop(size);
  return (tls_ == nullptr ? outbox() : tls_->waiting).extend(size, loop_->arena_);
}

void Stream::push(SharedBytes bytes) {
  if (prepare_to_queue()) (tls_ == nullptr ? outbox() : tls_->waiting).push(std::move(bytes));
}

void Stream::pause_reading() {
  if (has(kReadPaused) || has(kClosed)) return;
  set(kReadPaused);
  loop_->update_reading(*this);
}

void Stream::resume_reading() {
  if (!has(kReadPaused) || has(kClosed)) return;
  unset(kReadPaused);
  unset(kEndUnread);
  loop_->update_reading(*this);
}

void Stream::finish_writing() {
  if (has(kClosed) || has(kFinishWriting)) return;
  set(kFinishWriting);
  loop_->mark_dirty(*this);
}

void Stream::close() {
  if (has(kClosed)) return;
  set(kClosed);
  loop_->schedule_close(*this);
}

}  // namespace fanfare::net
