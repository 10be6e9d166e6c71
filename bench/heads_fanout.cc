// One head to many subscribers, from the chain's announcement to the readers' sockets:
//
//   heads_fanout [SUBSCRIBERS [HEADS [EVERY_MS]]]      default: 10,000, 50, as soon as all have the last
//
// There are two processes. A chain with its server (fanfare/chain.h, one loop) runs on core 0, and writes the
// time into the header it passes to on_new_block. All readers run on core 1, in one thread with epoll.
// "Socket" is the time at which the kernel had the last byte in the reader's socket (SO_TIMESTAMPNS, set on
// the sender's core). "Read" is the time at which the readers' thread read it. Prints one line of JSON.

#include <arpa/inet.h>
#include <fanfare/chain.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "echo_program.h"

namespace {

using fanfare::bench::give_up;

constexpr int kPatienceMs = 30'000;
constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view kSubscribe =
    R"({"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]})";

// The clock that both processes use, and that the kernel uses for its timestamps.
std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void run_on_core(int core) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  if (::sched_setaffinity(0, sizeof(one), &one) != 0) std::fprintf(stderr, "not on core %d alone\n", core);
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// --- the chain -------------------------------------------------------------------------------------

std::string hash_of(std::uint64_t number) {
  char text[80];
  std::snprintf(text, sizeof(text), "\"0x%064llx\"", static_cast<unsigned long long>(number) + 0xb10c000000);
  return text;
}

// As long as a mainnet header.
std::string header_of(std::uint64_t number, std::int64_t stamp) {
  const auto quantity = [](std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "\"0x%llx\"", static_cast<unsigned long long>(value));
    return std::string(text);
  };
  char extra[40];
  std::snprintf(extra, sizeof(extra), "\"0x%016llx\"", static_cast<unsigned long long>(stamp));
  const std::string root = "\"0x" + std::string(64, 'a') + '"';
  return "{\"hash\":" + hash_of(number) + ",\"parentHash\":" + hash_of(number - 1) +
         ",\"sha3Uncles\":" + root + ",\"miner\":\"0x" + std::string(40, 'b') + "\",\"stateRoot\":" + root +
         ",\"transactionsRoot\":" + root + ",\"receiptsRoot\":" + root + ",\"logsBloom\":\"0x" +
         std::string(512, '0') + "\",\"difficulty\":\"0x0\",\"number\":" + quantity(number) +
         ",\"gasLimit\":\"0x1c9c380\",\"gasUsed\":\"0xe4e1c0\",\"timestamp\":" +
         quantity(1'700'000'000 + number) + ",\"extraData\":" + extra + ",\"mixHash\":" + root +
         ",\"nonce\":\"0x0000000000000000\",\"baseFeePerGas\":\"0x2540be400\",\"withdrawalsRoot\":" + root +
         ",\"blobGasUsed\":\"0x20000\",\"excessBlobGas\":\"0x0\",\"parentBeaconBlockRoot\":" + root + "}";
}

// Makes a block for each received byte, and answers with the CPU time used so far.
[[noreturn]] void serve(int control, std::size_t subscribers) {
  run_on_core(0);
  std::mutex mutex;
  std::uint64_t number = 1;
  std::string head = header_of(number, 0);
  fanfare::ChainServer server({.http_port = 0,
                               .websocket_port = 0,
                               .connections_max = subscribers + 10,
                               .heartbeat = {.ping_interval = std::chrono::hours(1)},
                               .threads = 1},
                              [&](std::string_view method, std::string_view) -> fanfare::CallResult {
                                const std::scoped_lock lock(mutex);
                                if (method == "eth_getBlockByNumber") return head;
                                if (method == "eth_syncing") return "false";
                                return std::unexpected(fanfare::CallError{.code = -32601});
                              });
  if (const auto started = server.start(); !started) give_up(started.error().message);
  const std::string address = server.websocket_address();
  const auto port = static_cast<std::uint16_t>(std::atoi(address.substr(address.rfind(':') + 1).c_str()));
  if (::write(control, &port, sizeof(port)) != sizeof(port)) give_up("the readers are gone");
  char order = 0;
  while (::read(control, &order, 1) == 1) {
    if (order == 'b') {
      std::string block;
      {
        const std::scoped_lock lock(mutex);
        block = head = header_of(++number, now_ns());
      }
      server.on_new_block(block);
    } else {
      const double used = cpu_seconds();
      if (::write(control, &used, sizeof(used)) != sizeof(used)) break;
    }
  }
  std::_Exit(0);
}

