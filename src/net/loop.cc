#include "net/loop.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "net/epoll_loop.h"
#include "net/prefetch.h"
#include "net/tls_layer.h"
#include "net/uring_loop.h"

namespace fanfare::net {
namespace {

constexpr Duration kTrimAfter = std::chrono::seconds(1);
constexpr std::size_t kPlainBytes = std::size_t{16} * 1024;

std::expected<std::unique_ptr<Loop>, OsError> create_loop(const LoopOptions& options) {
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

// It fails only if the counter is full, and then the loop wakes up anyway.
void count_up(int event_fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_fd, &one, sizeof(one));
}

// Never negative. A time in the past is handled first, because the difference could overflow.
Duration time_until(Instant due, Instant now) {
  return due <= now ? Duration::zero() : due - now;
}

}  // namespace

std::expected<std::unique_ptr<Loop>, OsError> Loop::create(LoopOptions options) {
  if (options.clock == nullptr) options.clock = &system_clock();
  return create_loop(options);
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

// The clock is read only once in a turn without tasks and timers: the next wait is computed from when the last
// events came. So a timer may be late by the time that handling them took, as if it had been due meanwhile.
void Loop::run() {
  update_now();
  while (!stopping_.load(std::memory_order_acquire)) turn(may_wait_from(now_, Duration::max()));
}

Duration Loop::may_wait_from(Instant now, Duration wait) const {
  if (has_tasks() || !dirty_.empty() || !closing_.empty() || !finished_.empty()) return Duration::zero();
  const auto due = timers_.next_due();
  return due ? std::min(time_until(*due, now), wait) : wait;
}

void Loop::turn(Duration wait) {
  ++turn_number_;
  if (busy_poll_.poll(*this, wait)) trim_later();
  if (has_tasks() || timers_.has_due(now_)) run_tasks_and_timers();
  second_look_.before_flush(*this);
  if (!dirty_.empty()) flush_all();
  if (!closing_.empty()) close_scheduled();
  if (!finished_.empty() || !retired_.empty()) destroy_finished();
  if (trim_due_) trim();
}

void Loop::trim() {
  trim_due_ = trim_planned_ = false;
  release_unneeded();
  if (came_since_) trim_later();
}

void Loop::run_tasks_and_timers() {
  update_now();
  urgent_.run([] { return true; });
  std::size_t tasks = 0;
  mailbox_.run([&] {
    return ++tasks < options_.tasks_per_turn_max && clock_->now() - now_ < options_.task_time_per_turn_max;
  });
  timers_.run(now_);
  update_now();
}

// Not while the loop is idle: the thread is not woken just for this.
void Loop::trim_later() {
  came_since_ = trim_planned_;
  if (std::exchange(trim_planned_, true)) return;
  call_after(kTrimAfter, [this] { trim_due_ = true; });
}

void Loop::release_unneeded() {
  outboxes_.release_unneeded();
  stream_memory_.release_empty();
  arena_.release_unneeded();
  streams_.give_back_rest();
  dirty_.release_unneeded(most_flushed_);
  for (auto* list : {&closing_, &finished_, &destroying_}) fanfare::release_unneeded(*list, most_flushed_);
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
  count_up(wake_fd_.get());
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

void Loop::deliver(Stream& stream, MutableBytes bytes) {
  if (!stream.has(Stream::kClosed)) stream.handler_->on_receive(bytes);
}

MutableBytes Loop::room_to_decrypt() {
  if (plain_ == nullptr) plain_ = std::make_unique<std::uint8_t[]>(kPlainBytes);
  return {plain_.get(), kPlainBytes};
}

void Loop::delivered_end(Stream& stream) {
  if (stream.has(Stream::kClosed) || stream.has(Stream::kEnded)) return;
  stream.set(Stream::kEnded);
  stream.handler_->on_end();
  // Most handlers close it: then the system need not be told.
  update_reading(stream);
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

void Loop::after_drained(Stream& stream) {
  const bool all_sent = stream.is_all_sent();
  if (stream.finishes_when_drained()) {
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

std::uint8_t* Loop::room_to_drop(std::size_t size) {
  dropped_.resize(std::max(size, dropped_.size()));
  return dropped_.data();
}

void Loop::flush_if_dirty(Stream& stream) {
  if (!stream.has(Stream::kDirty)) return;
  stream.unset(Stream::kDirty);
  if (TlsLayer* const tls = stream.tls_layer();
      tls != nullptr && !stream.has(Stream::kClosed) && !stream.has(Stream::kConnecting)) {
    tls->encrypt_waiting();
  }
  // A stream that waits for the kernel is flushed when the kernel reports it writable.
  constexpr std::uint32_t kNotNow = Stream::kWaitingWritable | Stream::kConnecting | Stream::kClosed;
  if (!stream.has(kNotNow)) flush(stream);
}

// Streams that are marked meanwhile are flushed in the next turn.
void Loop::flush_all() {
  most_flushed_ = std::max(most_flushed_, dirty_.size());
  dirty_.flush([this](Stream& stream) { flush_if_dirty(stream); });
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
  retired_.clear();
  destroying_.swap(finished_);
  bool any_listed = false;
  for (Stream* stream : destroying_) {
    stream->handler_->on_detached();
    any_listed = any_listed || FlushList::has(*stream);
  }
  if (any_listed) dirty_.remove_closed();  // one pass for all of them
  for (Stream* stream : destroying_) {
    stream->handler_.reset();
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
