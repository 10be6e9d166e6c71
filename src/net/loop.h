#pragma once
// The event loop: one per thread, everything it calls runs on that thread. Two implementations stand behind
// this interface: epoll, and io_uring where the kernel has what it needs.
//
// A turn: wait for the kernel; hand out what came; run the mailbox (a share of it, when it is long) and the
// timers; send what the streams queued (one write a stream); destroy what was closed. Once a second, while
// there is something to do, and once when there is no more, memory that was not needed lately goes back to
// the system.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "base/block_pool.h"
#include "base/pages.h"
#include "base/time.h"
#include "fanfare/unique_function.h"
#include "net/arena.h"
#include "net/mailbox.h"
#include "net/os_error.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/timers.h"

namespace fanfare::net {

// automatic: io_uring where the kernel has what it needs, epoll otherwise.
enum class LoopKind : std::uint8_t { automatic, uring, epoll };

struct LoopOptions {
  LoopKind kind = LoopKind::automatic;
  Clock* clock = nullptr;                        // null: the machine's; outlives the loop
  std::size_t receive_buffer_bytes = 64 * 1024;  // read at most at once from one stream; one buffer a loop
  // How many streams there may be: what the loop sets up with the kernel (io_uring's queues, receive buffers)
  // is sized for it. With more of them it is slower, not worse.
  std::size_t streams_max = 100'000;
  unsigned accepts_per_turn_max = 64;  // a burst of connections must not stop those that are there
  MailboxLimits mailbox = {};          // of offer() and reserve()
  // A long mailbox must not keep the sockets waiting: past either one, the next turn goes on with the rest.
  // At least one task is run.
  std::size_t tasks_per_turn_max = 1024;
  Duration task_time_per_turn_max = std::chrono::milliseconds(5);
  // Given to the kernel at once from one stream; the rest follows. It takes no more than 2 GiB - 4 KiB
  // (MAX_RW_COUNT), and io_uring's results are ints.
  std::size_t send_bytes_max = std::size_t{1} << 30;
};

using ListenerId = std::uint32_t;
// A new connection: its descriptor is the callee's (adopt it, or let it go to refuse).
using AcceptHandler = UniqueFunction<void(Descriptor)>;

class Loop {
 public:
  static std::expected<std::unique_ptr<Loop>, OsError> create(LoopOptions options = {});
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  // Every stream still attached is closed and told so.
  virtual ~Loop();

  // The calling thread is the loop's from here until it returns, which it does after stop().
  void run();
  // One turn that waits at most `wait`: for tests and for embedding in somebody else's loop.
  void run_once(Duration wait);

  // Any thread.
  void stop();
  // Any thread. The task is run on the loop's thread, in the order of the calls of one thread. A task that is
  // not accepted is destroyed before the call returns; one that waits when close_mailbox() is called, there.
  // post() is for what the loop needs to do its work: it is refused only by a closed mailbox (false).
  bool post(Task task);
  // Counts against LoopOptions::mailbox, with so many bytes.
  PostResult offer(Task task, std::size_t bytes);
  // In two steps, for who needs room on several loops: after `accepted`, post_reserved() or give_back().
  PostResult reserve(std::size_t bytes) { return mailbox_.reserve(bytes); }
  void give_back(std::size_t bytes) { mailbox_.give_back(bytes); }
  bool post_reserved(Task task, std::size_t bytes);
  // In front of all that others have posted, and always in the next turn.
  bool post_urgent(Task task);

  // The loop's thread, for good: nothing that was posted is run from here on. To be called before the things
  // go that tasks may name.
  void close_mailbox();

  // The loop's thread (or, before run(), the thread that will run it).
  Instant now() const { return now_; }
  // Of the turn under way; wraps, so only whether two are the same means anything.
  std::uint32_t turn_number() const { return turn_number_; }
  TimerId call_at(Instant due, Task task) { return timers_.add(due, std::move(task)); }
  TimerId call_after(Duration delay, Task task) {
    return timers_.add(saturating_add(clock_->now(), delay), std::move(task));
  }
  bool cancel(TimerId id) { return timers_.cancel(id); }

