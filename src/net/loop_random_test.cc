// Random handlers, replayed from a seed. In every callback, task and timer, any stream may be written to,
// paused, half-closed or closed, and new ones are added. These invariants must hold: nothing is accessed
// after its end (checked by AddressSanitizer); every byte arrives in order or not at all; every stream is
// detached exactly once and gets no calls afterwards.
//
// FANFARE_LOOP_SEEDS=2000 runs the seeds 1 to 2000.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "net/certificate_for_tests.h"
#include "net/loop.h"

namespace fanfare::net {
namespace {

using namespace std::chrono_literals;

class World;

constexpr std::size_t kWriteBytesMax = 300'000;

// The bytes of a stream count up, so lost, repeated or foreign bytes are detected.
Bytes counting(std::uint64_t from, std::size_t size) {
  static const std::vector<std::uint8_t> all = [] {
    std::vector<std::uint8_t> bytes(kWriteBytesMax + 251);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i % 251);
    return bytes;
  }();
  return Bytes(all).subspan(from % 251, size);
}

class RandomStream final : public TransportHandler {
 public:
  explicit RandomStream(World& world) : world_(world) {}
  void write(std::size_t size);
  void write_shared(std::size_t size);
  Stream& stream() const { return *stream_; }

 private:
  void on_adopted(Stream& stream) override { stream_ = &stream; }
  void on_attached() override { heard(); }
  void on_secured() override { heard(); }
  void on_receive(MutableBytes bytes) override;
  void on_flushed() override { heard(); }
  void on_end() override {
    EXPECT_FALSE(ended_);
    ended_ = true;
    heard();
  }
  void on_end_unread() override {
    EXPECT_FALSE(ended_);
    heard();
  }
  void on_lost(const OsError&) override { heard(); }
  void on_detached() override;
  void heard();

  World& world_;
  Stream* stream_ = nullptr;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool ended_ = false;
  bool detached_ = false;
};

class World {
 public:
  static constexpr std::size_t kStreamsMax = 24;
  static constexpr int kActsMax = 3000;

  World(LoopKind kind, std::uint64_t seed)
      : random_(seed),
        loop_(std::move(
            Loop::create({.kind = kind, .send_bytes_max = seed % 3 == 0 ? 1000U : 1U << 30U}).value())) {
    server_context_ = TlsContext::server({.certificate_file = certificate().certificate_file(),
                                          .key_file = certificate().key_file()})
                          .value();
    TlsClientOptions options;
    options.ca_file = certificate().certificate_file();
    client_context_ = TlsContext::client(options).value();
  }

  void run() {
    for (int turns = 0; acts_ < kActsMax && turns < 20 * kActsMax; ++turns) {
      if (streams_.size() < kStreamsMax / 2) add_pair();
      if (one_in(20)) act();
      loop_->run_once(one_in(4) ? Duration(1ms) : Duration::zero());
    }
    EXPECT_GE(acts_, kActsMax);
    loop_.reset();
    EXPECT_TRUE(streams_.empty());
    EXPECT_EQ(detached_, attached_);
  }

  // What a callback does: usually little, sometimes much.
  void act() {
    if (acts_ >= kActsMax || acting_) return;
    acting_ = true;  // adopt() calls back immediately
    for (int more = one_in(3) ? below(6) : 1; more > 0; --more) act_once();
    acting_ = false;
  }
  void gone(RandomStream& stream) {
    ++detached_;
    std::erase(streams_, &stream);
  }

 private:
  // Created once, because generating a key takes longer than running a seed.
  static TestCertificate& certificate() {
    static TestCertificate made;
    return made;
  }
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }
  bool one_in(int chances) { return below(chances) == 0; }

  RandomStream& adopt(int fd) {
    auto stream = std::make_unique<RandomStream>(*this);
    RandomStream& adopted = *stream;
    streams_.push_back(&adopted);
    ++attached_;
    loop_->adopt(std::move(stream), Descriptor(fd));
    return adopted;
  }
  void add_pair() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    RandomStream& one = adopt(ends[0]);
    RandomStream& other = adopt(ends[1]);
    if (!one_in(4) || one.stream().is_closed() || other.stream().is_closed()) return;
    one.stream().start_tls(server_context_, TlsRole::server);
    other.stream().start_tls(client_context_, TlsRole::client, "localhost");
  }

  void act_once() {
    ++acts_;
    if (streams_.empty()) return;
    RandomStream& stream = *streams_[static_cast<std::size_t>(below(static_cast<int>(streams_.size())))];
    switch (below(32)) {
      case 0:
      case 1:
        return stream.stream().close();
      case 2:
        return stream.stream().finish_writing();
      case 3:
      case 4:
        return stream.stream().pause_reading();
      case 5:
      case 6:
      case 7:
      case 8:
        return stream.stream().resume_reading();
      case 9:
        return stream.write_shared(kWriteBytesMax);
      case 10:
      case 11:
        return stream.write_shared(static_cast<std::size_t>(1 + below(3000)));
      case 12:
      case 13:
      case 14:
      case 15:
        return stream.stream().notify_when_flushed();
      case 16:
      case 17:
        loop_->post([this] { act(); });
        return;
      case 18:
        loop_->call_after(below(2) * 1ms, [this] { act(); });
        return;
      case 19:
        if (streams_.size() < kStreamsMax) add_pair();
        return;
      default:
        return stream.write(static_cast<std::size_t>(1 + below(100)));
    }
  }

  std::mt19937_64 random_;
  std::shared_ptr<const TlsContext> server_context_;
  std::shared_ptr<const TlsContext> client_context_;
  std::vector<RandomStream*> streams_;
  std::size_t attached_ = 0;
  std::size_t detached_ = 0;
  int acts_ = 0;
  bool acting_ = false;
  std::unique_ptr<Loop> loop_;
};

// Data written after finish_writing() is dropped and does not count.
void RandomStream::write(std::size_t size) {
  const std::size_t queued = stream_->queued_bytes();
  std::memcpy(stream_->extend(size), counting(sent_, size).data(), size);
  if (stream_->queued_bytes() != queued) sent_ += size;
}

void RandomStream::write_shared(std::size_t size) {
  const std::size_t queued = stream_->queued_bytes();
  stream_->push(SharedBytes(counting(sent_, size)));
  if (stream_->queued_bytes() != queued) sent_ += size;
}

void RandomStream::on_receive(MutableBytes bytes) {
  EXPECT_FALSE(ended_);
  ASSERT_EQ(std::memcmp(bytes.data(), counting(received_, bytes.size()).data(), bytes.size()), 0);
  received_ += bytes.size();
  heard();
}

void RandomStream::on_detached() {
  EXPECT_FALSE(detached_);
  detached_ = true;
  world_.gone(*this);
  world_.act();
}

void RandomStream::heard() {
  EXPECT_FALSE(detached_);
  world_.act();
}

class LoopRandomTest : public testing::TestWithParam<LoopKind> {};

TEST_P(LoopRandomTest, HandlersMayDoAnythingToAnyStream) {
  const char* asked = std::getenv("FANFARE_LOOP_SEEDS");
  const std::uint64_t seeds = asked == nullptr ? 20 : std::strtoull(asked, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(GetParam(), seed).run();
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, LoopRandomTest, testing::Values(LoopKind::epoll, LoopKind::uring),
                         [](const auto& kind) { return kind.param == LoopKind::epoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace fanfare::net
