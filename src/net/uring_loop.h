#pragma once
// The io_uring loop. Receives are multishot and take their buffers from a ring shared by all streams, so an
// idle connection holds none. A turn's sends are collected and submitted together with the wait for the next
// turn. So a turn takes one system call, however many streams it serves.
//
// Needs Linux 6.1 (SINGLE_ISSUER, DEFER_TASKRUN, multishot receive, buffer rings). The ring belongs to the
// thread that created the loop; the same thread must run it.

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "net/accept_pause.h"
#include "net/loop.h"

struct io_uring_sqe;

namespace fanfare::net {

class UringLoop final : public Loop {
 public:
  // The error names the missing kernel feature.
  static std::expected<std::unique_ptr<Loop>, OsError> create(const LoopOptions& options);
  ~UringLoop() override;

  ListenerId listen(Descriptor descriptor, AcceptHandler handler) override;
  void stop_listening(ListenerId id, LateConnections late) override;
  std::string_view name() const override { return "io_uring"; }
  int prepare_to_wait() override;

 private:
  struct Ring;       // liburing's ring, and the memory it uses
  struct Listener {  // does not move until the kernel has released it
    Descriptor descriptor;
    AcceptHandler handler;
    bool stopped = false;
    LateConnections late = LateConnections::taken;
    AcceptPause pause = {};
  };
  struct Completion {
    std::int32_t result;
    std::uint32_t flags;
  };

  UringLoop(const LoopOptions& options, std::unique_ptr<Ring> ring);

  bool poll(Duration wait) override;
  void release_unneeded() override;
  void start(Stream& stream) override;
  void update_reading(Stream& stream) override;
  void flush(Stream& stream) override;
  void begin_close(Stream& stream) override;

  // The handler of the next completion's stream, which was prefetched a completion ago.
  static void prefetch_handler(std::uint64_t tag);
  void handle(std::uint64_t tag, Completion completion);
  void received(Stream& stream, Completion completion);
  void prepare_parts(io_uring_sqe& entry, Stream& stream);
  void settle_sends(unsigned count);
  void sent(Stream& stream);
  void send_cut_short(Stream& stream, int result);
  void writable(Stream& stream);
  void hung_up(Stream& stream, Completion completion);
  void connect_over(Stream& stream, Completion completion);
  void accepted(Listener& listener, Completion completion);

  void begin(io_uring_sqe& entry, Stream& stream, std::uint64_t tag);
  void arm_receive(Stream& stream);
  void arm_writable(Stream& stream);
  void arm_hangup(Stream& stream);
  void arm_accept(Listener& listener);
  void cancel(std::uint64_t tag);
  void let_go(Stream& stream);
  void operation_over(Stream& stream);
  void rearm_starved();

  std::unique_ptr<Ring> ring_;
  std::deque<Listener> listeners_;
  // Streams whose receive ended because no buffer was free; restarted when this turn's buffers have been
  // returned.
  PagesVector<Stream*> starved_;
  PagesVector<Stream*> sending_;  // submitted, or about to be
};

}  // namespace fanfare::net
