#include "net/uring_loop.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/check.h"
#include "net/descriptor_table.h"
#include "net/pending_error.h"
#include "net/prefetch.h"
#include "net/receive_buffers.h"
#include "net/ring_mapping.h"
#include "net/ring_setup.h"
#include "net/send_messages.h"

namespace fanfare::net {
namespace {

// A completion's owner: a pointer, whose low bits identify the operation.
enum class Operation : std::uint64_t { receive, send, writable, hangup, connect, accept, wake, ignored };
constexpr std::uint64_t kOperationBits = 7;
static_assert(alignof(Stream) > kOperationBits || alignof(std::max_align_t) > kOperationBits);

template <typename Owner>
std::uint64_t tag_of(const Owner& owner, Operation operation) {
  return reinterpret_cast<std::uintptr_t>(&owner) | static_cast<std::uint64_t>(operation);
}

Operation operation_of(std::uint64_t tag) {
  return static_cast<Operation>(tag & kOperationBits);
}

void* owner_of(std::uint64_t tag) {
  return reinterpret_cast<void*>(tag & ~kOperationBits);
}

Stream& stream_of(std::uint64_t tag) {
  return *static_cast<Stream*>(owner_of(tag));
}

__kernel_timespec kernel_time_of(Duration wait) {
  const auto bounded = std::min<Duration>(wait, std::chrono::hours(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(bounded);
  return {.tv_sec = seconds.count(), .tv_nsec = (bounded - seconds).count()};
}

}  // namespace

struct UringLoop::Ring {
  io_uring uring{};
  bool open = false;
  std::uint64_t wakes = 0;
  ReceiveBuffers buffers;
  SendMessages messages;  // one per submission
  DescriptorTable descriptors;

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    note_ring_unmapping();
    if (open) io_uring_queue_exit(&uring);
  }

  io_uring_sqe* next() {
    io_uring_sqe* entry = io_uring_get_sqe(&uring);
    while (entry == nullptr) {
      submit();
      entry = io_uring_get_sqe(&uring);
    }
    return entry;
  }
  void submit() {
    io_uring_submit(&uring);
    messages.submitted();
  }
  // The next wake-up completes.
  void arm_wake(int wake_fd) {
    io_uring_sqe* entry = next();
    io_uring_prep_read(entry, wake_fd, &wakes, sizeof(wakes), 0);
    io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::wake));
  }
  // The completion that is `position` positions after the oldest one.
  const io_uring_cqe& completion(unsigned position) const {
    return uring.cq.cqes[(*uring.cq.khead + position) & uring.cq.ring_mask];
  }
  // Whether the kernel has taken every entry, and all its completions are in the completion queue.
  bool is_settled() { return io_uring_sq_ready(&uring) == 0 && !io_uring_cq_has_overflow(&uring); }
  bool has_completions() const { return io_uring_cq_ready(&uring) > 0 || io_uring_cq_has_overflow(&uring); }
};

std::expected<std::unique_ptr<Loop>, OsError> UringLoop::create(const LoopOptions& options) {
  auto ring = std::make_unique<Ring>();
  const auto features = open_ring(ring->uring, options.streams_max);
  if (!features) return std::unexpected(features.error());
  ring->open = true;
  note_ring_mapped();
  if (auto failed = ring->buffers.attach(ring->uring, options.streams_max)) {
    return std::unexpected(*std::move(failed));
  }
  if (auto failed = check_short_sends(ring->uring)) return std::unexpected(*std::move(failed));
  ring->descriptors.attach(ring->uring, *features);
  std::unique_ptr<UringLoop> loop(new UringLoop(options, std::move(ring)));
  // Nothing has failed since, so errno is still from creating the wake-up descriptor.
  if (loop->wake_fd() < 0) return std::unexpected(last_error("eventfd"));
  loop->ring_->arm_wake(loop->wake_fd());
  return loop;
}

