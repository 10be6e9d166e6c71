// A hub topic that stays in its process, and one that travels over NATS JetStream, to the same readers:
//
//   relayed_topics BROKER_URL local|relayed|elsewhere SUBSCRIBERS EVERY_US SECONDS
//
// The process has two instances of a program, each a server with one loop and a hub. One publishes. The readers are WebSockets of that one
// (local, relayed) or of the other one (elsewhere), all read by one thread. EVERY_US 0: as soon as fewer than kInFlightMax events are
// between publish() and the readers. An event has the time of its publish(). Prints one line of JSON.

#include <arpa/inet.h>
#include <fanfare/fanfare.h>
#include <fanfare/nats.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "echo_program.h"

namespace {

using fanfare::bench::give_up;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kInFlightMax = 256;
constexpr std::size_t kPayloadBytes = 100;  // the time, and padding
constexpr std::size_t kFrameBytes = 2 + kPayloadBytes;
constexpr std::size_t kTimeDigits = 16;
constexpr int kPatienceMs = 30'000;
constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

// With the topic that the program measures.
class Instance {
 public:
  Instance(const std::string& broker, bool is_relayed)
      : server_({.port = 0, .threads = 1, .heartbeat = {.ping_interval = std::chrono::hours(1)}}),
        hub_(server_) {
    auto relay = fanfare::make_nats_relay({.servers = {broker}, .name = "bench"});
    if (!relay) give_up(relay.error().message);
    hub_.set_relay(*std::move(relay));
    auto topic = hub_.add_topic(
        "events", {.relayed = is_relayed, .encode = [](fanfare::Position, std::string_view payload) {
                     return fanfare::Frame::text(payload);
                   }});
    if (!topic) give_up(topic.error().message);
    topic_ = *topic;
    server_.websocket("/", {.open = [this](fanfare::Session& session) { session.subscribe(topic_); }});
    if (const auto started = server_.start(); !started) give_up(started.error().message);
  }
  std::uint16_t port() const { return server_.port(); }
  const fanfare::HubTopic& topic() const { return topic_; }

 private:
  fanfare::Server server_;
  fanfare::Hub hub_;
  fanfare::HubTopic topic_;
};

int open_reader(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0)
    give_up(std::string("cannot connect: ") + std::strerror(errno));
  if (::send(fd, kUpgrade.data(), kUpgrade.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(kUpgrade.size()))
    give_up("a connection was lost");
  std::string text;
  for (char next = 0; !text.ends_with("\r\n\r\n"); text += next) {
    if (::recv(fd, &next, 1, 0) != 1) give_up("no upgrade");
  }
  if (!text.starts_with("HTTP/1.1 101")) give_up("no upgrade");
  return fd;
}

// All readers, on the thread of run().
class Readers {
 public:
  Readers(std::uint16_t port, std::size_t count) : epoll_(::epoll_create1(EPOLL_CLOEXEC)), rest_(count) {
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = open_reader(port);
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll_ctl");
      fds_.push_back(fd);
    }
  }
  // Until stop(). An event is counted for each reader that has it.
  void run() {
    std::array<epoll_event, 256> events;
    while (!is_over_.load(std::memory_order_relaxed)) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < count; ++i) read(events[static_cast<std::size_t>(i)].data.u64);
    }
  }
  void stop() { is_over_ = true; }
  std::uint64_t delivered() const { return delivered_.load(std::memory_order_acquire); }
  void wait_for_more_than(std::uint64_t delivered) const {
    delivered_.wait(delivered, std::memory_order_acquire);
  }
  // What is delivered from now on is measured.
  void begin() { begin_ns_.store(now_ns(), std::memory_order_relaxed); }
  // After run().
  std::vector<std::int64_t>& latencies() { return latencies_; }

 private:
  void read(std::size_t index) {
    std::string& rest = rest_[index];
    const ssize_t got = ::recv(fds_[index], buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) give_up("a connection was lost");
    rest.append(buffer_.data(), static_cast<std::size_t>(got));
    const std::int64_t now = now_ns();
    std::size_t at = 0;
    for (; rest.size() - at >= kFrameBytes; at += kFrameBytes) {
      if (rest[at] != '\x81') give_up("this is not an event");
      const std::int64_t sent = std::strtoll(rest.substr(at + 2, kTimeDigits).c_str(), nullptr, 16);
      if (sent >= begin_ns_.load(std::memory_order_relaxed)) latencies_.push_back(now - sent);
    }
    rest.erase(0, at);
    delivered_.fetch_add(at / kFrameBytes, std::memory_order_acq_rel);
    delivered_.notify_one();
  }

  const int epoll_;
  std::vector<int> fds_;
  std::vector<std::string> rest_;  // of an event, by reader
  std::array<char, 64 * 1024> buffer_;
  std::vector<std::int64_t> latencies_;
  std::atomic<std::int64_t> begin_ns_ = INT64_MAX;
  std::atomic<std::uint64_t> delivered_ = 0;
  std::atomic<bool> is_over_ = false;
};

