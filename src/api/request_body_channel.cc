#include "api/request_body_channel.h"

#include "api/border.h"
#include "api/server_impl.h"

namespace fanfare::api {

void RequestBodyChannel::read(Handler handler) {
  if (const auto impl = impl_.lock()) impl->read_body(id_, shared_from_this(), std::move(handler));
}

void RequestBodyChannel::want(session::HttpConnection* connection, Handler handler) {
  if (connection == nullptr && state_ == State::open) state_ = State::failed;
  if (state_ == State::open) {
    handler_ = std::move(handler);
    return connection->want_body();
  }
  call_handler("body",
               [&] { handler({.last = state_ == State::complete, .failed = state_ == State::failed}); });
}

void RequestBodyChannel::on_piece(Bytes piece, bool last) {
  if (last) state_ = State::complete;
  Handler handler = std::exchange(handler_, nullptr);
  if (handler != nullptr) call_handler("body", [&] { handler({.bytes = piece, .last = last}); });
}

void RequestBodyChannel::gone() {
  if (state_ != State::open) return;
  state_ = State::failed;
  Handler handler = std::exchange(handler_, nullptr);
  if (handler != nullptr) call_handler("body", [&] { handler({.failed = true}); });
}

}  // namespace fanfare::api

namespace fanfare {

void BodyReader::read(UniqueFunction<void(const BodyPiece&)> handler) {
  if (channel_ != nullptr && handler != nullptr) channel_->read(std::move(handler));
}

}  // namespace fanfare
