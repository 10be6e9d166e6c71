#include "net/epoll_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "net/pending_error.h"
#include "net/prefetch.h"
#include "net/system_call.h"

namespace fanfare::net {
namespace {

// Identifies an epoll event's owner: the pointer's low bit distinguishes listeners from streams; zero is the
// wake-up.
constexpr std::uint64_t kWakeTag = 0;
constexpr std::uint64_t kListenerBit = 1;

constexpr std::size_t kEventsPerTurnMax = 1024;
// Maximum number of segments of one outbox per sendmsg.
constexpr std::size_t kPartsMax = 64;

std::uint64_t tag_of(const Stream& stream) {
  return reinterpret_cast<std::uintptr_t>(&stream);
}

int to_milliseconds(Duration wait) {
  if (wait >= std::chrono::hours(1)) return 3'600'000;
  // Rounded up: the loop must not spin until a timer due in 0.4 ms.
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

// Their errors are negative results.
ssize_t receive_from(int fd, std::uint8_t* into, std::size_t size) {
  return system_call(SYS_recvfrom, fd, into, size, 0, 0, 0);
}

ssize_t send_to(int fd, Bytes part, int flags) {
  return system_call(SYS_sendto, fd, part.data(), part.size(), flags, 0, 0);
}

int wait_for(int epoll, std::span<epoll_event> events, int milliseconds) {
  return static_cast<int>(
      system_call(SYS_epoll_pwait, epoll, events.data(), events.size(), milliseconds, 0, 0));
}

}  // namespace

std::expected<std::unique_ptr<Loop>, OsError> EpollLoop::create(const LoopOptions& options) {
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return std::unexpected(last_error("epoll_create1"));
  std::unique_ptr<EpollLoop> loop(new EpollLoop(options, std::move(epoll)));
  // Nothing has failed since, so errno is still from creating the wake-up descriptor.
  if (loop->wake_fd() < 0) return std::unexpected(last_error("eventfd"));
  if (!loop->watch(EPOLL_CTL_ADD, loop->wake_fd(), EPOLLIN, kWakeTag)) {
    return std::unexpected(last_error("epoll_ctl"));
  }
  return loop;
}

EpollLoop::EpollLoop(const LoopOptions& options, Descriptor epoll)
    : Loop(options),
      epoll_(std::move(epoll)),
      receive_buffer_(std::make_unique<std::uint8_t[]>(options.receive_buffer_bytes)) {}

EpollLoop::~EpollLoop() {
  close_all();
}

bool EpollLoop::watch(int operation, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

// The handler of the next event's stream, which was prefetched an event ago.
void EpollLoop::prefetch_handler(std::uint64_t tag) {
  if (tag == kWakeTag || (tag & kListenerBit) != 0) return;
  prefetch(reinterpret_cast<std::uintptr_t>(reinterpret_cast<const Stream*>(tag)->handler_.get()));
}

bool EpollLoop::poll(Duration wait) {
  std::array<epoll_event, kEventsPerTurnMax> events;
  const int came = wait_for(epoll_.get(), events, to_milliseconds(wait));
  update_now();
  const auto count = static_cast<std::size_t>(std::max(came, 0));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t tag = events[i].data.u64;
    if (i + 1 < count) {
      prefetch_handler(events[i + 1].data.u64);
      if (i + kPrefetchDistance < count) prefetch(events[i + kPrefetchDistance].data.u64);
    }
    if (tag == kWakeTag) {
      drain_wakeups();
    } else if ((tag & kListenerBit) != 0) {
      accept(*reinterpret_cast<Listener*>(tag & ~kListenerBit));
    } else {
      // Closed streams exist until the end of the turn, so the pointer is valid.
      handle(*reinterpret_cast<Stream*>(tag), events[i].events);
    }
  }
  return count > 0;
}

void EpollLoop::start(Stream& stream) {
  const std::uint32_t events = stream.has(Stream::kConnecting) ? EPOLLOUT : EPOLLIN;
  // Out of memory or watches: reported to the stream as if the network had failed.
  if (!watch(EPOLL_CTL_ADD, stream.fd_, events, tag_of(stream))) lost(stream, "epoll_ctl", errno);
}

void EpollLoop::update_reading(Stream& stream) {
  if (stream.has(Stream::kClosed) || stream.has(Stream::kConnecting)) return;
  std::uint32_t events = 0;
  if (!stream.has(Stream::kEnded)) {
    // While reading is paused, the peer's FIN is reported once (edge-triggered), because the condition
    // persists.
    events |= stream.has(Stream::kReadPaused) ? EPOLLRDHUP | EPOLLET : EPOLLIN;
  }
  if (stream.has(Stream::kWaitingWritable)) events |= EPOLLOUT;
  watch(EPOLL_CTL_MOD, stream.fd_, events, tag_of(stream));
}

void EpollLoop::handle(Stream& stream, std::uint32_t events) {
  if (stream.has(Stream::kClosed)) return;
  if (stream.has(Stream::kConnecting)) return finish_connecting(stream);
  dirty_.flushed_next(&stream);
  if ((events & EPOLLIN) != 0) {
    receive(stream);
  } else if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && stream.has(Stream::kEnded))) {
    // Reading is paused or has ended, and the connection is lost: no other code would notice.
    const int code = pending_error(stream.fd_);
    lost(stream, "epoll_wait", code == 0 ? ECONNRESET : code);
  } else if ((events & (EPOLLHUP | EPOLLRDHUP)) != 0) {
    end_is_unread(stream);
  }
  if ((events & EPOLLOUT) != 0 && !stream.has(Stream::kClosed)) flush(stream);
  dirty_.flushed_next(nullptr);
  flush_if_dirty(stream);
}

