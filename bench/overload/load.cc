// The requests of ./dev bench --overload (docs/bench.md): at a fixed rate whatever the server does, or so many in flight. One thread. It shares
// no code with the server.
//
//   overload_load PORT PATH capacity|load SECONDS RATE DEPTH WEBSOCKETS BATCH LONG_BATCH
//
// Prints "ready", waits for a line, and prints what it has seen as a line of JSON. A request's latency counts from the time it was due, so a
// server that stalls makes those behind it slow, too.

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connection.h"

namespace overload {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

enum Kind : std::uint8_t { http, websocket, long_batch, kKinds };
constexpr std::array<std::string_view, kKinds> kNames{"http", "websocket", "long"};

// Of twenty requests nine are short ones over HTTP, seven over WebSockets, and four long ones: mixed.
constexpr std::size_t kPattern = 20;
constexpr Kind kind_of(std::size_t number) {
  const std::size_t place = number * 7 % kPattern;
  return place < 9 ? http : place < 16 ? websocket : long_batch;
}

constexpr std::size_t kConnectionsMax = 2000;  // of each kind
constexpr std::size_t kReadAtOnceBytes = 4096;
constexpr std::size_t kEventsMax = 64;  // so few that requests are not sent late
constexpr Seconds kLastAnswers{20}, kRecoveryMax{30}, kBetweenTries{0.01};
constexpr std::size_t kTriesEach = 4;  // of each kind, served one after the other: recovered

// The gateway answers these from its cache. The text is as short as it can be, so that the load is not what is measured.
std::string batch_of(std::size_t calls) {
  std::string text = "[";
  for (std::size_t i = 0; i < calls; ++i) {
    if (i > 0) text += ',';
    text += R"({"jsonrpc":"2.0","id":)" + std::to_string(i) + R"(,"method":"eth_call","params":[{},"0x1"]})";
  }
  return text + "]";
}

struct Options {
  Target target;
  double seconds = 0;
  double rate = 0;
  std::size_t depth = 0;
  std::size_t websockets = 0;
  std::size_t batch = 0;
  std::size_t long_batch = 0;
};

struct Seen {
  std::array<std::vector<float>, kKinds> admitted_ms;
  std::array<std::size_t, kKinds> refused{};
  std::vector<float> late_ms;
  std::size_t without_hint = 0;
  std::size_t lost = 0;
  std::size_t unsent = 0;

  std::size_t served() const {
    std::size_t sum = 0;
    for (const auto& times : admitted_ms) sum += times.size();
    return sum;
  }
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    const std::string brief = batch_of(options_.batch), lengthy = batch_of(options_.long_batch);
    if (brief.size() > kReadAtOnceBytes || lengthy.size() <= kReadAtOnceBytes)
      give_up("the batches are not a short and a long one");
    requests_ = {post_of(options_.target, brief), text_frame(brief), post_of(options_.target, lengthy)};
    // New WebSockets are refused under overload.
    for (std::size_t i = 0; i < options_.websockets; ++i) {
      if (!add_connection(websocket)) give_up("a WebSocket was not opened");
    }
  }

  // Returns answers a second with so many requests always in flight.
  double run_closed() {
    const auto begin = SteadyClock::now();
    refill_until_ = begin + std::chrono::duration_cast<SteadyClock::duration>(Seconds(options_.seconds));
    for (std::size_t i = 0; i < options_.depth; ++i) send_next(begin);
    while (SteadyClock::now() < refill_until_) turn(Seconds(0.1));
    const double rate = static_cast<double>(seen_.served()) / options_.seconds;
    wait_for_answers();
    return rate;
  }

  void run_open() {
    const auto begin = SteadyClock::now();
    std::size_t sent = 0;
    for (;;) {
      const Seconds now = SteadyClock::now() - begin;
      if (now.count() >= options_.seconds) break;
      const auto due = static_cast<std::size_t>(now.count() * options_.rate);
      if (sent < due) {
        const double oldest = static_cast<double>(sent) / options_.rate;
        seen_.late_ms.push_back(static_cast<float>((now.count() - oldest) * 1000));
      }
      for (; sent < due; ++sent) {
        const Seconds after(static_cast<double>(sent) / options_.rate);
        send_next(begin + std::chrono::duration_cast<SteadyClock::duration>(after));
      }
      const Seconds next(static_cast<double>(sent + 1) / options_.rate);
      turn(next - Seconds(SteadyClock::now() - begin));
    }
    wait_for_answers();
  }

  // Seconds until kTriesEach requests of each kind and an upgrade in a row are served; negative: they never were.
  double recover() {
    const auto begin = SteadyClock::now();
    while (SteadyClock::now() - begin < kRecoveryMax) {
      const std::size_t before = seen_.served();
      for (std::size_t i = 0; i < kTriesEach * kKinds; ++i) {
        send_one(static_cast<Kind>(i % kKinds), SteadyClock::now());
        wait_for_answers();
        const auto until = SteadyClock::now() + kBetweenTries;
        while (SteadyClock::now() < until) turn(until - SteadyClock::now());
      }
      if (seen_.served() == before + kTriesEach * kKinds && Connection::open(options_.target, true))
        return Seconds(SteadyClock::now() - begin).count();
    }
    return -1;
  }

  const Seen& seen() const { return seen_; }

 private:
  struct One {
    Kind kind;
    std::unique_ptr<Connection> connection;
    bool is_busy = false;
    bool waits_for_room = false;
    SteadyClock::time_point due = {};
  };

