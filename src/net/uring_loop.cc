#include "net/uring_loop.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace fanfare::net {
namespace {

// Submissions collected before the kernel is asked; more in one turn are submitted in between.
constexpr unsigned kSubmissions = 4096;
constexpr unsigned kCompletions = 4 * kSubmissions;
// The buffer ring. A receive takes a whole buffer for as long as its bytes are looked at, so the number is
// what can arrive between two turns before somebody has to wait, and the size is how much of one stream comes
// at once.
constexpr unsigned kBuffers = 1024;  // a power of two
constexpr std::size_t kBufferBytes = 16 * 1024;
constexpr int kBufferGroup = 0;
// Segments of one outbox given to one send.
constexpr std::size_t kPartsMax = 64;
constexpr Duration kRestWithoutDescriptors = std::chrono::milliseconds(100);

// What a completion belongs to: a pointer, and in its low bits which operation.
enum class Operation : std::uint64_t { receive, send, hangup, connect, accept, wake, ignored };
constexpr std::uint64_t kOperationBits = 7;
static_assert(alignof(Stream) > kOperationBits || alignof(std::max_align_t) > kOperationBits);

template <typename Owner>
std::uint64_t tag_of(const Owner& owner, Operation operation) {
  return reinterpret_cast<std::uintptr_t>(&owner) | static_cast<std::uint64_t>(operation);
}

void* map_memory(std::size_t size) {
  return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

}  // namespace

struct UringLoop::Ring {
  // The message headers of sends with several parts; the kernel has copied them once they are submitted.
  struct Message {
    msghdr header;
    std::array<iovec, kPartsMax> parts;
  };

  io_uring uring{};
  io_uring_buf_ring* buffers = nullptr;
  std::uint8_t* buffer_memory = nullptr;
  unsigned buffers_returned = 0;  // since they were last shown to the kernel
  std::deque<Message> messages;
  std::size_t messages_used = 0;
  std::uint64_t wakes = 0;
  bool open = false;

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (!open) return;
    io_uring_queue_exit(&uring);
    if (buffers != nullptr) ::munmap(buffers, kBuffers * sizeof(io_uring_buf));
    if (buffer_memory != nullptr) ::munmap(buffer_memory, kBuffers * kBufferBytes);
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
    messages_used = 0;
  }
  Message& next_message() {
    if (messages_used == messages.size()) messages.emplace_back();
    return messages[messages_used++];
  }
  std::uint8_t* buffer(unsigned index) const { return buffer_memory + index * kBufferBytes; }
  void give_back(unsigned index) {
    io_uring_buf_ring_add(buffers, buffer(index), kBufferBytes, static_cast<unsigned short>(index),
                          io_uring_buf_ring_mask(kBuffers), static_cast<int>(buffers_returned));
    ++buffers_returned;
  }
  void show_returned() {
    if (buffers_returned == 0) return;
    io_uring_buf_ring_advance(buffers, static_cast<int>(buffers_returned));
    buffers_returned = 0;
  }
};

struct UringLoop::Listener {
  Descriptor descriptor;
  AcceptHandler handler;
  bool stopped = false;
};

std::expected<std::unique_ptr<Loop>, OsError> UringLoop::create(const LoopOptions& options) {
  auto ring = std::make_unique<Ring>();
  io_uring_params params{};
  params.flags =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  if (const int failed = io_uring_queue_init_params(kSubmissions, &ring->uring, &params); failed < 0) {
    return std::unexpected(OsError{.call = "io_uring_setup", .code = -failed, .detail = {}});
  }
  ring->open = true;
  // Memory is taken page by page as buffers are first used, so a quiet loop costs little.
  void* memory = map_memory(kBuffers * kBufferBytes);
  if (memory == MAP_FAILED) return std::unexpected(last_error("mmap"));
  ring->buffer_memory = static_cast<std::uint8_t*>(memory);
  memory = map_memory(kBuffers * sizeof(io_uring_buf));
  if (memory == MAP_FAILED) return std::unexpected(last_error("mmap"));
  ring->buffers = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = kBuffers;
  registration.bgid = kBufferGroup;
  if (const int failed = io_uring_register_buf_ring(&ring->uring, &registration, 0); failed < 0) {
    return std::unexpected(OsError{.call = "io_uring_register", .code = -failed, .detail = "buffer ring"});
  }
  io_uring_buf_ring_init(ring->buffers);
  for (unsigned i = 0; i < kBuffers; ++i) ring->give_back(i);
  ring->show_returned();
  std::unique_ptr<UringLoop> loop(new UringLoop(options, std::move(ring)));
  loop->arm_wake();
  return loop;
}

UringLoop::UringLoop(const LoopOptions& options, std::unique_ptr<Ring> ring)
    : Loop(options), ring_(std::move(ring)) {}

