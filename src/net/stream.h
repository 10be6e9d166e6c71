#pragma once
// One connected socket on one loop. Classes that use sockets derive from Stream. The loop owns the stream
// from adopt() to its end and calls it only on its own thread.
//
// The order of calls: on_attached; under TLS on_secured; then any number of on_receive / on_flushed /
// on_end_unread. At most one of these follows: on_end (the peer sent FIN) or on_lost (the connection failed).
// Last, always, comes on_detached, and then the stream is destroyed. close() may be called at any time: after
// the current turn only on_detached follows.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "net/os_error.h"
#include "net/outbox.h"
#include "net/tls.h"

namespace fanfare::net {

class Loop;

// How much of the sent data has reached the peer.
struct SendProgress {
  // Over TCP: bytes acknowledged by the peer's system. Otherwise: bytes accepted by our own system. It wraps,
  // and may restart once everything was accepted. So only changes and differences are meaningful.
  std::uint32_t bytes = 0;
  bool is_complete = false;  // nothing is waiting, here or (TCP) in our system
};

class Stream : public Output {
 public:
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() override;

  // Appends to the data sent at the end of the turn. After close() or finish_writing() the bytes are dropped,
  // as on a socket whose peer has disconnected.
  std::uint8_t* extend(std::size_t size) final {
    Outbox* const growing = growing_outbox();
    std::uint8_t* const room = growing == nullptr ? nullptr : growing->extend_in_place(size);
    return room != nullptr ? room : extend_slowly(size);
  }
  void push(SharedBytes bytes);
  // Bytes queued here that the kernel has not yet accepted.
  std::size_t queued_bytes() const {
    return (outbox_ == nullptr ? 0 : outbox_->bytes()) + (tls_ == nullptr ? 0 : tls_->waiting.bytes());
  }

  // Makes a system call: use it for streams with a pending deadline, not for all streams in every turn.
  SendProgress send_progress() const;

  // Sends all later data through TLS, in both directions: before the first byte, or between two protocols
  // (after a proxy's response to CONNECT). on_secured follows, or on_lost with the reason as detail. Data
  // queued meanwhile is sent after the handshake.
  void start_tls(std::shared_ptr<const TlsContext> context, TlsRole role, std::string_view server_name = {});
  // Passes bytes to TLS that arrived together with the preceding plain bytes, when the other end speaks first
  // (a server behind a proxy's header). Call it after start_tls(), within on_receive(); it may call
  // on_receive() itself.
  void receive_encrypted(Bytes bytes);
  // Null without TLS.
  const TlsSession* tls() const { return tls_.get(); }

  // Stops reading: the kernel's buffer fills up, and the peer has to wait. Data already on its way may still
  // reach on_receive once.
  void pause_reading();
  void resume_reading();
  // Whether reading is paused and on_end_unread was called during this pause.
  bool is_end_unread() const { return has(kEndUnread); }

  // Calls on_flushed once more when the outbox is empty, even if the kernel accepts everything immediately.
  void tell_when_flushed() { set(kTellFlushed); }

  // Half-closes after everything queued is sent. on_end still reports when the peer does so.
  void finish_writing();
  // Ends the connection immediately: queued data is dropped.
  void close();
  bool is_closed() const { return has(kClosed); }
  // Whether finish_writing() is complete: the kernel has all queued data and the FIN.
  bool has_finished_writing() const { return has(kFinished); }

  int fd() const { return fd_; }
  Loop& loop() const { return *loop_; }

 protected:
  Stream() = default;

  // The outbox, if it already has data of this turn, as is usual when many messages arrive at once, and more
  // may be appended directly. Null: call extend().
  Outbox* growing_outbox() const {
    constexpr std::uint32_t kState = kDirty | kClosed | kFinishWriting;
    return (flags_ & kState) == kDirty && tls_ == nullptr ? outbox_.get() : nullptr;
  }

  virtual void on_attached() {}
  virtual void on_secured() {}
  // The bytes are in the loop's buffer. The stream may modify them until it returns.
  virtual void on_receive(MutableBytes bytes) = 0;
  // Everything queued was sent. Called at least after each wait for the peer.
  virtual void on_flushed() {}
  virtual void on_end() = 0;
  // The peer sent FIN during or before the pause of reading: no new data will come. Data before the FIN can
  // still be read after resume_reading(), and on_end follows it. Called once per pause.
  virtual void on_end_unread() {}
  virtual void on_lost(const OsError& error) = 0;
  virtual void on_detached() {}

 private:
  friend class Loop;
  friend class EpollLoop;
  friend class UringLoop;

  enum Flag : std::uint32_t {
    kAttached = 1,
    kClosed = 2,
    kDirty = 4,  // data was queued since the last flush
    kReadPaused = 8,
    kWaitingWritable = 16,  // the kernel accepts no more; notified when it does
    kFinishWriting = 32,    // half-close when the outbox is empty
    kFinished = 64,         // half-closed
    kEnded = 128,           // the peer half-closed
    kReadArmed = 256,
    kSendInFlight = 512,
    kConnecting = 1024,
    kClosing = 2048,  // the kernel was asked to release it
    kHangupArmed = 4096,
    kTellFlushed = 8192,
    kRegistered = 16384,  // the kernel has its descriptor in a table (io_uring)
    kListed = 32768,      // in the loop's list for the end of the turn, even if flushed earlier
    kEndUnread = 65536,   // on_end_unread was called in this pause
  };
  bool has(Flag flag) const { return (flags_ & flag) != 0; }
  // The masks show g++ that the value fits into the bit field.
  void set(Flag flag) { flags_ = (flags_ | flag) & kFlagsMask; }
  void unset(Flag flag) { flags_ = flags_ & ~std::uint32_t{flag} & kFlagsMask; }
  std::uint8_t* extend_slowly(std::size_t size);
  bool prepare_to_queue();
  Outbox& outbox();

  Loop* loop_ = nullptr;
  OutboxPtr outbox_;  // under TLS: encrypted data
  std::unique_ptr<TlsSession> tls_;
  int fd_ = -1;
  std::uint32_t slot_ = 0;  // index in the loop's list
  static constexpr std::uint32_t kFlagsMask = 0xff'ffff;
  std::uint32_t flags_ : 24 = 0;
  std::uint32_t operations_ : 8 = 0;  // kernel operations in progress on this stream (io_uring)
  static constexpr std::uint32_t kOperationsMax = 255;
};

}  // namespace fanfare::net
