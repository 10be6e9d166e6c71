#include "net/loop.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "net/epoll_loop.h"
#include "net/prefetch.h"
#include "net/uring_loop.h"

namespace fanfare::net {

std::expected<std::unique_ptr<Loop>, OsError> Loop::create(LoopOptions options) {
  if (options.clock == nullptr) options.clock = &system_clock();
  switch (options.kind) {
    case LoopKind::epoll:
      return EpollLoop::create(options);
    case LoopKind::uring:
      return UringLoop::create(options);
    case LoopKind::automatic:
      break;
  }
  if (auto loop = UringLoop::create(options)) return loop;
  return EpollLoop::create(options);
}

Loop::Loop(const LoopOptions& options)
    : options_(options),
      clock_(options.clock),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      now_(options.clock->now()),
      mailbox_(options.mailbox) {}

Loop::~Loop() {
  FANFARE_CHECK(streams_.empty());
}

void Loop::run() {
  while (!stopping_.load(std::memory_order_acquire)) turn(Duration::max());
}

void Loop::run_once(Duration wait) {
  turn(wait);
}

void Loop::turn(Duration wait) {
  ++turn_number_;
  if (!mailbox_.empty() || !urgent_.empty() || !dirty_.empty() || !closing_.empty() || !finished_.empty()) {
    wait = Duration::zero();
  } else if (const auto due = timers_.next_due()) {
    // A due time in the past is handled first, because the difference could overflow.
    const Instant now = clock_->now();
    wait = *due <= now ? Duration::zero() : std::min(*due - now, wait);
  }
  if (poll(wait)) trim_later();
  update_now();
  run_tasks();
  timers_.run(now_);
  flush_all();
  close_scheduled();
  destroy_finished();
  if (trim_due_) {
    trim_due_ = trim_planned_ = false;
    release_unneeded();
    if (came_since_) trim_later();
  }
}

void Loop::run_tasks() {
  urgent_.run([] { return true; });
  std::size_t tasks = 0;
  mailbox_.run([&] {
    return ++tasks < options_.tasks_per_turn_max && clock_->now() - now_ < options_.task_time_per_turn_max;
  });
}

// Not while the loop is idle: the thread is not woken just for this.
void Loop::trim_later() {
  came_since_ = trim_planned_;
  if (std::exchange(trim_planned_, true)) return;
  call_after(kTrimAfter, [this] { trim_due_ = true; });
}

void Loop::release_unneeded() {
  outboxes_.release_empty();
  if (free_tls_.size() == tls_sessions_.size()) {
    free_tls_ = std::vector<std::uint32_t>();
    tls_sessions_ = std::vector<std::unique_ptr<TlsSession>>();
  }
  arena_.release_unneeded();
  for (auto* list : {&dirty_, &flushing_, &closing_, &finished_, &destroying_}) {
    fanfare::release_unneeded(*list, most_flushed_);
  }
  most_flushed_ = 0;
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

bool Loop::post(Task task) {
  return woken(mailbox_.push(std::move(task)));
}

PostResult Loop::offer(Task task, std::size_t bytes) {
  const PostResult room = mailbox_.reserve(bytes);
  if (room != PostResult::accepted) return room;
  return post_reserved(std::move(task), bytes) ? PostResult::accepted : PostResult::stopped;
}

bool Loop::post_reserved(Task task, std::size_t bytes) {
  return woken(mailbox_.push_reserved(std::move(task), bytes));
}

bool Loop::post_urgent(Task task) {
  return woken(urgent_.push(std::move(task)));
}

bool Loop::woken(Mailbox::Pushed pushed) {
  if (pushed == Mailbox::Pushed::first) wake();
  return pushed != Mailbox::Pushed::closed;
}

void Loop::close_mailbox() {
  urgent_.close();
  mailbox_.close();
}

void Loop::wake() {
  const std::uint64_t one = 1;
  // It fails only if the counter is full, and then the loop wakes up anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_.get(), &one, sizeof(one));
}

void Loop::drain_wakeups() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &count, sizeof(count));
}

Stream& Loop::attach(std::unique_ptr<TransportHandler> handler, Descriptor descriptor) {
  FANFARE_CHECK(descriptor.valid());
  std::unique_ptr<Stream> stream(new (stream_memory_) Stream(*this, std::move(handler)));
  stream->slot_ = static_cast<std::uint32_t>(streams_.size());
  stream->fd_ = descriptor.get();
  streams_.push_back(stream.get());
  try {
    stream->handler_->on_adopted(*stream);
  } catch (...) {
    streams_.pop_back();
    throw;
  }
  (void)descriptor.release();
  return *stream.release();
}

