#pragma once
// One connected socket on one loop. What is built on sockets derives from Stream; the loop owns it from
// adopt() to its end and calls it on its own thread only.
//
// The order of calls: on_attached, on_secured under TLS, then any number of on_receive / on_flushed /
// on_end_unread, at most one of on_end (the peer sent FIN) or on_lost (the connection is gone), and last,
// always, on_detached; then it is destroyed. close() may be called at any moment: nothing but on_detached
// follows, after the current turn.

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

// How far a peer has come with what was sent to it.
struct SendProgress {
  // Over TCP: acknowledged by the peer's system. Otherwise: taken by our own. Wraps, and may begin again when
  // everything was taken: only that it has changed, and by how much, means anything.
  std::uint32_t bytes = 0;
  bool is_complete = false;  // nothing waits any more, here or (TCP) in our system
};

class Stream : public Output {
 public:
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() override;

  // Appends to what is sent at the end of the turn. Nothing is written after close() or finish_writing(): the
  // bytes are dropped, as they would be on a socket whose peer is gone.
  std::uint8_t* extend(std::size_t size) final {
    Outbox* const growing = growing_outbox();
    std::uint8_t* const room = growing == nullptr ? nullptr : growing->extend_in_place(size);
    return room != nullptr ? room : extend_anew(size);
  }
  void push(SharedBytes bytes);
  // Bytes accepted by us and not yet by the kernel.
  std::size_t queued_bytes() const {
    return (outbox_ == nullptr ? 0 : outbox_->bytes()) + (tls_ == nullptr ? 0 : tls_->waiting.bytes());
  }

  // A system call: for those that a deadline waits for, not for everyone in every turn.
  SendProgress send_progress() const;

  // Everything after this call goes through TLS, in both directions: before the first byte, or between two
  // protocols (after a proxy's answer to CONNECT). on_secured follows, or on_lost with the reason as detail.
  // What is queued meanwhile is sent after the handshake.
  void start_tls(std::shared_ptr<const TlsContext> context, TlsRole role, std::string_view server_name = {});
  // Hands TLS what came together with the bytes before it, when the other end speaks first (a server behind
  // a proxy's header). After start_tls(), from within on_receive(); may call on_receive() in turn.
  void receive_encrypted(Bytes bytes);
  // Null without TLS.
  const TlsSession* tls() const { return tls_.get(); }

  // Stops reading: the kernel's buffer fills and the peer has to wait. What was under way already may still
  // reach on_receive, once.
  void pause_reading();
  void resume_reading();
  // Reading is paused, and on_end_unread was called since it is.
  bool is_end_unread() const { return has(kEndUnread); }

  // on_flushed is called once more when the outbox is empty, even if the kernel takes it all at once.
  void tell_when_flushed() { set(kTellFlushed); }

  // Half-closes once everything queued is sent. on_end still tells when the peer does the same.
  void finish_writing();
  // Ends it now: what is queued is dropped.
  void close();
  bool is_closed() const { return has(kClosed); }
  // finish_writing() is done: the kernel has everything that was queued, and the FIN.
  bool has_finished_writing() const { return has(kFinished); }

  int fd() const { return fd_; }
  Loop& loop() const { return *loop_; }

 protected:
  Stream() = default;

  // Where something of this turn waits already, as nearly always when messages come many at once, and more
  // may be put behind it as it is; null: extend() knows.
  Outbox* growing_outbox() const {
    constexpr std::uint32_t kState = kDirty | kClosed | kFinishWriting;
    return (flags_ & kState) == kDirty && tls_ == nullptr ? outbox_.get() : nullptr;
  }

  virtual void on_attached() {}
  virtual void on_secured() {}
  // The bytes lie in the loop's buffer and are the stream's to change, until it returns.
  virtual void on_receive(MutableBytes bytes) = 0;
  // Everything queued was sent. Called at least after each time that had to wait for the peer.
  virtual void on_flushed() {}
  virtual void on_end() = 0;
  // The peer sent FIN while reading is paused, or before: nothing new will come. What came before the FIN can
  // still be read, and on_end follows it, after resume_reading(). Once for each pause.
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
    kDirty = 4,  // something was queued since it was flushed last
    kReadPaused = 8,
    kWaitingWritable = 16,  // the kernel would take no more; told when it does
    kFinishWriting = 32,    // half-close when the outbox is empty
    kFinished = 64,         // half-closed
    kEnded = 128,           // the peer half-closed
    kReadArmed = 256,
    kSendInFlight = 512,
    kConnecting = 1024,
    kClosing = 2048,  // the kernel is asked to let it go
    kHangupArmed = 4096,
    kTellFlushed = 8192,
    kRegistered = 16384,  // the kernel has its descriptor in a table (io_uring)
    kListed = 32768,      // in the loop's list for the end of the turn, even if it was flushed before that
    kEndUnread = 65536,   // on_end_unread was called in this pause
  };
  bool has(Flag flag) const { return (flags_ & flag) != 0; }
  // The masks say to g++ what fits into the bit field.
  void set(Flag flag) { flags_ = (flags_ | flag) & kFlagsMask; }
  void unset(Flag flag) { flags_ = flags_ & ~std::uint32_t{flag} & kFlagsMask; }
  std::uint8_t* extend_anew(std::size_t size);
  bool prepare_to_queue();
  Outbox& outbox();

  Loop* loop_ = nullptr;
  OutboxPtr outbox_;  // under TLS: what is encrypted
  std::unique_ptr<TlsSession> tls_;
  int fd_ = -1;
  std::uint32_t slot_ = 0;  // where the loop's list has it
  static constexpr std::uint32_t kFlagsMask = 0xff'ffff;
  std::uint32_t flags_ : 24 = 0;
  std::uint32_t operations_ : 8 = 0;  // of the kernel's, under way on this stream (io_uring)
  static constexpr std::uint32_t kOperationsMax = 255;
};

}  // namespace fanfare::net