UringLoop::UringLoop(const LoopOptions& options, std::unique_ptr<Ring> ring)
    : Loop(options), ring_(std::move(ring)) {}

UringLoop::~UringLoop() {
  close_all();
}

inline void UringLoop::operation_over(Stream& stream) {
  FANFARE_CHECK(stream.operations_ > 0);
  --stream.operations_;
  if (stream.operations_ == 0 && stream.has(Stream::kClosing)) [[unlikely]]
    let_go(stream);
}

void UringLoop::prefetch_handler(std::uint64_t tag) {
  if (operation_of(tag) != Operation::receive) return;
  prefetch(reinterpret_cast<std::uintptr_t>(stream_of(tag).handler_.get()));
}

int UringLoop::prepare_to_wait() {
  ring_->submit();
  return ring_->uring.ring_fd;
}

bool UringLoop::poll(Duration wait) {
  io_uring_cqe* first = nullptr;
  Ring& ring = *ring_;
  if (wait <= Duration::zero()) {
    io_uring_submit_and_get_events(&ring.uring);
  } else {
    __kernel_timespec time = kernel_time_of(wait);
    io_uring_submit_and_wait_timeout(&ring.uring, &first, 1, &time, nullptr);
  }
  ring.messages.submitted();
  update_now();
  // What completes meanwhile waits for the next turn, where settle_sends() sees it first.
  const unsigned count = io_uring_cq_ready(&ring.uring);
  settle_sends(count);
  for (unsigned i = 0; i < count; ++i) {
    if (i + 1 < count) {
      prefetch_handler(ring.completion(i + 1).user_data);
      if (i + kPrefetchDistance < count)
        prefetch(ring.completion(i + kPrefetchDistance).user_data & ~kOperationBits);
    }
    const io_uring_cqe& entry = ring.completion(i);
    handle(entry.user_data, {.result = entry.res, .flags = entry.flags});
  }
  io_uring_cq_advance(&ring.uring, count);
  ring.buffers.show_free();
  if (!starved_.empty()) rearm_starved();
  return count > 0;
}

void UringLoop::release_unneeded() {
  for (auto* list : {&starved_, &sending_}) fanfare::release_unneeded(*list, most_flushed_);
  ring_->messages.forget_unneeded();
  // Receives happen within our own calls (DEFER_TASKRUN): what was delivered is no longer needed.
  ring_->buffers.forget_unneeded(ring_->has_completions());
  Loop::release_unneeded();
}

void UringLoop::handle(std::uint64_t tag, Completion completion) {
  void* const owner = owner_of(tag);
  switch (operation_of(tag)) {
    case Operation::receive:
      return received(*static_cast<Stream*>(owner), completion);
    case Operation::send:
      return;  // already handled by settle_sends()
    case Operation::writable:
      return writable(*static_cast<Stream*>(owner));
    case Operation::hangup:
      return hung_up(*static_cast<Stream*>(owner), completion);
    case Operation::connect:
      return connect_over(*static_cast<Stream*>(owner), completion);
    case Operation::accept:
      return accepted(*static_cast<Listener*>(owner), completion);
    case Operation::wake:
      return ring_->arm_wake(wake_fd());
    case Operation::ignored:
      return;
  }
}

void UringLoop::cancel(std::uint64_t tag) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_cancel64(entry, tag, 0);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::ignored));
}

void UringLoop::start(Stream& stream) {
  // On a non-blocking socket the kernel would return EAGAIN instead of waiting.
  const int flags = ::fcntl(stream.fd_, F_GETFL);
  if ((flags & O_NONBLOCK) != 0) ::fcntl(stream.fd_, F_SETFL, flags & ~O_NONBLOCK);
  if (ring_->descriptors.add(stream.fd_)) stream.set(Stream::kRegistered);
  if (!stream.has(Stream::kConnecting)) return arm_receive(stream);
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_add(entry, stream.fd_, POLLOUT);
  begin(*entry, stream, tag_of(stream, Operation::connect));
}

