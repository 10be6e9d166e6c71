#include "api/body_channel.h"

#include <utility>

#include "api/border.h"
#include "fanfare/body.h"

namespace fanfare::api {

SendResult BodyChannel::write(Bytes piece) {
  std::unique_lock lock(mutex_);
  if (!is_open_ || end_ != End::none) return SendResult::closed;
  if (waiting_.size() + on_socket_ >= options_.bytes_max) {
    end_ = End::cut;
    wake_once(lock);
    return SendResult::closed;
  }
  waiting_.insert(waiting_.end(), piece.begin(), piece.end());
  const bool is_high = waiting_.size() + on_socket_ >= options_.bytes_high;
  is_drain_owed_ = is_drain_owed_ || is_high;
  wake_once(lock);
  return is_high ? SendResult::congested : SendResult::queued;
}

void BodyChannel::end(bool is_whole) {
  std::unique_lock lock(mutex_);
  if (!is_open_ || end_ != End::none) return;
  end_ = is_whole ? End::whole : End::cut;
  drain_ = nullptr;
  wake_once(lock);
}

void BodyChannel::on_drain(std::function<void()> handler) {
  std::function<void()> old;
  const std::scoped_lock lock(mutex_);
  old = std::exchange(drain_, std::move(handler));
}

std::size_t BodyChannel::buffered() const {
  const std::scoped_lock lock(mutex_);
  return waiting_.size() + on_socket_;
}

bool BodyChannel::is_open() const {
  const std::scoped_lock lock(mutex_);
  return is_open_ && end_ == End::none;
}

void BodyChannel::wake_once(std::unique_lock<std::mutex>& lock) {
  if (std::exchange(is_woken_, true)) return;
  lock.unlock();
  wake_(shared_from_this());
}

void BodyChannel::pass(session::HttpConnection& session) {
  std::vector<std::uint8_t> pieces;
  End end = End::none;
  {
    const std::scoped_lock lock(mutex_);
    is_woken_ = false;
    if (!is_open_) return;
    pieces = std::exchange(waiting_, {});
    on_socket_ += pieces.size();
    end = end_;
  }
  if (end == End::cut) return session.abort_body();
  if (session.write_body(pieces) == session::SendResult::closed) return;
  if (end == End::whole) session.end_body();
}

void BodyChannel::taken(session::HttpConnection&) {
  std::function<void()> drain;
  {
    const std::scoped_lock lock(mutex_);
    on_socket_ = 0;
    if (!waiting_.empty() || end_ != End::none || !is_drain_owed_) return;
    is_drain_owed_ = false;
    drain = drain_;
  }
  if (drain) call_handler("body drain", drain);
}

void BodyChannel::server_stops(session::HttpConnection& session) {
  if (options_.has_length) return;
  pass(session);
  session.end_body();
}

void BodyChannel::gone() {
  std::function<void()> drain;
  const std::scoped_lock lock(mutex_);
  is_open_ = false;
  waiting_ = {};
  on_socket_ = 0;
  drain = std::exchange(drain_, nullptr);
}

}  // namespace fanfare::api

namespace fanfare {

BodyWriter::~BodyWriter() {
  end(false);
}

BodyWriter& BodyWriter::operator=(BodyWriter&& other) noexcept {
  if (this == &other) return *this;
  end(false);
  channel_ = std::move(other.channel_);
  return *this;
}

void BodyWriter::end(bool is_whole) {
  if (const auto channel = std::exchange(channel_, nullptr)) channel->end(is_whole);
}

SendResult BodyWriter::write(std::string_view text) {
  return write(as_bytes(text));
}

SendResult BodyWriter::write(Bytes bytes) {
  return channel_ == nullptr ? SendResult::closed : channel_->write(bytes);
}

void BodyWriter::on_drain(std::function<void()> handler) {
  if (channel_ != nullptr) channel_->on_drain(std::move(handler));
}

std::size_t BodyWriter::buffered_amount() const {
  return channel_ == nullptr ? 0 : channel_->buffered();
}

bool BodyWriter::is_open() const {
  return channel_ != nullptr && channel_->is_open();
}

void BodyWriter::finish() && {
  end(true);
}

}  // namespace fanfare
