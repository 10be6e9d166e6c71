#pragma once
// Connects a BodyWriter, on any thread, with the answer of a session on its loop. Holds the bytes not yet
// passed to the session, and counts those that the client has not taken. One lock, held only briefly.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "fanfare/session.h"
#include "fanfare/unique_function.h"
#include "session/answer_body.h"
#include "session/http_connection.h"

namespace fanfare::api {

struct BodyChannelOptions {
  // From this size on, write() returns congested.
  std::size_t bytes_high = std::size_t{1} << 20;
  // Beyond this size, write() is refused and the answer ends. A single piece may be larger.
  std::size_t bytes_max = std::size_t{4} << 20;
  // False: a chunked answer, which ends cleanly when the server stops.
  bool has_length = false;
};

class BodyChannel final : public std::enable_shared_from_this<BodyChannel> {
 public:
  // Passes the channel to the loop, which later calls pass() with the session if it still exists. Any thread.
  using Wake = std::function<void(std::shared_ptr<BodyChannel>)>;
  BodyChannel(BodyChannelOptions options, Wake wake) : options_(options), wake_(std::move(wake)) {}

  // Any thread.
  SendResult write(Bytes piece);
  void end(bool is_whole);
  void on_drain(std::function<void()> handler);
  std::size_t buffered() const;
  bool is_open() const;

  // The loop's thread.
  void pass(session::HttpConnection& session);
  void taken(session::HttpConnection& session);  // the client has taken everything passed on
  void server_stops(session::HttpConnection& session);
  void gone();

 private:
  enum class End : std::uint8_t { none, whole, cut };

  void wake_once(std::unique_lock<std::mutex>& lock);

  const BodyChannelOptions options_;
  const Wake wake_;
  mutable std::mutex mutex_;  // guards the members below
  std::vector<std::uint8_t> waiting_;
  std::size_t on_socket_ = 0;
  End end_ = End::none;
  bool is_open_ = true;
  bool is_woken_ = false;
  bool is_drain_owed_ = false;
  std::function<void()> drain_;
};

// The session's side of a channel.
class ChannelBody final : public session::AnswerBody {
 public:
  explicit ChannelBody(std::shared_ptr<BodyChannel> channel) : channel_(std::move(channel)) {}
  ~ChannelBody() override { channel_->gone(); }
  void on_writable(session::HttpConnection& session) override { channel_->taken(session); }
  void on_shut_down(session::HttpConnection& session) override { channel_->server_stops(session); }

 private:
  const std::shared_ptr<BodyChannel> channel_;
};

}  // namespace fanfare::api
