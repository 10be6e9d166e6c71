#pragma once
// Connects a BodyReader, on any thread, with the body of a request on its loop.

#include <memory>
#include <utility>

#include "fanfare/body.h"
#include "fanfare/session.h"
#include "session/http_connection.h"
#include "session/request_body.h"

namespace fanfare::api {

class ServerImpl;

class RequestBodyChannel final : public std::enable_shared_from_this<RequestBodyChannel> {
 public:
  using Handler = UniqueFunction<void(const BodyPiece&)>;
  RequestBodyChannel(std::weak_ptr<ServerImpl> impl, SessionId id) : impl_(std::move(impl)), id_(id) {}

  BodyReader reader() { return BodyReader(shared_from_this()); }

  // Any thread.
  void read(Handler handler);

  // The loop's thread. `connection`: that of the request, null if it is gone.
  void want(session::HttpConnection* connection, Handler handler);
  void on_piece(Bytes piece, bool last);
  void gone();  // no more pieces will come

 private:
  enum class State : std::uint8_t { open, complete, failed };

  const std::weak_ptr<ServerImpl> impl_;
  const SessionId id_;
  State state_ = State::open;
  Handler handler_;  // waits for a piece
};

// The connection's side of a channel.
class ChannelReader final : public session::RequestBody {
 public:
  explicit ChannelReader(std::shared_ptr<RequestBodyChannel> channel) : channel_(std::move(channel)) {}
  ~ChannelReader() override { channel_->gone(); }
  void on_piece(session::HttpConnection&, Bytes piece, bool last) override {
    channel_->on_piece(piece, last);
  }

 private:
  const std::shared_ptr<RequestBodyChannel> channel_;
};

}  // namespace fanfare::api
