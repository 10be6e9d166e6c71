#pragma once
// The event loop: one per thread; all its calls run on that thread. There are two implementations: epoll, and
// io_uring if the kernel has the required features.
//
// One turn: wait for the kernel and deliver events. Run the mailbox (a share of it, if it is long) and the
// timers. Before a broadcast leaves, look for events once more. Send what the streams queued, with one write
// per stream. Destroy closed streams. Memory that was not needed recently returns to the system: once a
// second while the loop is busy, and once after it becomes idle.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "base/block_pool.h"
#include "base/long_list.h"
#include "base/pages.h"
#include "base/time.h"
#include "fanfare/unique_function.h"
#include "net/arena.h"
#include "net/busy_poll.h"
#include "net/flush_list.h"
#include "net/mailbox.h"
#include "net/os_error.h"
#include "net/outbox_store.h"
#include "net/second_look.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/timers.h"

namespace fanfare::net {

// automatic: io_uring if the kernel has the required features, otherwise epoll.
enum class LoopKind : std::uint8_t { automatic, uring, epoll };

struct LoopOptions {
  LoopKind kind = LoopKind::automatic;
  Clock* clock = nullptr;                        // null: the system's; must outlive the loop
  std::size_t receive_buffer_bytes = 64 * 1024;  // largest read from one stream; one buffer per loop
  // The expected maximum number of streams. It sizes the loop's resources in the kernel (io_uring's queues,
  // receive buffers). More streams work too, but more slowly.
  std::size_t streams_max = 100'000;
  unsigned accepts_per_turn_max = 64;  // limits how long a burst of connections delays existing ones
  MailboxLimits mailbox = {};          // for offer() and reserve()
  // A long mailbox must not delay the sockets: at either limit, the rest waits for the next turn. At least
  // one task is run.
  std::size_t tasks_per_turn_max = 1024;
  Duration task_time_per_turn_max = std::chrono::milliseconds(5);
  // The largest send from one stream; the rest follows. The kernel takes at most 2 GiB - 4 KiB
  // (MAX_RW_COUNT), and io_uring's results are ints.
  std::size_t send_bytes_max = std::size_t{1} << 30;
  // For so long after the last event or task the loop looks for the next one before it sleeps; other threads of its core run in
  // between. Zero: it sleeps at once.
  Duration busy_poll = {};
};

using ListenerId = std::uint32_t;
// Receives a new connection's descriptor and owns it: adopt it, or let it go to reject the connection.
using AcceptHandler = UniqueFunction<void(Descriptor)>;

// What a loop had accepted before it stopped listening, and not yet passed to the handler. `taken` until a second stop.
enum class LateConnections : std::uint8_t { dropped, taken };

class Loop {
 public:
  static std::expected<std::unique_ptr<Loop>, OsError> create(LoopOptions options = {});
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  // Closes and notifies every stream that is still attached.
  virtual ~Loop();

  // The calling thread is the loop's thread until this returns, which it does after stop().
  void run();
  // Runs one turn that waits at most `wait`: for tests, and for embedding in another event loop.
  void run_once(Duration wait) { turn(may_wait(wait)); }

  // For a thread that has other work between two turns (upstream/worker.cc). Sends what that work queued, so
  // that the next turn may wait.
  void send_queued() { flush_all(); }
  // The longest time that the next turn may wait, at most `wait`: zero if there is something to do.
  Duration may_wait(Duration wait) const { return may_wait_from(clock_->now(), wait); }
  // For waiting elsewhere instead of in a turn, and not longer than may_wait(): passes everything to the kernel,
  // and returns a descriptor that is readable while a turn has events to handle.
  virtual int prepare_to_wait() = 0;
  // Any thread. Ends the current wait, or the next one.
  void wake();

  // Any thread.
  void stop();
  // Any thread. Runs the task on the loop's thread, in the call order of each thread. A rejected task is
  // destroyed before the call returns. A task still waiting at close_mailbox() is destroyed there. post() is
  // for tasks that the loop needs for its own work: only a closed mailbox rejects them (false).
  bool post(Task task);
  // As post(), but counted against LoopOptions::mailbox with `bytes` bytes.
  PostResult offer(Task task, std::size_t bytes);
  // offer() in two steps, for callers that need space on several loops. After `accepted`, call
  // post_reserved() or give_back().
  PostResult reserve(std::size_t bytes) { return mailbox_.reserve(bytes); }
  void give_back(std::size_t bytes) { mailbox_.give_back(bytes); }
  bool post_reserved(Task task, std::size_t bytes);
  // As post(), but ahead of all other tasks and always in the next turn.
  bool post_urgent(Task task);

  // The loop's thread. Permanent: tasks posted earlier or later are not run. Call it before destroying
  // objects that tasks may refer to.
  void close_mailbox();

  // The loop's thread (or, before run(), the thread that will run it).
  Instant now() const { return now_; }
  // Number of the current turn. It wraps, so only compare it for equality.
  std::uint32_t turn_number() const { return turn_number_; }
  TimerId call_at(Instant due, Task task) { return timers_.add(due, std::move(task)); }
  TimerId call_after(Duration delay, Task task) {
    return timers_.add(saturating_add(clock_->now(), delay), std::move(task));
  }
  bool cancel(TimerId id) { return timers_.cancel(id); }