  // Takes over a connected, non-blocking descriptor and the stream that will serve it.
  void adopt(std::unique_ptr<Stream> stream, Descriptor descriptor);
  // Takes over a descriptor whose connection is being made (start_connect): on_attached is called when it is,
  // on_lost when it fails.
  void adopt_connecting(std::unique_ptr<Stream> stream, Descriptor descriptor);

  virtual ListenerId listen(Descriptor descriptor, AcceptHandler handler) = 0;
  // Connections the kernel had already completed but nobody accepted are reset, unless somebody else holds
  // the socket, too: then they are left to them.
  virtual void stop_listening(ListenerId id) = 0;

  std::size_t stream_count() const { return streams_.size(); }
  virtual std::string_view name() const = 0;  // "epoll", "io_uring"

 protected:
  explicit Loop(const LoopOptions& options);

  // Waits for the kernel, at most `wait`, and hands out what came: false if nothing did. update_now() after
  // waiting.
  virtual bool poll(Duration wait) = 0;
  // Gives back memory that was not needed since it was called last.
  virtual void release_unneeded();
  virtual void start(Stream& stream) = 0;
  virtual void update_reading(Stream& stream) = 0;
  // Sends what the outbox has, as far as the kernel takes it.
  virtual void flush(Stream& stream) = 0;
  // Lets the kernel forget the stream and closes the descriptor, or begins to; finish_close() when it is
  // done.
  virtual void begin_close(Stream& stream) = 0;

  void update_now() { now_ = clock_->now(); }
  void finish_close(Stream& stream);
  // For the implementations: what happened to a stream.
  void deliver(Stream& stream, MutableBytes bytes);
  void delivered_end(Stream& stream);
  void end_is_unread(Stream& stream);
  void lost(Stream& stream, const char* call, int code);
  void connected(Stream& stream);
  // `stream`'s outbox is empty: gives it back, half-closes if asked, tells the stream if it had waited.
  void drained(Stream& stream);
  void flush_if_dirty(Stream& stream);
  // Flushed at the end of the turn.
  void mark_dirty(Stream& stream);
  // Closes whatever is still attached; the implementations' destructors call it while they still can.
  void close_all();

  // Takes what wake-ups have been counted on wake_fd(), once poll() saw it readable.
  void swallow_wakes();
  int wake_fd() const { return wake_fd_.get(); }

  const LoopOptions options_;
  std::size_t most_flushed_ = 0;  // in one turn, since release_unneeded()

 private:
  friend class Stream;
  void wake();
  bool woken(Mailbox::Pushed pushed);
  void turn(Duration wait);
  void run_tasks();
  // Where what nobody will send is written.
  std::uint8_t* room_to_drop(std::size_t size);
  void rest_later();
  void schedule_close(Stream& stream);
  void flush_all();
  void close_scheduled();
  void destroy_finished();
  void attach(std::unique_ptr<Stream> stream, Descriptor descriptor);
  void deliver_decrypted(Stream& stream, Bytes bytes);
  void encrypt_waiting(Stream& stream);
  void lost_to_tls(Stream& stream);

  // What one decryption yields at most: a TLS record (RFC8446§5.1).
  static constexpr std::size_t kPlainBytes = 16 * 1024;
  static constexpr Duration kRestAfter = std::chrono::seconds(1);

  Clock* clock_;
  Descriptor wake_fd_;
  Instant now_;
  Arena arena_;
  std::uint32_t turn_number_ = 0;
  std::vector<std::uint8_t> dropped_;
  std::unique_ptr<std::uint8_t[]> plain_;  // made with the first TLS stream
  // A broadcast takes one for every stream, and gives all of them back.
  BlockPool outboxes_{sizeof(Outbox), SIZE_MAX};
  PagesVector<Stream*> dirty_;
  PagesVector<Stream*> flushing_;
  PagesVector<Stream*> closing_;
  PagesVector<Stream*> finished_;
  PagesVector<Stream*> destroying_;
  std::deque<Stream*> streams_;  // every attached stream, in no order
  Mailbox mailbox_;
  Mailbox urgent_;
  Timers timers_;
  // release_unneeded() is planned, is due at the end of this turn; something came since it was planned.
  bool rest_planned_ = false;
  bool rest_due_ = false;
  bool came_since_ = false;
  std::atomic<bool> stopping_ = false;
};

}  // namespace fanfare::net