Stream& Loop::adopt(std::unique_ptr<TransportHandler> handler, Descriptor descriptor) {
  Stream& stream = attach(std::move(handler), std::move(descriptor));
  start(stream);
  stream.handler_->on_attached();
  return stream;
}

Stream& Loop::adopt_connecting(std::unique_ptr<TransportHandler> handler, Descriptor descriptor) {
  Stream& stream = attach(std::move(handler), std::move(descriptor));
  stream.set(Stream::kConnecting);
  start(stream);
  return stream;
}

void Loop::connected(Stream& stream) {
  stream.unset(Stream::kConnecting);
  stream.handler_->on_attached();
}

void Loop::add_tls(Stream& stream, std::unique_ptr<TlsSession> session) {
  if (free_tls_.empty()) {
    tls_sessions_.emplace_back();
    free_tls_.push_back(static_cast<std::uint32_t>(tls_sessions_.size()));
  }
  stream.tls_ = free_tls_.back();
  free_tls_.pop_back();
  tls_sessions_[stream.tls_ - 1] = std::move(session);
}

void Loop::remove_tls(Stream& stream) {
  if (stream.tls_ == 0) return;
  tls_sessions_[stream.tls_ - 1].reset();
  free_tls_.push_back(std::exchange(stream.tls_, 0));
}

void Loop::deliver(Stream& stream, MutableBytes bytes) {
  if (stream.has(Stream::kClosed)) return;
  if (stream.tls_ != 0) return deliver_decrypted(stream, bytes);
  stream.handler_->on_receive(bytes);
}

namespace {

// Output for encrypted bytes, some of which TLS generates itself. They go to the stream's outbox even if the
// stream must not send any more.
class Encrypted final : public Output {
 public:
  Encrypted(Outbox& outbox, Arena& arena) : outbox_(outbox), arena_(arena) {}
  std::uint8_t* extend(std::size_t size) override { return outbox_.extend(size, arena_); }

 private:
  Outbox& outbox_;
  Arena& arena_;
};

}  // namespace

void Loop::deliver_decrypted(Stream& stream, Bytes input) {
  if (plain_ == nullptr) plain_ = std::make_unique<std::uint8_t[]>(kPlainBytes);
  const MutableBytes room(plain_.get(), kPlainBytes);
  TlsSession& tls = *stream.tls_session();  // until the stream is destroyed, after this turn
  while (!stream.has(Stream::kClosed)) {
    Encrypted encrypted(stream.outbox(), arena_);
    std::size_t size = 0;
    const TlsSession::Step step = tls.decrypt(input, room, size, encrypted);
    mark_dirty(stream);
    switch (step) {
      case TlsSession::Step::wants_input:
        return;
      case TlsSession::Step::secured:
        stream.handler_->on_secured();
        break;
      case TlsSession::Step::plain:
        stream.handler_->on_receive(room.first(size));
        break;
      case TlsSession::Step::ended:
        return delivered_end(stream);
      case TlsSession::Step::failed:
        return lost_to_tls(stream);
    }
  }
}

void Loop::lost_to_tls(Stream& stream) {
  if (stream.has(Stream::kClosed)) return;
  // The alert with the reason for the peer is in the outbox, and is sent with the other data there.
  flush(stream);
  if (stream.has(Stream::kClosed)) return;
  stream.handler_->on_lost({.call = "tls", .code = EPROTO, .detail = stream.tls_session()->error()});
  stream.close();
}

void Loop::encrypt_waiting(Stream& stream) {
  TlsSession& tls = *stream.tls_session();
  Encrypted encrypted(stream.outbox(), arena_);
  if (!tls.is_secured()) {
    tls.begin(encrypted);
    return;
  }
  while (!tls.waiting.empty()) {
    std::array<iovec, 16> parts;
    const std::size_t count = tls.waiting.gather(parts);
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes plain(static_cast<const std::uint8_t*>(parts[i].iov_base), parts[i].iov_len);
      if (!tls.encrypt(plain, encrypted)) return lost_to_tls(stream);
      tls.waiting.consume(plain.size());
    }
  }
  if (stream.has(Stream::kFinishWriting) && !stream.has(Stream::kFinished)) tls.say_goodbye(encrypted);
}

void Loop::delivered_end(Stream& stream) {
  if (stream.has(Stream::kClosed) || stream.has(Stream::kEnded)) return;
  stream.set(Stream::kEnded);
  update_reading(stream);
  stream.handler_->on_end();
}

