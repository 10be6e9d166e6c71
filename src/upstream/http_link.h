#pragma once
// One connection of our own HTTP client to a node (builtin_client.h): it connects, secures itself, and then carries one
// call at a time. Calls are never pipelined. Worker thread.
//
//   connecting -> securing -> ready <-> busy (an exchange)        close() or a loss from anywhere

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "http/response_reader.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"
#include "session/client_error.h"
#include "session/dial_attempt.h"
#include "upstream/content_decoder.h"
#include "upstream/http_exchange.h"

namespace fanfare::upstream {

// What all links to a node have in common.
struct HttpLinkPlan {
  std::string request_head;                         // up to the value of Content-Length
  std::shared_ptr<const net::TlsContext> tls = {};  // null for http
  std::string tls_server_name = {};
  std::size_t response_bytes_max = 0;
};

class HttpLink;

// Why a link ended.
struct LinkEnd {
  FailureKind kind = FailureKind::closed;
  std::string why;
  bool was_connected = false;  // TCP was connected
  // The node closed a kept connection before it answered: it has not seen the call, or nobody can know.
  bool was_stale = false;
};

class HttpLinkOwner {
 public:
  virtual ~HttpLinkOwner() = default;
  // TCP is connected. False: it is not needed, and is closed.
  virtual bool link_connected(HttpLink& link) = 0;
  // It may be used for the first time.
  virtual void link_ready(HttpLink& link) = 0;
  // The response is complete: its body is in the exchange. The link is ready, or will close by itself
  // (HttpLink::is_ready).
  virtual void link_answered(HttpLink& link, HttpExchange& exchange, HttpOutcome outcome) = 0;
  // The link is gone. `exchange`: the call that it carried; null: none.
  virtual void link_ended(HttpLink& link, HttpExchange* exchange, LinkEnd end) = 0;
};

class HttpLink final : public net::TransportHandler, public session::DialAttempt {
 public:
  // The loop owns the link. The owner must outlive it, or close() it. The errors are those of a race's attempt.
  static std::expected<HttpLink*, session::ClientError> dial(net::Loop& loop, HttpLinkOwner& owner,
                                                             std::shared_ptr<const HttpLinkPlan> plan,
                                                             const net::Address& address);

  bool is_ready() const { return stage_ == Stage::ready; }
  // Sends the exchange's call; the link must be ready.
  void send(HttpExchange& exchange);
  // The owner hears no more of it.
  void close() override;
  // The status of the response that is arriving; 0: none yet.
  int status() const { return reader_.status(); }

  // For the owner's list of idle links.
  Instant idle_since{};

 private:
  enum class Stage : std::uint8_t { connecting, securing, ready, busy, over };

  HttpLink(HttpLinkOwner& owner, std::shared_ptr<const HttpLinkPlan> plan, std::string address);

  void on_adopted(net::Stream& stream) override { stream_ = &stream; }
  void on_attached() override;
  void on_secured() override;
  void on_receive(MutableBytes bytes) override;
  void on_end() override;
  void on_lost(const net::OsError& error) override;
  void on_detached() override;

  void read(Bytes input);
  bool begin_body();
  bool take(Bytes data);
  void answered(bool may_stay);
  void broken(FailureKind kind, std::string_view reason);
  void lost(std::string why);
  void end(LinkEnd end);

  HttpLinkOwner* owner_;  // null: closed
  const std::shared_ptr<const HttpLinkPlan> plan_;
  const std::string address_;
  net::Stream* stream_ = nullptr;
  Stage stage_ = Stage::connecting;
  bool dialling_ = true;  // dial() has not returned yet, and will return errors that occur meanwhile
  bool was_used_ = false;
  std::optional<LinkEnd> early_end_;
  HttpExchange* exchange_ = nullptr;
  http::ResponseReader reader_;
  std::unique_ptr<ContentDecoder> decoder_;
  std::string tail_;  // of a request's head
};

}  // namespace fanfare::upstream