// Sets up an entry for the stream's descriptor, which has the same number in the table.
void UringLoop::begin(io_uring_sqe& entry, Stream& stream, std::uint64_t tag) {
  if (stream.has(Stream::kRegistered)) entry.flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(&entry, tag);
  FANFARE_CHECK(stream.operations_ < Stream::kOperationsMax);
  ++stream.operations_;
}

void UringLoop::arm_receive(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  const bool is_bounded = stream.has(Stream::kBoundedReceives);
  io_uring_prep_recv(entry, stream.fd_, nullptr, is_bounded ? options_.receive_buffer_bytes : 0, 0);
  if (!is_bounded) entry->ioprio |= IORING_RECV_MULTISHOT;
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = ReceiveBuffers::kGroup;
  begin(*entry, stream, tag_of(stream, Operation::receive));
  stream.set(Stream::kReadArmed);
}

// While reading is paused, the kernel still reports an error, the peer's FIN and the end of both directions.
// The poll must be multishot: after a FIN, further reports may follow.
void UringLoop::arm_hangup(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_multishot(entry, stream.fd_, 0);
  begin(*entry, stream, tag_of(stream, Operation::hangup));
  stream.set(Stream::kHangupArmed);
}

void UringLoop::update_reading(Stream& stream) {
  if (stream.has(Stream::kClosed) || stream.has(Stream::kConnecting)) return;
  const bool wanted = !stream.has(Stream::kReadPaused) && !stream.has(Stream::kEnded);
  if (wanted) {
    if (stream.has(Stream::kHangupArmed)) cancel(tag_of(stream, Operation::hangup));
    if (!stream.has(Stream::kReadArmed)) arm_receive(stream);
  } else {
    if (stream.has(Stream::kReadArmed)) cancel(tag_of(stream, Operation::receive));
    if (!stream.has(Stream::kHangupArmed)) arm_hangup(stream);
  }
}

void UringLoop::received(Stream& stream, Completion completion) {
  const bool over = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (over) stream.unset(Stream::kReadArmed);
  if (completion.result > 0) {
    // A multishot receive takes all that a fast sender has sent, and the buffers of all others for it.
    if (stream.has(Stream::kReadPaused)) stream.set(Stream::kBoundedReceives);
    const unsigned buffer = completion.flags >> IORING_CQE_BUFFER_SHIFT;
    deliver(stream, ring_->buffers.received(buffer, static_cast<std::size_t>(completion.result)));
    if ((completion.flags & ReceiveBuffers::kHasMore) == 0) ring_->buffers.release(buffer, now());
  } else if (completion.result == 0) {
    delivered_end(stream);
  } else if (completion.result == -ENOBUFS) {
    // No buffer was free: the bytes stay in the socket until one is.
    starved_.push_back(&stream);
  } else if (completion.result != -ECANCELED) {
    lost(stream, "recv", -completion.result);
  }
  if (!over) return;
  if (completion.result != -ENOBUFS && !stream.has(Stream::kClosed) && !stream.has(Stream::kReadPaused) &&
      !stream.has(Stream::kEnded) && !stream.has(Stream::kReadArmed)) {
    arm_receive(stream);
  }
  operation_over(stream);
}

void UringLoop::rearm_starved() {
  ring_->buffers.make_room(now());
  for (Stream* stream : starved_) {
    if (!stream->has(Stream::kClosed)) update_reading(*stream);
  }
  starved_.clear();
}