// False: refused.
bool publish(const fanfare::HubTopic& topic) {
  std::array<char, kPayloadBytes + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx%0*d", static_cast<unsigned long long>(now_ns()),
                static_cast<int>(kPayloadBytes - kTimeDigits), 0);
  return topic.publish(std::string_view(text.data(), kPayloadBytes)) == fanfare::PublishResult::accepted;
}

void wait_until(const Readers& readers, std::uint64_t delivered) {
  for (std::uint64_t now = readers.delivered(); now < delivered; now = readers.delivered())
    readers.wait_for_more_than(now);
}

// One event that every reader gets: by then the broker is connected, and the topic is read.
void warm_up(const fanfare::HubTopic& topic, const Readers& readers, std::size_t subscribers) {
  const auto end = Clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (topic.metrics().subscribers < subscribers || !publish(topic)) {
    if (Clock::now() > end) give_up("the broker is not there");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  wait_until(readers, subscribers);
}

double percentile_us(std::vector<std::int64_t>& all, double part) {
  if (all.empty()) give_up("nothing was delivered");
  const auto place = static_cast<std::ptrdiff_t>(part * static_cast<double>(all.size() - 1));
  std::ranges::nth_element(all, all.begin() + place);
  return static_cast<double>(all[static_cast<std::size_t>(place)]) * 1e-3;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6)
    give_up("usage: relayed_topics BROKER_URL local|relayed|elsewhere SUBSCRIBERS EVERY_US SECONDS");
  const std::string_view where = argv[2];
  const std::size_t subscribers = std::strtoul(argv[3], nullptr, 10);
  const std::chrono::microseconds every(std::strtol(argv[4], nullptr, 10));
  const std::chrono::duration<double> length(std::strtod(argv[5], nullptr));
  fanfare::bench::raise_descriptor_limit();
  Instance here(argv[1], where != "local");
  Instance elsewhere(argv[1], where != "local");
  const Instance& serving = where == "elsewhere" ? elsewhere : here;
  Readers readers(serving.port(), subscribers);
  std::thread reading([&] { readers.run(); });
  warm_up(serving.topic(), readers, subscribers);
  // The other instance's topic is connected, too.
  while (!publish(here.topic())) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::uint64_t published = 2;
  wait_until(readers, published * subscribers);

  readers.begin();
  const auto begun = Clock::now();
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; Clock::now() - begun < length; ++i) {
    if (every.count() > 0) std::this_thread::sleep_until(begun + i * every);
    if (published > kInFlightMax) wait_until(readers, (published - kInFlightMax) * subscribers);
    ++(publish(here.topic()) ? published : refused);
  }
  wait_until(readers, published * subscribers);
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  readers.stop();
  reading.join();
  const auto events = static_cast<double>(published - 2);
  std::vector<std::int64_t>& all = readers.latencies();
  std::printf(
      R"({"publishes_per_s":%.0f,"deliveries_per_s":%.0f,"refused":%llu,"p50_us":%.1f,"p99_us":%.1f,"max_us":%.1f})"
      "\n",
      events / seconds, events * static_cast<double>(subscribers) / seconds,
      static_cast<unsigned long long>(refused), percentile_us(all, 0.5), percentile_us(all, 0.99),
      percentile_us(all, 1));
  std::fflush(stdout);
  std::_Exit(0);
}