void Loop::end_is_unread(Stream& stream) {
  if (!stream.has(Stream::kReadPaused) || stream.has(Stream::kEnded) || stream.has(Stream::kEndUnread))
    return;
  stream.set(Stream::kEndUnread);
  stream.handler_->on_end_unread();
}

void Loop::lost(Stream& stream, const char* call, int code) {
  if (stream.has(Stream::kClosed)) return;
  stream.handler_->on_lost({.call = call, .code = code, .detail = {}});
  stream.close();
}

void Loop::drained(Stream& stream) {
  stream.outbox_.reset();
  const bool all_sent = stream.tls_ == 0 || stream.tls_session()->is_secured();
  if (all_sent && stream.has(Stream::kFinishWriting) && !stream.has(Stream::kFinished)) {
    stream.set(Stream::kFinished);
    ::shutdown(stream.fd_, SHUT_WR);
    if (stream.has(Stream::kEnded)) return stream.close();  // both directions have ended
  }
  const bool waited = stream.has(Stream::kWaitingWritable);
  const bool tell = waited || (all_sent && stream.has(Stream::kNotifyFlushed));
  if (all_sent) stream.unset(Stream::kNotifyFlushed);
  if (waited) {
    stream.unset(Stream::kWaitingWritable);
    update_reading(stream);
  }
  if (tell && !stream.has(Stream::kClosed)) stream.handler_->on_flushed();
}

// A stream that is flushed before the end of the turn stays in the list, with or without data to send.
// Otherwise it could be listed twice, and the list could outlive it.
void Loop::mark_dirty(Stream& stream) {
  if (stream.has(Stream::kDirty) || stream.has(Stream::kClosed)) return;
  stream.set(Stream::kDirty);
  if (stream.has(Stream::kListed)) return;
  stream.set(Stream::kListed);
  dirty_.push_back(&stream);
}

std::uint8_t* Loop::room_to_drop(std::size_t size) {
  dropped_.resize(std::max(size, dropped_.size()));
  return dropped_.data();
}

void Loop::flush_if_dirty(Stream& stream) {
  if (!stream.has(Stream::kDirty)) return;
  stream.unset(Stream::kDirty);
  if (stream.tls_ != 0 && !stream.has(Stream::kClosed) && !stream.has(Stream::kConnecting)) {
    encrypt_waiting(stream);
  }
  // A stream that waits for the kernel is flushed when the kernel reports it writable.
  if (stream.has(Stream::kClosed) || stream.has(Stream::kWaitingWritable) ||
      stream.has(Stream::kConnecting)) {
    return;
  }
  flush(stream);
}

void Loop::flush_all() {
  flushing_.swap(dirty_);
  most_flushed_ = std::max(most_flushed_, flushing_.size());
  for_each_fetched(flushing_, [this](Stream& stream) {
    stream.unset(Stream::kListed);
    flush_if_dirty(stream);
  });
  flushing_.clear();
}

void Loop::schedule_close(Stream& stream) {
  closing_.push_back(&stream);
}

void Loop::close_scheduled() {
  while (!closing_.empty()) {
    Stream* stream = closing_.back();
    closing_.pop_back();
    begin_close(*stream);
  }
}

void Loop::finish_close(Stream& stream) {
  if (stream.fd_ >= 0) ::close(std::exchange(stream.fd_, -1));
  finished_.push_back(&stream);
}

void Loop::destroy_finished() {
  if (!retired_.empty()) retired_.clear();
  if (finished_.empty()) return;
  destroying_.swap(finished_);
  bool any_listed = false;
  for (Stream* stream : destroying_) {
    stream->handler_->on_detached();
    any_listed = any_listed || stream->has(Stream::kListed);
  }
  // One pass for all of them. Closed streams are never added, so the remaining entries are alive.
  if (any_listed) std::erase_if(dirty_, [](const Stream* stream) { return stream->fd_ < 0; });
  for (Stream* stream : destroying_) {
    stream->handler_.reset();
    stream->outbox_.reset();
    remove_tls(*stream);
    streams_.back()->slot_ = stream->slot_;
    streams_[stream->slot_] = streams_.back();
    streams_.pop_back();
    delete stream;
  }
  destroying_.clear();
}

void Loop::close_all() {
  while (!streams_.empty()) {
    for (Stream* stream : streams_) stream->close();
    close_scheduled();
    if (finished_.empty()) poll(Duration::zero());  // completions in progress
    destroy_finished();
  }
}

}  // namespace fanfare::net