// Called at the end of a turn. A send that does not wait completes at submission, and posts a completion only
// if it could not send everything (IOSQE_CQE_SKIP_SUCCESS). So no completion means success. MSG_WAITALL makes
// a partial send count as a failure, which reports its length. A missing completion does not wake the loop,
// so a completion is requested if the end of the send is awaited.
void UringLoop::flush(Stream& stream) {
  if (stream.has(Stream::kSendInFlight)) return;
  if (stream.outbox_ == nullptr || stream.outbox_->empty()) return drained(stream);
  Outbox& outbox = *stream.outbox_;
  outbox.in_flight = {};
  io_uring_sqe* entry = ring_->next();
  if (const Bytes part = outbox.only_part(); !part.empty() && part.size() <= options_.send_bytes_max) {
    outbox.in_flight.bytes = part.size();
    const int more = stream.finishes_when_drained() ? MSG_MORE : 0;
    io_uring_prep_send(entry, stream.fd_, part.data(), part.size(), kRingSendFlags | more);
  } else {
    prepare_parts(*entry, stream);
  }
  constexpr std::uint32_t kAwaited =
      Stream::kNotifyFlushed | Stream::kWaitingWritable | Stream::kFinishWriting;
  const bool awaited = stream.has(kAwaited) || outbox.in_flight.bytes < outbox.bytes();
  if (!awaited) entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  begin(*entry, stream, tag_of(stream, Operation::send));
  stream.set(Stream::kSendInFlight);
  sending_.push_back(&stream);
}

// A send of several parts, or of the beginning of a very large one.
void UringLoop::prepare_parts(io_uring_sqe& entry, Stream& stream) {
  Outbox& outbox = *stream.outbox_;
  SendMessages::Message& message = ring_->messages.next();
  const std::size_t count = outbox.gather(message.parts, options_.send_bytes_max);
  for (std::size_t i = 0; i < count; ++i) outbox.in_flight.bytes += message.parts[i].iov_len;
  message.header = {};
  message.header.msg_iov = message.parts.data();
  message.header.msg_iovlen = count;
  io_uring_prep_sendmsg(&entry, stream.fd_, &message.header, kRingSendFlags);
}

// Runs before any other events are delivered, because handlers may send again. `count`: how many completions
// there are.
void UringLoop::settle_sends(unsigned count) {
  if (sending_.empty()) return;
  for (unsigned i = 0; i < count; ++i) {
    const io_uring_cqe& entry = ring_->completion(i);
    if (operation_of(entry.user_data) == Operation::send) {
      stream_of(entry.user_data).outbox_->in_flight.result = entry.res;
    }
  }
  // While entries are unsubmitted or completions had no space, a missing completion proves nothing.
  if (!ring_->is_settled()) return;
  visit_and_remove(sending_, [this](Stream& stream) {
    const Outbox::InFlight& in_flight = stream.outbox_->in_flight;
    const auto bytes = static_cast<std::ptrdiff_t>(in_flight.bytes);
    const std::ptrdiff_t result = in_flight.result.value_or(bytes);
    stream.unset(Stream::kSendInFlight);
    if (result == bytes) {
      sent(stream);
    } else {
      send_cut_short(stream, static_cast<int>(result));
    }
    operation_over(stream);
  });
}

void UringLoop::sent(Stream& stream) {
  const std::size_t bytes = stream.outbox_->in_flight.bytes;
  // The usual case: drained() frees the outbox, so nothing need be consumed.
  if (bytes == stream.outbox_->bytes() && !stream.has(Stream::kClosed)) return drained(stream);
  stream.outbox_->consume(bytes);
  if (stream.has(Stream::kClosed)) return;
  // flush_all() skips streams that wait for their peer, so this one is flushed here.
  if (stream.has(Stream::kWaitingWritable)) return flush(stream);
  dirty_.mark(stream);
}

// The kernel sent `result` bytes, or failed with the error -`result`.
void UringLoop::send_cut_short(Stream& stream, int result) {
  if (result >= 0 || result == -EAGAIN) {
    if (result > 0) stream.outbox_->consume(static_cast<std::size_t>(result));
    stream.outbox_->settle();
    if (stream.has(Stream::kClosed)) return;
    stream.set(Stream::kWaitingWritable);
    arm_writable(stream);
  } else if (result != -ECANCELED) {
    lost(stream, "send", -result);
  }
}

