#pragma once
// One end of a two-way connection that carries bytes in order: where a protocol such as a WebSocket session
// writes, and what it controls. A socket's stream is one (net/stream.h); one stream of an HTTP/2 connection
// can be another, and a test's buffers are a third. Used on one thread.
//
// What arrives goes to the transport's TransportHandler. The calls come in this order: any number of
// on_receive, on_flushed and on_end_unread; at most one of on_end (the peer sends no more) and on_lost (the
// connection failed); last, always, on_detached, and then the handler is destroyed. close() may be called at
// any time: after the current turn only on_detached follows. No function of a transport calls the handler
// before it returns.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "net/os_error.h"
#include "net/outbox.h"

namespace fanfare::net {

class Stream;
class TlsSession;

// How much of the sent data has reached the peer.
struct SendProgress {
  // Over TCP: bytes acknowledged by the peer's system. Otherwise: bytes accepted by our own system. It wraps,
  // and may restart once everything was accepted. So only changes and differences are meaningful.
  std::uint32_t bytes = 0;
  bool is_complete = false;  // nothing is waiting, here or (TCP) in our system
};

class TransportHandler {
 public:
  TransportHandler() = default;
  virtual ~TransportHandler() = default;
  TransportHandler(const TransportHandler&) = delete;
  TransportHandler& operator=(const TransportHandler&) = delete;

  // Only from a socket's stream, for the handler that it was adopted with: the stream, before any other call;
  // then on_attached when it is connected; under TLS on_secured when the handshake is complete.
  virtual void on_adopted(Stream& /*stream*/) {}
  virtual void on_attached() {}
  virtual void on_secured() {}

  // The bytes are in the transport's buffer. The handler may modify them until it returns.
  virtual void on_receive(MutableBytes bytes) = 0;
  // Everything queued was sent. Called at least after each wait for the peer.
  virtual void on_flushed() {}
  virtual void on_end() = 0;
  // The peer ended its side during or before the pause of reading: no new data will come. Data before the end
  // can still be read after resume_reading(), and on_end follows it. Called once per pause.
  virtual void on_end_unread() {}
  virtual void on_lost(const OsError& error) = 0;
  virtual void on_detached() {}
};

class Transport : public Output {
 public:
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // The next call goes to this handler. The old one gets none any more, not even on_detached; it is destroyed
  // at the end of the turn, so it may call this itself.
  virtual void set_handler(std::unique_ptr<TransportHandler> handler) = 0;

  // Appends to the data sent at the end of the turn. After close() or finish_writing() the bytes are dropped,
  // as on a socket whose peer has disconnected.
  std::uint8_t* extend(std::size_t size) final {
    Outbox* const growing = growing_outbox();
    std::uint8_t* const room = growing == nullptr ? nullptr : growing->extend_in_place(size);
    return room != nullptr ? room : extend_slowly(size);
  }
  virtual void push(SharedBytes bytes) = 0;
  // Passes data to the system now, from where it is, if nothing is queued before it. Returns how many bytes it took;
  // queue the rest. Zero as well if the connection has failed: what is queued then reports it.
  virtual std::size_t send_now(Bytes /*first*/, Bytes /*then*/) { return 0; }
  // Bytes queued here that the system has not yet accepted.
  std::size_t queued_bytes() const {
    const std::size_t bytes = outbox_ == nullptr ? 0 : outbox_->bytes();
    return has(kQueuesElsewhere) ? bytes + queued_elsewhere() : bytes;
  }
  // The outbox, if it already has data of this turn, as is usual when many messages arrive at once, and more
  // may be appended directly. Null: call extend().
  Outbox* growing_outbox() const {
    constexpr std::uint32_t kState = kDirty | kClosed | kFinishWriting | kQueuesElsewhere;
    return (flags_ & kState) == kDirty ? outbox_.get() : nullptr;
  }

  // May be expensive: use it for transports with a pending deadline, not for all of them in every turn.
  virtual SendProgress send_progress() const = 0;
  // Calls on_flushed once more when everything queued was sent, even if it is accepted immediately.
  virtual void notify_when_flushed() = 0;

  // Stops reading: buffers on the way fill up, and the peer has to wait. Data already on its way may still
  // reach on_receive once.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Whether reading is paused and on_end_unread was called during this pause.
  bool is_end_unread() const { return has(kEndUnread); }

  // Half-closes after everything queued is sent. on_end still reports when the peer does so.
  virtual void finish_writing() = 0;
  // Whether finish_writing() is complete and the peer's system has everything: close() loses nothing.
  virtual bool is_delivered() const = 0;
  // Ends the connection immediately: queued data is dropped.
  virtual void close() = 0;
  bool is_closed() const { return has(kClosed); }

  // The TLS session that carries it; null without TLS.
  virtual const TlsSession* tls() const { return nullptr; }
  // "127.0.0.1:50312"; "" if the peer has disconnected or has no address.
  virtual std::string peer() const = 0;

 protected:
  // The flags that all transports have; an implementation may use the bits from kFirstOwnFlag on.
  enum Flag : std::uint32_t {
    kClosed = 1,
    kDirty = 2,             // data was queued since the last flush
    kFinishWriting = 4,     // half-close when everything is sent
    kEndUnread = 8,         // on_end_unread was called in this pause
    kQueuesElsewhere = 16,  // data is queued in another place than outbox_, such as before encryption
  };
  static constexpr std::uint32_t kFirstOwnFlag = 32;

  Transport() = default;

  virtual std::uint8_t* extend_slowly(std::size_t size) = 0;
  // Called only with kQueuesElsewhere.
  virtual std::size_t queued_elsewhere() const { return 0; }

  bool has(std::uint32_t flag) const { return (flags_ & flag) != 0; }
  void set(std::uint32_t flag) { flags_ |= flag; }
  void unset(std::uint32_t flag) { flags_ &= ~flag; }

  OutboxPtr outbox_;  // null if this transport has no data to send, or no outbox at all

 private:
  std::uint32_t flags_ = 0;
};

}  // namespace fanfare::net
