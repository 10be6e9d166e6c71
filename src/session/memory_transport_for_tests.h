#pragma once
// A transport without a socket: what a session sends stays in a buffer until the test takes it, and the test
// delivers what arrives.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/transport.h"

namespace fanfare::session {

class MemoryTransport final : public net::Transport {
 public:
  MemoryTransport() { set(kQueuesElsewhere); }

  void set_handler(std::unique_ptr<net::TransportHandler> handler) override {
    retired_.push_back(std::exchange(handler_, std::move(handler)));
  }

  // The peer's side.
  void deliver(std::string_view bytes) {
    std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    if (!is_closed()) handler_->on_receive(copy);
  }
  std::string take(std::size_t bytes_max = SIZE_MAX) {
    const std::size_t size = std::min(bytes_max, queued_.size());
    const auto end = queued_.begin() + static_cast<std::ptrdiff_t>(size);
    std::string taken(queued_.begin(), end);
    queued_.erase(queued_.begin(), end);
    pushed_.clear();
    taken_ += static_cast<std::uint32_t>(size);
    if (queued_.empty() && std::exchange(notifies_, false) && !is_closed()) handler_->on_flushed();
    return taken;
  }
  void end() { handler_->on_end(); }
  void end_while_paused() {
    set(kEndUnread);
    handler_->on_end_unread();
  }
  void lose() {
    handler_->on_lost({.call = "test", .code = 104, .detail = {}});
    close();
  }
  // The end of the turn in which the transport was closed; once.
  void detach() {
    if (handler_ == nullptr) return;
    handler_->on_detached();
    handler_.reset();
  }

  bool is_reading() const { return reading_; }
  bool is_half_closed() const { return has(kFinishWriting); }

  void push(SharedBytes bytes) override {
    append(bytes.view());
    pushed_.push_back(
        std::move(bytes));  // as a socket's, which keeps them at least until the end of the turn
  }
  // How many bytes the system takes of what is passed to it at once.
  void take_at_once(std::size_t bytes) { at_once_ = bytes; }
  std::string taken_at_once() { return std::exchange(taken_at_once_, {}); }
  std::size_t send_now(Bytes first, Bytes then) override {
    if (!queued_.empty()) return 0;
    const std::string all = std::string(as_text(first)).append(as_text(then)).substr(0, at_once_);
    taken_at_once_ += all;
    return all.size();
  }
  net::SendProgress send_progress() const override {
    return {.bytes = taken_, .is_complete = queued_.empty()};
  }
  void notify_when_flushed() override { notifies_ = true; }
  void pause_reading() override { reading_ = false; }
  void resume_reading() override {
    reading_ = true;
    unset(kEndUnread);
  }
  void finish_writing() override { set(kFinishWriting); }
  bool is_delivered() const override { return has(kFinishWriting) && queued_.empty(); }
  void close() override { set(kClosed); }
  std::string peer() const override { return "memory"; }

 private:
  std::uint8_t* extend_slowly(std::size_t size) override {
    std::vector<std::uint8_t>& to = has(kClosed | kFinishWriting) ? dropped_ : queued_;
    to.resize(to.size() + size);
    return to.data() + to.size() - size;
  }
  std::size_t queued_elsewhere() const override { return queued_.size(); }

  std::unique_ptr<net::TransportHandler> handler_;
  std::vector<std::unique_ptr<net::TransportHandler>> retired_;
  std::vector<std::uint8_t> queued_;
  std::vector<std::uint8_t> dropped_;
  std::vector<SharedBytes> pushed_;
  std::size_t at_once_ = 0;
  std::string taken_at_once_;
  std::uint32_t taken_ = 0;
  bool reading_ = true;
  bool notifies_ = false;
};

}  // namespace fanfare::session