UringLoop::~UringLoop() {
  close_all();
}

void UringLoop::poll(Duration wait) {
  io_uring_cqe* first = nullptr;
  if (wait <= Duration::zero()) {
    io_uring_submit_and_get_events(&ring_->uring);
  } else {
    const auto bounded = std::min<Duration>(wait, std::chrono::hours(1));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(bounded);
    __kernel_timespec time{.tv_sec = seconds.count(), .tv_nsec = (bounded - seconds).count()};
    io_uring_submit_and_wait_timeout(&ring_->uring, &first, 1, &time, nullptr);
  }
  ring_->messages_used = 0;
  update_now();
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_->uring, head, entry) {
    ++count;
    handle(entry->user_data, {.result = entry->res, .flags = entry->flags});
  }
  io_uring_cq_advance(&ring_->uring, count);
  ring_->show_returned();
  rearm_starved();
}

void UringLoop::handle(std::uint64_t tag, Completion completion) {
  const auto operation = static_cast<Operation>(tag & kOperationBits);
  void* owner = reinterpret_cast<void*>(tag & ~kOperationBits);
  switch (operation) {
    case Operation::receive:
      return received(*static_cast<Stream*>(owner), completion);
    case Operation::send:
      return sent(*static_cast<Stream*>(owner), completion);
    case Operation::hangup:
      return hung_up(*static_cast<Stream*>(owner), completion);
    case Operation::connect:
      return connect_over(*static_cast<Stream*>(owner), completion);
    case Operation::accept:
      return accepted(*static_cast<Listener*>(owner), completion);
    case Operation::wake:
      return arm_wake();
    case Operation::ignored:
      return;
  }
}

void UringLoop::arm_wake() {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_read(entry, wake_fd(), &ring_->wakes, sizeof(ring_->wakes), 0);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::wake));
}

void UringLoop::cancel(std::uint64_t tag) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_cancel64(entry, tag, 0);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::ignored));
}

void UringLoop::start(Stream& stream) {
  // On a non-blocking socket the kernel would answer EAGAIN instead of waiting for us.
  const int flags = ::fcntl(stream.fd_, F_GETFL);
  if ((flags & O_NONBLOCK) != 0) ::fcntl(stream.fd_, F_SETFL, flags & ~O_NONBLOCK);
  if (!stream.has(Stream::kConnecting)) return arm_receive(stream);
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_add(entry, stream.fd_, POLLOUT);
  io_uring_sqe_set_data64(entry, tag_of(stream, Operation::connect));
  ++stream.operations_;
}

void UringLoop::arm_receive(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_recv_multishot(entry, stream.fd_, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = kBufferGroup;
  io_uring_sqe_set_data64(entry, tag_of(stream, Operation::receive));
  stream.set(Stream::kReadArmed);
  ++stream.operations_;
}

// While nothing is read: the kernel reports an error or the end of both directions without being asked. It
// also reports the peer's FIN, which says nothing new, so one report must not be the last.
void UringLoop::arm_hangup(Stream& stream) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_poll_multishot(entry, stream.fd_, 0);
  io_uring_sqe_set_data64(entry, tag_of(stream, Operation::hangup));
  stream.set(Stream::kHangupArmed);
  ++stream.operations_;
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
    const unsigned buffer = completion.flags >> IORING_CQE_BUFFER_SHIFT;
    deliver(stream, MutableBytes(ring_->buffer(buffer), static_cast<std::size_t>(completion.result)));
    ring_->give_back(buffer);
  } else if (completion.result == 0) {
    delivered_end(stream);
  } else if (completion.result == -ENOBUFS) {
    // No buffer was free: the bytes wait in the socket until some are.
    starved_.push_back(&stream);
  } else if (completion.result != -ECANCELED) {
    lost(stream, "recv", -completion.result);
  }
  flush_if_dirty(stream);
  if (!over) return;
  if (completion.result != -ENOBUFS && !stream.has(Stream::kClosed) && !stream.has(Stream::kReadPaused) &&
      !stream.has(Stream::kEnded) && !stream.has(Stream::kReadArmed)) {
    arm_receive(stream);
  }
  operation_over(stream);
}

void UringLoop::rearm_starved() {
  for (Stream* stream : starved_) {
    if (!stream->has(Stream::kClosed)) update_reading(*stream);
  }
  starved_.clear();
}