  One* add_connection(Kind kind) {
    auto made = Connection::open(options_.target, kind == websocket);
    if (!made) return nullptr;
    const int fd = made->fd();
    One& one = connections_[fd] = {.kind = kind, .connection = std::move(made)};
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &one}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll_ctl failed");
    ++count_[kind];
    idle_[kind].push_back(&one);
    return &one;
  }

  void send_next(SteadyClock::time_point due) { send_one(kind_of(number_++), due); }
  void send_one(Kind kind, SteadyClock::time_point due) {
    const std::size_t most = kind == websocket ? options_.websockets : kConnectionsMax;
    if (idle_[kind].empty() && count_[kind] >= most) {
      ++seen_.unsent;
      return;
    }
    if (idle_[kind].empty() && add_connection(kind) == nullptr) {
      ++seen_.lost;
      return;
    }
    One& one = *idle_[kind].back();
    idle_[kind].pop_back();
    one.is_busy = true;
    one.due = due;
    ++in_flight_;
    one.connection->send(requests_[kind]);
    watch_room(one);
  }

  void watch_room(One& one) {
    if (one.waits_for_room == one.connection->has_rest()) return;
    one.waits_for_room = one.connection->has_rest();
    epoll_event event{.events = EPOLLIN | (one.waits_for_room ? EPOLLOUT : 0U), .data = {.ptr = &one}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, one.connection->fd(), &event);
  }

  void turn(Seconds wait) {
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(std::max(wait, Seconds(0)));
    const timespec timeout{.tv_sec = nanoseconds.count() / 1'000'000'000,
                           .tv_nsec = nanoseconds.count() % 1'000'000'000};
    std::array<epoll_event, kEventsMax> events;  // NOLINT(*-member-init): the kernel fills it
    const int count =
        ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      One& one = *static_cast<One*>(event.data.ptr);
      if ((event.events & EPOLLOUT) != 0) {
        one.connection->send_rest();
        watch_room(one);
      }
      if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) continue;
      if (const auto answer = one.connection->read()) note(one, *answer);
    }
  }

  void note(One& one, Answer answer) {
    const auto now = SteadyClock::now();
    const Kind kind = one.kind;
    if (one.is_busy) --in_flight_;
    if (answer == Answer::served) {
      seen_.admitted_ms[kind].push_back(static_cast<float>(Seconds(now - one.due).count() * 1000));
    } else if (answer == Answer::lost) {
      // An idle HTTP connection may be closed at any time; another one is opened in its place.
      if (one.is_busy || kind == websocket) ++seen_.lost;
    } else {
      ++seen_.refused[kind];
      if (answer == Answer::bare) ++seen_.without_hint;
    }
    if (answer == Answer::lost) {
      std::erase(idle_[kind], &one);
      --count_[kind];
      connections_.erase(one.connection->fd());
    } else {
      one.is_busy = false;
      idle_[kind].push_back(&one);
    }
    if (now < refill_until_) send_next(now);
  }

  void wait_for_answers() {
    const auto begin = SteadyClock::now();
    while (in_flight_ > 0 && SteadyClock::now() - begin < kLastAnswers) turn(Seconds(0.1));
  }

  const Options options_;
  const int epoll_;
  std::array<std::string, kKinds> requests_;
  std::unordered_map<int, One> connections_;
  std::array<std::vector<One*>, kKinds> idle_;
  std::array<std::size_t, kKinds> count_{};
  std::size_t in_flight_ = 0;
  std::size_t number_ = 0;
  SteadyClock::time_point refill_until_ = {};  // each answer is followed by a request
  Seen seen_;
};

void print_times(const std::vector<float>& times) {
  std::putchar('[');
  for (std::size_t i = 0; i < times.size(); ++i) std::printf(i == 0 ? "%.2f" : ",%.2f", times[i]);
  std::putchar(']');
}

void print(const Seen& seen, double rate, double recovered_s) {
  std::printf(R"({"rate":%.1f,"without_hint":%zu,"lost":%zu,"unsent":%zu,"recovered_s":)", rate,
              seen.without_hint, seen.lost, seen.unsent);
  std::printf(recovered_s < 0 ? "null" : "%.2f", recovered_s);
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    std::printf(R"(%s"%s":%zu)", kind == 0 ? R"(,"refused":{)" : ",", kNames[kind].data(),
                seen.refused[kind]);
  }
  std::printf("}");
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    std::printf(R"(%s"%s":)", kind == 0 ? R"(,"admitted_ms":{)" : ",", kNames[kind].data());
    print_times(seen.admitted_ms[kind]);
  }
  std::printf(R"(},"late_ms":)");
  print_times(seen.late_ms);
  std::printf("}\n");
}

}  // namespace
}  // namespace overload

int main(int argc, char** argv) {
  using overload::give_up;
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc != 10)
    give_up("usage: overload_load PORT PATH capacity|load SECONDS RATE DEPTH WEBSOCKETS BATCH LONG_BATCH");
  const auto count = [&](std::size_t at) { return std::strtoul(arguments[at], nullptr, 10); };
  overload::Load load({.target = {.port = static_cast<std::uint16_t>(count(1)), .path = arguments[2]},
                       .seconds = std::strtod(arguments[4], nullptr),
                       .rate = std::strtod(arguments[5], nullptr),
                       .depth = count(6),
                       .websockets = count(7),
                       .batch = count(8),
                       .long_batch = count(9)});
  std::puts("ready");
  std::fflush(stdout);
  std::getchar();
  double rate = 0, recovered_s = -1;
  if (std::string_view(arguments[3]) == "capacity") {
    rate = load.run_closed();
  } else {
    load.run_open();
    recovered_s = load.recover();
  }
  overload::print(load.seen(), rate, recovered_s);
  return 0;
}
