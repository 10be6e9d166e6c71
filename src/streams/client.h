#pragma once
// One client of the streams: a WebSocket or a Server-Sent Events request. Reads its messages, answers them, and passes
// on the events of the streams it has subscribed to. On its loop's thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "pubsub/loop_hub.h"
#include "pubsub/pace.h"
#include "streams/catalog.h"
#include "streams/forms.h"
#include "streams/message_rate.h"
#include "streams/permit.h"
#include "streams/request.h"
#include "streams/subscription.h"

namespace fanfare::streams {

// The connection of a client.
class ClientPort {
 public:
  virtual bool is_open() const = 0;
  // The client has not taken what was sent; Client::send_waiting() is called when it has.
  virtual bool is_congested() const = 0;
  // One message of the protocol.
  virtual void send(std::string_view json) = 0;
  // An event, from Forms::get(). False: the connection is closed.
  virtual bool send_shared(const SharedBytes& bytes) = 0;
  // Whether the outbox may hold so many bytes more; otherwise the connection ends as too slow.
  virtual bool has_room_behind(std::size_t bytes) = 0;
  // Calls Client::send_waiting() soon, not within this call.
  virtual void send_waiting_later() = 0;
  virtual void close(std::uint16_t code, std::string_view reason) = 0;

 protected:
  ~ClientPort() = default;
};

// The streams that the permit grants; all of them without one (null).
std::vector<std::string> readable_streams(const Catalog& catalog, const Permit* permit);
// The error for a request that names no such stream. One that exists but is not granted looks the same.
ProtocolError unknown_stream(const Catalog& catalog, const Permit* permit, const Request& request);

// What the clients of one loop share.
struct LoopStreams {
  Catalog& catalog;
  pubsub::LoopHub& hub;
  Clock& clock;
  Forms forms = {};
};

class Client {
 public:
  // All must outlive the client. `permit`: null without access control.
  Client(LoopStreams& loop, ClientPort& port, Transport transport, Permit* permit = nullptr)
      : loop_(loop),
        port_(port),
        transport_(transport),
        permit_(permit),
        rate_(loop.catalog.limits().messages_per_second) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // The first message of a WebSocket.
  void welcome();
  // A message of the client.
  void receive(bool is_text, std::string_view message);
  // Answers a subscription that was not asked for by a message. False: it was an error, which is not sent.
  std::expected<void, ProtocolError> subscribe(const Request& request);
  // Sends what waits for a slow client, until it is congested again.
  void send_waiting();
  // Ends the subscriptions that the permit does not grant any more.
  void check_permit();
  // Ends all of them. `reason`: for the client.
  void end_all(std::string_view reason);

  std::size_t subscriptions() const { return subscriptions_.size(); }
  // The streams that it has subscribed to, at most `most` of them.
  std::vector<std::string> stream_names(std::size_t most) const;

 private:
  friend class Subscription;

  std::expected<void, ProtocolError> handle(const Request& request);
  std::expected<void, ProtocolError> unsubscribe(const Request& request);
  void send_hello(const Request& request);
  std::expected<void, ProtocolError> authenticate(const Request& request);
  bool may_read(std::string_view stream) const { return permit_ == nullptr || permit_->may_read(stream); }
  // Subscriptions have ended.
  void give_back(std::size_t count);
  void fail(const ProtocolError& error);
  Subscription* find(std::string_view stream) const;
  // What Subscription reports:
  void end_later();
  void erase_ended();
  std::int64_t seconds() const;

  LoopStreams& loop_;
  ClientPort& port_;
  const Transport transport_;
  Permit* const permit_;
  bool is_extended_ = false;  // it has said hello
  bool has_ended_ = false;    // some subscription's topic was removed
  MessageRate rate_;
  pubsub::WaitingList waiting_;  // outlives the subscriptions
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

}  // namespace fanfare::streams
