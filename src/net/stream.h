#pragma once
// One connected socket on one loop. The loop owns the stream from adopt() to its end, and calls its handler
// only on its own thread. The handler decides what the bytes mean. It can be replaced, as at an upgrade from
// one protocol to another.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/block_pool.h"
#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "net/outbox.h"
#include "net/tls.h"
#include "net/transport.h"

namespace fanfare::net {

class Loop;
class TlsLayer;

class Stream final : public Transport {
 public:
  ~Stream() override;
  static void* operator new(std::size_t, BlockPool& room) { return room.take(); }
  static void operator delete(void* stream) { BlockPool::give_back(stream); }
  static void operator delete(void* stream, BlockPool&) { BlockPool::give_back(stream); }

  void set_handler(std::unique_ptr<TransportHandler> handler) override;

  void push(SharedBytes bytes) override;
  std::size_t send_now(Bytes first, Bytes then) override;
  // Makes a system call.
  SendProgress send_progress() const override;
  void notify_when_flushed() override { set(kNotifyFlushed); }

  // Sends all later data through TLS, in both directions: before the first byte, or between two protocols
  // (after a proxy's response to CONNECT). on_secured follows, or on_lost with the reason as detail. Data
  // queued meanwhile is sent after the handshake.
  void start_tls(std::shared_ptr<const TlsContext> context, TlsRole role, std::string_view server_name = {});
  // Passes bytes to TLS that arrived together with the preceding plain bytes, when the other end speaks first
  // (a server behind a proxy's header). Call it after start_tls(), within on_receive(); it may call
  // on_receive() itself.
  void receive_encrypted(Bytes bytes);
  // Null without TLS.
  const TlsSession* tls() const override;

  void pause_reading() override;
  void resume_reading() override;

  void finish_writing() override;
  bool is_delivered() const override;
  void close() override;

  std::string peer() const override;
  int fd() const { return fd_; }
  Loop& loop() const { return loop_; }

 private:
  friend class Loop;
  friend class FlushList;
  friend class TlsLayer;
  friend class EpollLoop;
  friend class UringLoop;

  // The flags of a socket, behind those of a transport.
  enum SocketFlag : std::uint32_t {
    kReadPaused = kFirstOwnFlag,
    kWaitingWritable = kFirstOwnFlag << 1U,  // the kernel accepts no more; notified when it does
    kFinished = kFirstOwnFlag << 2U,         // half-closed
    kEnded = kFirstOwnFlag << 3U,            // the peer half-closed
    kReadArmed = kFirstOwnFlag << 4U,
    kSendInFlight = kFirstOwnFlag << 5U,
    kConnecting = kFirstOwnFlag << 6U,
    kClosing = kFirstOwnFlag << 7U,  // the kernel was asked to release it
    kHangupArmed = kFirstOwnFlag << 8U,
    kNotifyFlushed = kFirstOwnFlag << 9U,
    kRegistered = kFirstOwnFlag << 10U,  // the kernel has its descriptor in a table (io_uring)
    kListed = kFirstOwnFlag << 11U,  // in the loop's list for the end of the turn, even if flushed earlier
    kBoundedReceives = kFirstOwnFlag << 12U,  // io_uring: it sent more than its handler took in a turn
  };

  Stream(Loop& loop, std::unique_ptr<TransportHandler> handler) : loop_(loop), handler_(std::move(handler)) {}

  std::uint8_t* extend_slowly(std::size_t size) override;
  [[gnu::noinline]] std::uint8_t* extend_any(std::size_t size);
  std::size_t queued_elsewhere() const override;
  bool prepare_to_queue();
  Outbox& outbox();        // of the data for the kernel; under TLS it is encrypted
  Outbox& plain_outbox();  // of the data that was written
  // Null without TLS. Only such a stream queues data elsewhere: what waits for its encryption.
  TlsLayer* tls_layer() const { return has(kQueuesElsewhere) ? &secured_by() : nullptr; }
  TlsLayer& secured_by() const;
  // Without data in the outbox: under TLS the handshake may have to come first.
  bool is_all_sent() const;
  // What is sent last may go out with the FIN that follows at once (MSG_MORE): one packet less, and the peer wakes once.
  bool finishes_when_drained() const { return has(kFinishWriting) && !has(kFinished) && is_all_sent(); }

  static constexpr std::uint8_t kOperationsMax = 255;
  int fd_ = -1;
  Loop& loop_;
  std::unique_ptr<TransportHandler> handler_;  // under TLS the layer, which owns the handler
  std::uint32_t slot_ = 0;                     // index in the loop's list
  std::uint8_t operations_ = 0;                // kernel operations in progress on this stream (io_uring)
};

static_assert(sizeof(Stream) <= 48, "part of what an idle connection costs");

}  // namespace fanfare::net
