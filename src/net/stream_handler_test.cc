// A stream whose handler is replaced, as at an upgrade from one protocol to another.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;
using Events = std::vector<std::string>;

// Records a handler's events; must outlive the handler.
struct Diary {
  std::string received;
  Events events;
  Stream* stream = nullptr;
  bool destroyed = false;
  std::function<void(Stream&)> when_receiving;
};

class DiaryHandler final : public TransportHandler {
 public:
  explicit DiaryHandler(Diary& diary) : diary_(diary) {}
  ~DiaryHandler() override { diary_.destroyed = true; }

 private:
  void on_adopted(Stream& stream) override { diary_.stream = &stream; }
  void on_attached() override { diary_.events.emplace_back("attached"); }
  void on_receive(MutableBytes bytes) override {
    diary_.received += as_text(bytes);
    if (diary_.when_receiving) diary_.when_receiving(*diary_.stream);
  }
  void on_flushed() override { diary_.events.emplace_back("flushed"); }
  void on_end() override { diary_.events.emplace_back("end"); }
  void on_lost(const OsError&) override { diary_.events.emplace_back("lost"); }
  void on_detached() override { diary_.events.emplace_back("detached"); }

  Diary& diary_;
};

class StreamHandlerTest : public testing::TestWithParam<LoopKind> {
 protected:
  StreamHandlerTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    peer_ = Descriptor(ends[1]);
    stream_ = &loop_->adopt(std::make_unique<DiaryHandler>(first_), Descriptor(ends[0]));
  }

  template <typename Condition>
  void run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition never came true";
      loop_->run_once(1ms);
    }
  }
  void write(std::string_view text) const {
    ASSERT_EQ(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  std::string read() const {
    std::string text(1000, '\0');
    const ssize_t got = ::recv(peer_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  Diary first_;
  Diary second_;
  std::unique_ptr<Loop> loop_ = std::move(Loop::create({.kind = GetParam()}).value());
  Descriptor peer_;
  Stream* stream_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Kinds, StreamHandlerTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

TEST_P(StreamHandlerTest, TheHandlerThatReplacesItselfLivesToTheEndOfTheTurnAndHearsNothingMore) {
  bool existed = false;
  first_.when_receiving = [&](Stream& stream) {
    second_.stream = &stream;
    stream.set_handler(std::make_unique<DiaryHandler>(second_));
    existed = !first_.destroyed;  // it is on the stack
    stream.append(as_bytes("switched"));
  };
  write("upgrade");
  run_until([&] { return !first_.received.empty(); });
  EXPECT_TRUE(existed);
  EXPECT_TRUE(first_.destroyed);
  std::string answer;
  run_until([&] { return !(answer += read()).empty(); });
  EXPECT_EQ(answer, "switched");
  write("new protocol");
  run_until([&] { return !second_.received.empty(); });
  EXPECT_EQ(second_.received, "new protocol");
  stream_->close();
  run_until([&] { return second_.destroyed; });
  EXPECT_EQ(first_.received, "upgrade");
  EXPECT_EQ(first_.events, Events{"attached"});
  EXPECT_EQ(second_.events, Events{"detached"});
}

TEST_P(StreamHandlerTest, EachStepMayReplaceTheHandlerAgain) {
  Diary third;
  stream_->set_handler(std::make_unique<DiaryHandler>(second_));
  stream_->set_handler(std::make_unique<DiaryHandler>(third));
  third.stream = stream_;
  loop_->run_once(0ms);
  EXPECT_TRUE(first_.destroyed);
  EXPECT_TRUE(second_.destroyed);
  write("x");
  run_until([&] { return !third.received.empty(); });
  stream_->close();
  run_until([&] { return third.destroyed; });
  EXPECT_EQ(second_.events, Events{});
  EXPECT_EQ(third.events, Events{"detached"});
}

TEST_P(StreamHandlerTest, AHandlerThatIsReplacedInTheTurnOfTheCloseHearsOfItsEndNoMore) {
  stream_->close();
  stream_->set_handler(std::make_unique<DiaryHandler>(second_));
  run_until([&] { return second_.destroyed; });
  EXPECT_EQ(first_.events, Events{"attached"});
  EXPECT_EQ(second_.events, Events{"detached"});
}

}  // namespace
}  // namespace fanfare::net