void UringLoop::flush(Stream& stream) {
  if (stream.has(Stream::kSendInFlight)) return;
  if (stream.outbox_ == nullptr || stream.outbox_->empty()) return drained(stream);
  std::array<iovec, kPartsMax> parts;
  const std::size_t count = stream.outbox_->gather(parts);
  // MSG_WAITALL: the kernel goes on by itself after it could take only a part.
  constexpr int kFlags = MSG_NOSIGNAL | MSG_WAITALL;
  io_uring_sqe* entry = ring_->next();
  if (count == 1) {
    io_uring_prep_send(entry, stream.fd_, parts[0].iov_base, parts[0].iov_len, kFlags);
  } else {
    Ring::Message& message = ring_->next_message();
    std::copy_n(parts.begin(), count, message.parts.begin());
    message.header = {};
    message.header.msg_iov = message.parts.data();
    message.header.msg_iovlen = count;
    io_uring_prep_sendmsg(entry, stream.fd_, &message.header, kFlags);
  }
  io_uring_sqe_set_data64(entry, tag_of(stream, Operation::send));
  stream.set(Stream::kSendInFlight);
  ++stream.operations_;
}

void UringLoop::sent(Stream& stream, Completion completion) {
  stream.unset(Stream::kSendInFlight);
  if (completion.result >= 0) {
    stream.outbox_->consume(static_cast<std::size_t>(completion.result));
    if (!stream.has(Stream::kClosed)) {
      // Told every time: whether the kernel had to wait for the peer cannot be seen from here.
      stream.set(Stream::kWaitingWritable);
      if (stream.outbox_->empty()) {
        drained(stream);
      } else {
        stream.unset(Stream::kWaitingWritable);
        flush(stream);
      }
    }
  } else if (completion.result != -ECANCELED) {
    lost(stream, "send", -completion.result);
  }
  operation_over(stream);
}

namespace {

int pending_error(int fd) {
  int code = 0;
  socklen_t size = sizeof(code);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

}  // namespace

void UringLoop::hung_up(Stream& stream, Completion completion) {
  if (!stream.has(Stream::kClosed) && completion.result > 0 &&
      (completion.result & (POLLERR | POLLHUP)) != 0) {
    const int code = pending_error(stream.fd_);
    lost(stream, "poll", code == 0 ? ECONNRESET : code);
  }
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return;
  stream.unset(Stream::kHangupArmed);
  operation_over(stream);
}

void UringLoop::connect_over(Stream& stream, Completion completion) {
  if (!stream.has(Stream::kClosed) && completion.result != -ECANCELED) {
    if (const int code = pending_error(stream.fd_); code != 0) {
      lost(stream, "connect", code);
    } else {
      connected(stream);
      update_reading(stream);
      if (!stream.has(Stream::kClosed) && stream.queued_bytes() > 0) flush(stream);
    }
  }
  operation_over(stream);
}

void UringLoop::operation_over(Stream& stream) {
  FANFARE_CHECK(stream.operations_ > 0);
  --stream.operations_;
  if (stream.operations_ == 0 && stream.has(Stream::kClosing)) finish_close(stream);
}

void UringLoop::begin_close(Stream& stream) {
  if (stream.operations_ == 0) {
    finish_close(stream);
    return;
  }
  stream.set(Stream::kClosing);
  std::erase(starved_, &stream);
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_cancel_fd(entry, stream.fd_, IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(Operation::ignored));
}

ListenerId UringLoop::listen(Descriptor descriptor, AcceptHandler handler) {
  const int flags = ::fcntl(descriptor.get(), F_GETFL);
  ::fcntl(descriptor.get(), F_SETFL, flags & ~O_NONBLOCK);
  const auto id = static_cast<ListenerId>(listeners_.size());
  arm_accept(listeners_.emplace_back(std::move(descriptor), std::move(handler)));
  return id;
}

void UringLoop::arm_accept(Listener& listener) {
  io_uring_sqe* entry = ring_->next();
  io_uring_prep_multishot_accept(entry, listener.descriptor.get(), nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(entry, tag_of(listener, Operation::accept));
}

void UringLoop::stop_listening(ListenerId id) {
  Listener& listener = listeners_[id];
  if (std::exchange(listener.stopped, true)) return;
  // No shutdown(): the socket may be shared with other loops or processes, who go on with it.
  cancel(tag_of(listener, Operation::accept));
  // The kernel gives up the accept in here, and with the descriptor the socket goes at once, not with the
  // next turn: there may be none.
  io_uring_submit_and_get_events(&ring_->uring);
  ring_->messages_used = 0;
  listener.descriptor = Descriptor();
}

void UringLoop::accepted(Listener& listener, Completion completion) {
  const bool over = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (completion.result >= 0) {
    Descriptor connected(completion.result);
    if (!listener.stopped) listener.handler(std::move(connected));
  }
  if (!over) return;
  if (listener.stopped) return;
  const int code = -completion.result;
  if (code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM) {
    log::error("accept_failed", {{"error", OsError{.call = "accept", .code = code, .detail = {}}.message()},
                                 {"retry_ms", 100}});
    call_after(kRestWithoutDescriptors, [this, &listener] {
      if (!listener.stopped) arm_accept(listener);
    });
    return;
  }
  arm_accept(listener);
}

}  // namespace fanfare::net