// --- the readers -----------------------------------------------------------------------------------

void send_all(int fd, std::string_view bytes) {
  if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
    give_up("a connection was lost");
  }
}

std::string receive_until(int fd, std::string_view end) {
  std::string text;
  std::array<char, 4096> buffer;
  while (!text.ends_with(end)) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) give_up("a connection was lost before it was subscribed");
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

int open_subscriber(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0) {
    give_up(std::string("cannot connect: ") + std::strerror(errno));
  }
  send_all(fd, kUpgrade);
  if (!receive_until(fd, "\r\n\r\n").starts_with("HTTP/1.1 101")) give_up("no upgrade");
  // Masked with zeros.
  std::string frame = {'\x81', static_cast<char>(0x80 | kSubscribe.size()), 0, 0, 0, 0};
  send_all(fd, frame.append(kSubscribe));
  receive_until(fd, "\"}");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
  return fd;
}

struct Times {
  std::vector<std::int64_t> socket;  // ns after the stamp
  std::vector<std::int64_t> read;
};

class Readers {
 public:
  Readers(std::uint16_t port, std::size_t count) : epoll_(::epoll_create1(EPOLL_CLOEXEC)), left_(count) {
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = open_subscriber(port);
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll_ctl");
      fds_.push_back(fd);
    }
  }

  // Reads until all readers have the whole next head. Returns the time after the stamp at which the last
  // socket had it.
  std::int64_t take_head(Times& times) {
    frame_bytes_ = 0;
    std::ranges::fill(left_, 0);
    std::int64_t last = 0;
    for (std::size_t missing = fds_.size(); missing > 0;) {
      std::array<epoll_event, 512> events;
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kPatienceMs);
      if (count <= 0) give_up(std::to_string(missing) + " readers did not get a head");
      for (int i = 0; i < count; ++i) {
        const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
        const std::int64_t arrived = read(index);
        if (left_[index] != 0) continue;
        --missing;
        last = std::max(last, arrived - stamp_);
        times.socket.push_back(arrived - stamp_);
        times.read.push_back(now_ns() - stamp_);
      }
    }
    return last;
  }

 private:
  // Returns the time at which the kernel received it.
  std::int64_t read(std::size_t index) {
    iovec place{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
    alignas(cmsghdr) std::array<char, 128> control;
    msghdr message{};
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(fds_[index], &message, MSG_DONTWAIT);
    if (got <= 0) give_up("a connection was lost");
    if (frame_bytes_ == 0) learn_frame({buffer_.data(), static_cast<std::size_t>(got)});
    if (left_[index] == 0) left_[index] = frame_bytes_;
    if (static_cast<std::size_t>(got) > left_[index]) give_up("more came than a head");
    left_[index] -= static_cast<std::size_t>(got);
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
      timespec at{};
      std::memcpy(&at, CMSG_DATA(part), sizeof(at));
      return at.tv_sec * 1'000'000'000LL + at.tv_nsec;
    }
    give_up("the kernel stamps nothing");
  }

  // All readers get the same bytes: the first reader determines their size and the time of the stamp.
  void learn_frame(std::string_view bytes) {
    constexpr std::string_view kStamp = "\"extraData\":\"0x";
    const std::size_t stamp = bytes.find(kStamp);
    if (bytes.size() < 4 || bytes[0] != '\x81' || bytes[1] != 126 || stamp == std::string_view::npos) {
      give_up("this is not a head in one piece");
    }
    frame_bytes_ = 4 + (static_cast<std::size_t>(static_cast<unsigned char>(bytes[2])) << 8 |
                        static_cast<unsigned char>(bytes[3]));
    stamp_ = static_cast<std::int64_t>(
        std::strtoull(std::string(bytes.substr(stamp + kStamp.size(), 16)).c_str(), nullptr, 16));
  }

  int epoll_;
  std::vector<int> fds_;
  std::vector<std::size_t> left_;  // bytes of the head, by reader
  std::size_t frame_bytes_ = 0;
  std::int64_t stamp_ = 0;
  std::array<char, 64 * 1024> buffer_;
};