void EpollLoop::receive(Stream& stream) {
  const ssize_t got = receive_from(stream.fd_, receive_buffer_.get(), options_.receive_buffer_bytes);
  if (got > 0) {
    deliver(stream, MutableBytes(receive_buffer_.get(), static_cast<std::size_t>(got)));
  } else if (got == 0) {
    delivered_end(stream);
  } else if (got != -EAGAIN && got != -EINTR) {
    lost(stream, "recv", static_cast<int>(-got));
  }
}

void EpollLoop::finish_connecting(Stream& stream) {
  if (const int code = pending_error(stream.fd_); code != 0) return lost(stream, "connect", code);
  watch(EPOLL_CTL_MOD, stream.fd_, EPOLLIN, tag_of(stream));
  connected(stream);
  // Data queued while connecting is not in this turn's flush list, because it was queued in an earlier turn.
  dirty_.mark(stream);
  flush_if_dirty(stream);
}

// `asked` becomes the size of what was passed to the kernel.
ssize_t EpollLoop::send_parts(Stream& stream, std::size_t& asked) {
  std::array<iovec, kPartsMax> parts;
  const std::size_t count = stream.outbox_->gather(parts, options_.send_bytes_max);
  asked = 0;
  for (std::size_t i = 0; i < count; ++i) asked += parts[i].iov_len;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  return system_call(SYS_sendmsg, stream.fd_, &message, MSG_NOSIGNAL, 0, 0, 0);
}

void EpollLoop::flush(Stream& stream) {
  while (stream.outbox_ != nullptr && !stream.outbox_->empty()) {
    const Bytes part = stream.outbox_->only_part();
    std::size_t asked = part.size();
    ssize_t sent = 0;
    if (!part.empty() && part.size() <= options_.send_bytes_max) {
      const int more = stream.finishes_when_drained() ? MSG_MORE : 0;
      sent = send_to(stream.fd_, part, MSG_NOSIGNAL | more);
    } else {
      sent = send_parts(stream, asked);
    }
    if (sent == -EINTR) continue;
    if (sent < 0 && sent != -EAGAIN) return lost(stream, "send", static_cast<int>(-sent));
    // The usual case: drained() frees the outbox, so nothing need be consumed.
    if (static_cast<std::size_t>(sent) == stream.outbox_->bytes()) break;
    if (sent > 0) stream.outbox_->consume(static_cast<std::size_t>(sent));
    if (sent < 0 || static_cast<std::size_t>(sent) < asked) {
      stream.outbox_->settle();
      if (!stream.has(Stream::kWaitingWritable)) {
        stream.set(Stream::kWaitingWritable);
        update_reading(stream);
      }
      return;
    }
  }
  drained(stream);
}

void EpollLoop::begin_close(Stream& stream) {
  // Closing the descriptor is not enough: another process has a duplicate from when it is forked until it runs a program.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, stream.fd_, nullptr);
  finish_close(stream);
}

ListenerId EpollLoop::listen(Descriptor descriptor, AcceptHandler handler) {
  // Others may share the socket: an accept that comes too late for a connection must not block.
  ::fcntl(descriptor.get(), F_SETFL, ::fcntl(descriptor.get(), F_GETFL) | O_NONBLOCK);
  const auto id = static_cast<ListenerId>(listeners_.size());
  Listener& listener = listeners_.emplace_back(id, std::move(descriptor), std::move(handler));
  const auto tag = reinterpret_cast<std::uintptr_t>(&listener) | kListenerBit;
  FANFARE_CHECK(watch(EPOLL_CTL_ADD, listener.descriptor.get(), EPOLLIN, tag));
  return id;
}

// It passes on what it accepts in the same call, so none is late.
void EpollLoop::stop_listening(ListenerId id, LateConnections /*late*/) {
  Listener& listener = listeners_[id];
  if (!listener.descriptor.valid()) return;
  // Others may hold duplicates of the socket, and epoll would keep reporting its events.
  watch(EPOLL_CTL_DEL, listener.descriptor.get(), 0, 0);
  listener.descriptor = Descriptor();
}

void EpollLoop::accept(Listener& listener) {
  for (unsigned i = 0; i < options_.accepts_per_turn_max && listener.descriptor.valid(); ++i) {
    const int fd = ::accept4(listener.descriptor.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      listener.pause.end();
      listener.handler(Descriptor(fd));
      continue;
    }
    if (listener.pause.begins("accept4", errno)) return rest(listener);
    if (errno == EAGAIN) return;
  }
}

void EpollLoop::rest(Listener& listener) {
  const auto tag = reinterpret_cast<std::uintptr_t>(&listener) | kListenerBit;
  watch(EPOLL_CTL_MOD, listener.descriptor.get(), 0, tag);
  call_after(AcceptPause::kRest, [this, &listener, tag] {
    if (listener.descriptor.valid()) watch(EPOLL_CTL_MOD, listener.descriptor.get(), EPOLLIN, tag);
  });
}

}  // namespace fanfare::net