  // Takes ownership of a connected, non-blocking descriptor and of the handler of its stream. The stream
  // lives at least until the end of the turn. An exception before on_attached: both are gone.
  Stream& adopt(std::unique_ptr<TransportHandler> handler, Descriptor descriptor);
  // Takes ownership of a descriptor that is still connecting (start_connect). on_attached is called when it
  // is connected, on_lost when it fails.
  Stream& adopt_connecting(std::unique_ptr<TransportHandler> handler, Descriptor descriptor);

  virtual ListenerId listen(Descriptor descriptor, AcceptHandler handler) = 0;
  // Resets connections that the kernel had completed and that were not accepted. If another loop or process
  // also holds the socket, they stay there.
  virtual void stop_listening(ListenerId id, LateConnections late) = 0;

  std::size_t stream_count() const { return streams_.size(); }
  virtual std::string_view name() const = 0;  // "epoll", "io_uring"

 protected:
  explicit Loop(const LoopOptions& options);

  // Waits for the kernel for at most `wait` and delivers events. Returns false if there were none.
  // Implementations call update_now() after waiting.
  virtual bool poll(Duration wait) = 0;
  // Frees memory that was not needed since the last call.
  virtual void release_unneeded();
  virtual void start(Stream& stream) = 0;
  virtual void update_reading(Stream& stream) = 0;
  // Sends the outbox as far as the kernel accepts it.
  virtual void flush(Stream& stream) = 0;
  // Removes the stream from the kernel and closes the descriptor, or begins to; finish_close() completes it.
  virtual void begin_close(Stream& stream) = 0;

  void update_now() { now_ = clock_->now(); }
  void finish_close(Stream& stream);
  // Called by the implementations to report a stream's events.
  void deliver(Stream& stream, MutableBytes bytes);
  void delivered_end(Stream& stream);
  void end_is_unread(Stream& stream);
  void lost(Stream& stream, const char* call, int code);
  void connected(Stream& stream);
  // `stream`'s outbox is empty: frees it, half-closes if requested, and notifies the stream if it had waited.
  void drained(Stream& stream) {
    outboxes_.give_back(stream.outbox_);
    constexpr std::uint32_t kFollowUps =
        Stream::kQueuesElsewhere | Stream::kFinishWriting | Stream::kWaitingWritable | Stream::kNotifyFlushed;
    if (stream.has(kFollowUps)) [[unlikely]]
      after_drained(stream);
  }
  void after_drained(Stream& stream);
  void flush_if_dirty(Stream& stream);
  // Closes all streams that are still attached. The implementations' destructors must call it, while they can
  // still close.
  void close_all();

  // Resets the counter on wake_fd(), after poll() found it readable.
  void drain_wakeups();
  int wake_fd() const { return wake_fd_.get(); }

  const LoopOptions options_;
  BusyPoll busy_poll_{options_.busy_poll};
  SecondLook second_look_;
  std::size_t most_flushed_ = 0;  // per turn, since release_unneeded()
  FlushList dirty_;
  OutboxStore outboxes_;

 private:
  friend class Stream;
  friend class TlsLayer;
  friend class BusyPoll;
  friend class SecondLook;
  bool woken(Mailbox::Pushed pushed);
  void trim();
  void turn(Duration wait);
  // As may_wait(), if the time is `now`.
  Duration may_wait_from(Instant now, Duration wait) const;
  bool has_tasks() const { return !mailbox_.empty() || !urgent_.empty(); }
  void run_tasks_and_timers();
  // Buffer for data that will never be sent.
  std::uint8_t* room_to_drop(std::size_t size);
  void trim_later();
  void schedule_close(Stream& stream);
  void flush_all();
  void close_scheduled();
  void destroy_finished();
  Stream& attach(std::unique_ptr<TransportHandler> handler, Descriptor descriptor);
  // For the plain bytes of one decryption: a TLS record (RFC8446§5.1).
  MutableBytes room_to_decrypt();

  Clock* clock_;
  Descriptor wake_fd_;
  Instant now_;
  Arena arena_;
  std::uint32_t turn_number_ = 0;
  std::vector<std::uint8_t> dropped_;
  std::unique_ptr<std::uint8_t[]> plain_;  // created with the first TLS stream
  BlockPool stream_memory_{sizeof(Stream)};
  PagesVector<Stream*> closing_;
  PagesVector<Stream*> finished_;
  PagesVector<Stream*> destroying_;
  LongList<Stream*> streams_;                               // every attached stream, unordered
  std::vector<std::unique_ptr<TransportHandler>> retired_;  // replaced in this turn; may be on the stack
  Mailbox mailbox_;
  Mailbox urgent_;
  Timers timers_;
  // In order: release_unneeded() is scheduled; it is due at the end of this turn; there was activity since it
  // was scheduled.
  bool trim_planned_ = false;
  bool trim_due_ = false;
  bool came_since_ = false;
  std::atomic<bool> stopping_ = false;
};

}  // namespace fanfare::net