double percentile_ms(std::vector<std::int64_t>& all, double part) {
  const auto place = static_cast<std::ptrdiff_t>(part * static_cast<double>(all.size() - 1));
  std::ranges::nth_element(all, all.begin() + place);
  return static_cast<double>(all[static_cast<std::size_t>(place)]) * 1e-6;
}

double server_cpu(int control) {
  double used = 0;
  if (::write(control, "c", 1) != 1 || ::read(control, &used, sizeof(used)) != sizeof(used))
    give_up("the server is gone");
  return used;
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int index, std::size_t otherwise) {
    return argc > index ? static_cast<std::size_t>(std::atoll(argv[index])) : otherwise;
  };
  const std::size_t subscribers = argument(1, 10'000);
  const std::size_t heads = argument(2, 50);
  const std::size_t every_ms = argument(3, 0);
  fanfare::bench::raise_descriptor_limit();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) give_up("socketpair");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[1]);
    serve(ends[0], subscribers);
  }
  ::close(ends[0]);
  const int control = ends[1];
  run_on_core(1);
  std::uint16_t port = 0;
  if (::read(control, &port, sizeof(port)) != sizeof(port)) give_up("the server did not start");
  Readers readers(port, subscribers);

  Times times;
  const auto tell = [&] {
    if (::write(control, "b", 1) != 1) give_up("the server is gone");
    return readers.take_head(times);
  };
  tell();  // one-time work is done
  times = {};
  const double cpu_before = server_cpu(control);
  const std::int64_t begun = now_ns();
  std::int64_t sending = 0;
  for (std::size_t i = 0; i < heads; ++i) {
    const std::int64_t due = begun + static_cast<std::int64_t>(i * every_ms) * 1'000'000;
    if (const std::int64_t wait = due - now_ns(); wait > 0) ::usleep(static_cast<useconds_t>(wait / 1000));
    sending += tell();
  }
  const double seconds = static_cast<double>(now_ns() - begun) * 1e-9;
  const auto deliveries = static_cast<double>(subscribers * heads);
  const double cpu = server_cpu(control) - cpu_before;
  std::printf(
      R"({"subscribers":%zu,"heads":%zu,"every_ms":%zu,"deliveries_per_s":%.0f,"deliveries_per_s_while_sending":%.0f,)"
      R"("server_cpu_us_per_delivery":%.2f,"socket_ms":{"p50":%.2f,"p99":%.2f,"max":%.2f},"read_ms":{"p50":%.2f,"p99":%.2f,"max":%.2f}})"
      "\n",
      subscribers, heads, every_ms, deliveries / seconds, deliveries / (static_cast<double>(sending) * 1e-9),
      cpu * 1e6 / deliveries, percentile_ms(times.socket, 0.5), percentile_ms(times.socket, 0.99),
      percentile_ms(times.socket, 1), percentile_ms(times.read, 0.5), percentile_ms(times.read, 0.99),
      percentile_ms(times.read, 1));
  ::close(control);
  ::waitpid(child, nullptr, 0);
  return 0;
}