void UringLoop::arm_writable(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_add(entry, stream.fd_, POLLOUT);
  begin(*entry, stream, tag_of(stream, Operation::writable));
}

void UringLoop::writable(Stream& stream) {
  if (!stream.has(Stream::kClosed)) flush(stream);
  operation_over(stream);
}

void UringLoop::hung_up(Stream& stream, Completion completion) {
  const int seen = std::max(completion.result, 0);
  if (!stream.has(Stream::kClosed)) {
    if ((seen & POLLERR) != 0 || ((seen & POLLHUP) != 0 && stream.has(Stream::kEnded))) {
      const int code = pending_error(stream.fd_);
      lost(stream, "poll", code == 0 ? ECONNRESET : code);
    } else if ((seen & (POLLHUP | POLLRDHUP)) != 0) {
      end_is_unread(stream);
    }
  }
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return;
  stream.unset(Stream::kHangupArmed);
  // The poll was cancelled because reading resumed; reading may have been paused again meanwhile.
  update_reading(stream);
  operation_over(stream);
}

void UringLoop::connect_over(Stream& stream, Completion completion) {
  if (!stream.has(Stream::kClosed) && completion.result != -ECANCELED) {
    if (const int code = pending_error(stream.fd_); code != 0) {
      lost(stream, "connect", code);
    } else {
      connected(stream);
      update_reading(stream);
      if (!stream.has(Stream::kClosed)) dirty_.mark(stream);
    }
  }
  operation_over(stream);
}

// The table also keeps the descriptor open, which would delay the FIN.
void UringLoop::let_go(Stream& stream) {
  if (stream.has(Stream::kRegistered)) ring_->descriptors.remove(stream.fd_);
  finish_close(stream);
}

void UringLoop::begin_close(Stream& stream) {
  std::erase(starved_, &stream);
  if (stream.operations_ == 0) return let_go(stream);
  stream.set(Stream::kClosing);
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_cancel_fd(entry, stream.fd_, IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::ignored));
}

ListenerId UringLoop::listen(Descriptor descriptor, AcceptHandler handler) {
  ::fcntl(descriptor.get(), F_SETFL, ::fcntl(descriptor.get(), F_GETFL) & ~O_NONBLOCK);
  const auto id = static_cast<ListenerId>(listeners_.size());
  arm_accept(listeners_.emplace_back(std::move(descriptor), std::move(handler)));
  return id;
}

void UringLoop::arm_accept(Listener& listener) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_multishot_accept(entry, listener.descriptor.get(), nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(entry, tag_of(listener, Operation::accept));
}

void UringLoop::stop_listening(ListenerId id, LateConnections late) {
  Listener& listener = listeners_[id];
  listener.late = late;
  if (std::exchange(listener.stopped, true)) return;
  // No shutdown(): the socket may be shared with other loops or processes that continue to use it.
  cancel(tag_of(listener, Operation::accept));
  // This call makes the kernel cancel the accept. So closing the descriptor frees the socket immediately;
  // there may be no next turn to do it.
  io_uring_submit_and_get_events(&ring_->uring);
  ring_->messages.submitted();
  listener.descriptor = Descriptor();
}

void UringLoop::accepted(Listener& listener, Completion completion) {
  const bool over = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (completion.result >= 0) {
    Descriptor connected(completion.result);
    listener.pause.end();
    if (listener.late == LateConnections::taken) listener.handler(std::move(connected));
  }
  if (!over || listener.stopped) return;
  if (listener.pause.begins("accept", -completion.result)) {
    call_after(AcceptPause::kRest, [this, &listener] {
      if (!listener.stopped) arm_accept(listener);
    });
    return;
  }
  arm_accept(listener);
}

}  // namespace fanfare::net
