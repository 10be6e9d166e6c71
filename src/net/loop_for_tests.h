#pragma once
// A loop of each kind, and streams whose events are recorded.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace fanfare::net {

// Records a stream's events; must outlive the stream.
struct Diary {
  std::string received;
  std::vector<std::string> events;
  Stream* stream = nullptr;
  std::function<void(Stream&, MutableBytes)> when_receiving;
  std::function<void(Stream&)> when_flushed;
};

class DiaryHandler : public TransportHandler {
 public:
  explicit DiaryHandler(Diary& diary) : diary_(diary) {}

 private:
  void on_adopted(Stream& stream) override { diary_.stream = &stream; }
  void on_attached() override { diary_.events.emplace_back("attached"); }
  void on_receive(MutableBytes bytes) override {
    diary_.received += as_text(bytes);
    if (diary_.when_receiving) diary_.when_receiving(*diary_.stream, bytes);
  }
  void on_flushed() override {
    diary_.events.emplace_back("flushed");
    if (diary_.when_flushed) diary_.when_flushed(*diary_.stream);
  }
  void on_end() override { diary_.events.emplace_back("end"); }
  void on_end_unread() override { diary_.events.emplace_back("end unread"); }
  void on_lost(const OsError&) override { diary_.events.emplace_back("lost"); }
  void on_detached() override {
    diary_.events.emplace_back("detached");
    diary_.stream = nullptr;
  }
  Diary& diary_;
};

class LoopTest : public testing::TestWithParam<LoopKind> {
 protected:
  LoopTest() : loop_(std::move(Loop::create({.kind = GetParam()}).value())) {}

  // Returns a stream of the loop and the blocking descriptor of its peer.
  std::pair<Stream*, Descriptor> connect_pair(Diary& diary) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    EXPECT_EQ(::fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    Stream& stream = loop_->adopt(std::make_unique<DiaryHandler>(diary), Descriptor(ends[0]));
    return {&stream, Descriptor(ends[1])};
  }

  template <typename Condition>
  void run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never came true";
      loop_->run_once(std::chrono::milliseconds(10));
    }
  }

  static void write_all(int fd, std::string_view text) {
    ASSERT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  static std::string read_some(int fd) {
    std::string text(65536, '\0');
    const ssize_t got = ::recv(fd, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  // Sends a different message on each of `streams` streams at once.
  void echo_at_once(std::size_t streams) {
    std::vector<Descriptor> peers;
    for (std::size_t i = 0; i < streams; ++i) {
      Diary& diary = new_diary();
      auto [stream, peer] = connect_pair(diary);
      diary.when_receiving = [](Stream& self, MutableBytes bytes) { self.append(bytes); };
      peers.push_back(std::move(peer));
    }
    for (std::size_t i = 0; i < streams; ++i) write_all(peers[i].get(), "message " + std::to_string(i));
    run_until([&] {
      return std::ranges::all_of(
          diaries_, [](const Diary& d) { return !d.received.empty() && d.stream->queued_bytes() == 0; });
    });
    for (std::size_t i = 0; i < streams; ++i) {
      EXPECT_EQ(read_some(peers[i].get()), "message " + std::to_string(i));
    }
  }

  // These must outlive the loop, which notifies its last streams of their end.
  Diary& new_diary() { return diaries_.emplace_back(); }

  std::deque<Diary> diaries_;
  ManualClock clock_;  // for loops created with it
  std::unique_ptr<Loop> loop_;
};

}  // namespace fanfare::net
