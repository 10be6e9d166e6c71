// The load of ./dev bench --canvas: viewers that check everything they get, drawers, and cursors, over the binary protocol.
//
//   canvas_load PORT [viewers=N] [drawers=N] [rate=PIXELS_PER_SECOND] [batch=PIXELS] [cursors=N] [cursorrate=PER_SECOND_EACH] [seconds=N] [returns=N]
//               [watch=X0,Y0,X1,Y1] [path=/canvas/main] [seed=N]
//
// One thread with epoll. Prints "ready" when all viewers have the canvas, begins at the line "go", and prints one line of JSON at the end.
// `watch`: chunks that viewers watch; all of them if left out. `returns`: viewers that lose their connection at a random time and come back.
// `batch`: pixels of a message, a stroke; the first of it is marked. Of single ones, one in 64 is. A marked pixel has the number of its sending
// as its colour, which gives a receipt its time of sending. In the end another client fetches the canvas, and the versions of every viewer are
// compared with it; the hashes of every version were checked on the way (truth.h).

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <span>

#include "canvas/peer.h"
#include "canvas/report.h"
#include "canvas/watching.h"

namespace fanfare::bench::canvas {
namespace {

constexpr std::uint32_t kMarkEvery =
    64;  // of a drawer's pixels one has its number as its colour, the others the drawer's colour
constexpr std::uint32_t kColours = 32;  // of drawers
constexpr std::size_t kDiallingMax = 128;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kPatience = 60 * kSecond;
constexpr std::int64_t kSettleAfterReturn = 2 * kSecond;  // what a viewer missed is no measure of the delay

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), dialer_(options.port, options.path), random_(options.seed), sent_at_(kMarks) {
    // One more: the judge, which fetches the canvas at the end.
    peers_.resize(options.viewers + options.drawers + options.cursors + 1);
    for (std::uint32_t i = 0; i < peers_.size(); ++i) peers_[i].number = i;
  }

  int run() {
    for (std::uint32_t i = 0; i + 1 < peers_.size(); ++i) to_dial_.push_back(i);
    wait([&] { return open_ == peers_.size() - 1 && viewers_complete(); },
         "not all connections have the canvas");
    std::puts("ready");
    std::fflush(stdout);
    // Orders come on standard input.
    std::string order(16, '\0');
    if (::read(0, order.data(), order.size()) <= 0 || !order.starts_with("go")) return 0;
    measure();
    settle();
    report();
    return 0;
  }

 private:
  enum class Kind { viewer, drawer, pointer, judge };
  Kind kind(const Peer& peer) const {
    if (peer.number < options_.viewers) return Kind::viewer;
    if (peer.number < options_.viewers + options_.drawers) return Kind::drawer;
    return peer.number + 1 < peers_.size() ? Kind::pointer : Kind::judge;
  }
  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
  }

  template <class Condition>
  void wait(Condition condition, const char* otherwise, std::int64_t patience = kPatience) {
    for (const std::int64_t end = now_ns() + patience; !condition();) {
      turn(20);
      if (now_ns() > end) give_up(otherwise);
    }
  }

  void turn(int timeout_ms) {
    const std::int64_t now = now_ns();
    while (!returning_.empty() && peers_[returning_.front()].due_ns <= now) {
      to_dial_.push_back(returning_.front());
      returning_.pop_front();
    }
    while (!to_dial_.empty() && dialling_ < kDiallingMax) {
      if (!dialer_.dial(peers_[to_dial_.front()]))
        give_up(std::string("cannot connect: ") + std::strerror(errno));
      to_dial_.pop_front();
      ++dialling_;
    }
    std::array<epoll_event, 256> events;
    const int count =
        ::epoll_wait(dialer_.epoll(), events.data(), static_cast<int>(events.size()), timeout_ms);
    for (int i = 0; i < count; ++i)
      happened(peers_[events[static_cast<std::size_t>(i)].data.u64],
               events[static_cast<std::size_t>(i)].events);
  }

  void happened(Peer& peer, std::uint32_t events) {
    if (peer.fd < 0) return;
    if (peer.stage == Stage::dialling && (events & (EPOLLERR | EPOLLHUP)) == 0) dialer_.ask_upgrade(peer);
    if ((events & EPOLLOUT) != 0) dialer_.flush(peer);
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) return;
    if (!dialer_.receive(peer)) return ended(peer);
    if (peer.stage == Stage::upgrading && !dialer_.take_upgrade(peer)) return;
    std::size_t at = 0;
    while (peer.fd >= 0) {
      const auto frame = server_frame(Bytes(peer.in).substr(at));
      if (!frame) break;
      at += frame->size;
      take(peer, *frame);
    }
    if (peer.fd >= 0) peer.in.erase(0, at);
    if (peer.in.empty() && peer.in.capacity() > 4096) peer.in = {};
  }

  // The server ended the connection; the peer comes back.
  void ended(Peer& peer) {
    ++counts_.lost;
    leave(peer, now_ns() + kSecond);
  }

  void leave(Peer& peer, std::int64_t due_ns) {
    if (peer.stage == Stage::open)
      --open_;
    else
      --dialling_;
    dialer_.hang_up(peer);
    peer.due_ns = due_ns;
    returning_.insert(
        std::ranges::upper_bound(returning_, due_ns, {}, [&](std::uint32_t i) { return peers_[i].due_ns; }),
        peer.number);
  }

  void take(Peer& peer, const ServerFrame& frame) {
    if (frame.opcode == 9) return dialer_.send(peer, client_frame(10, frame.payload));
    if (frame.opcode == 8) {
      dialer_.send(peer, client_frame(8, frame.payload));
      return;
    }
    if (frame.opcode != 2 || !frame.final || frame.payload.empty()) return;
    Input input(frame.payload);
    switch (input.u8()) {
      case 0x81:
        return greeted(peer, frame.payload);
      case 0x82:
        return watching_.chunk(peer, frame.payload);
      case 0x83:
        return watching_.current(peer, frame.payload);
      case 0x84:
        return tick(peer, frame);
      case 0x85:
        return acknowledged(input);
      case 0x86:
        counts_.cursor_bytes += frame.size;
        counts_.cursors += input.varint();
        return;
      case 0x88:
        ++counts_.errors;
        counts_.last_error = input.u8();
        return;
      default:
        return;
    }
  }

  void greeted(Peer& peer, Bytes message) {
    const auto room = read_welcome(message);
    if (!room) give_up("WELCOME is malformed");
    watching_.greeted(*room);
    peer.stage = Stage::open;
    peer.opened_ns = now_ns();
    --dialling_;
    ++open_;
    if (kind(peer) == Kind::viewer || kind(peer) == Kind::judge) {
      watching_.watch(peer, kind(peer) == Kind::judge ? kEverything : options_.watch);
    } else {
      peer.x = below(watching_.room().width);
      peer.y = below(watching_.room().height);
      if (kind(peer) == Kind::pointer)
        std::tie(peer.x, peer.y) = std::pair(below(std::min(kSide, watching_.room().width)),
                                             below(std::min(kSide, watching_.room().height)));
    }
  }

  void tick(Peer& peer, const ServerFrame& message) {
    const std::int64_t now = now_ns();
    const TickFrame* frame = watching_.tick(peer, message.payload);
    if (frame == nullptr) return;
    if (!is_measuring_ || kind(peer) != Kind::viewer) return;
    ++counts_.frames;
    counts_.pixels += frame->pixels.size();
    counts_.tick_bytes += message.size;
    if (frame->marks.empty() || now - peer.opened_ns < kSettleAfterReturn) return;
    // One of them stands for all.
    fast_ = fast_ * 1664525U + 1013904223U;
    const std::uint32_t number = frame->marks[(fast_ >> 8) % frame->marks.size()];
    if (sent_at_[number] >= began_ns_) delays_.add(now - sent_at_[number], frame->marks.size());
  }

  void acknowledged(Input& input) {
    const std::uint64_t request = input.varint();
    const std::uint64_t accepted = input.varint();
    ++counts_.acks;
    counts_.accepted += accepted;
    if (accepted == 0) {
      ++counts_.refused;
      counts_.last_error = input.u8();
    } else if (is_measuring_ && request < kMarks && sent_at_[request] >= began_ns_) {
      ack_delays_.add(now_ns() - sent_at_[request], 1);
    }
  }

  bool viewers_complete() {
    // Asked often, so it goes on where it stopped.
    for (; complete_ < options_.viewers; ++complete_) {
      if (!watching_.has_all(peers_[complete_], options_.watch)) return false;
    }
    return true;
  }

  void measure() {
    is_measuring_ = true;
    began_ns_ = now_ns();
    cpu_before_ = cpu_seconds();
    for (std::uint32_t i = 0; i < options_.viewers; ++i) bytes_before_ += peers_[i].bytes;
    const std::int64_t length = static_cast<std::int64_t>(options_.seconds) * kSecond;
    std::uint64_t drawn = 0;
    std::uint64_t pointed = 0;
    std::uint32_t gone = 0;
    for (;;) {
      const std::int64_t passed = now_ns() - began_ns_;
      if (passed >= length) break;
      const auto due = [&](std::uint64_t in_all) {
        return static_cast<std::uint64_t>(static_cast<double>(in_all) * static_cast<double>(passed) /
                                          static_cast<double>(length));
      };
      for (const std::uint64_t until = options_.drawers ? due(static_cast<std::uint64_t>(options_.rate) *
                                                              options_.seconds / options_.batch)
                                                        : 0;
           drawn < until; ++drawn)
        draw(drawn);
      for (const std::uint64_t until =
               due(static_cast<std::uint64_t>(options_.cursors) * options_.cursor_rate * options_.seconds);
           pointed < until; ++pointed)
        point(pointed);
      // The last tenth is for those who come back.
      for (const auto until = std::min<std::uint64_t>(options_.returns, due(options_.returns * 10ULL / 9));
           gone < until; ++gone)
        lose();
      turn(1);
    }
    is_measuring_ = false;
    elapsed_ = static_cast<double>(now_ns() - began_ns_) * 1e-9;
    cpu_used_ = cpu_seconds() - cpu_before_;
    for (std::uint32_t i = 0; i < options_.viewers; ++i) bytes_ += peers_[i].bytes;
    bytes_ -= bytes_before_;
  }

  // A stroke of each drawer in turn: the next pixel beside the last one.
  void draw(std::uint64_t drawn) {
    Peer& peer = peers_[options_.viewers + drawn % options_.drawers];
    if (peer.stage != Stage::open) return;
    const auto number = static_cast<std::uint32_t>(counts_.sent++ % kMarks);
    sent_at_[number] = now_ns();
    const bool is_marked = options_.batch > 1 || number % kMarkEvery == 0;
    const std::uint32_t colour = 0x800000U + peer.number % kColours * 0x1111U;
    Output message;
    message.u8(1).varint(number).varint(options_.batch);
    for (std::uint32_t i = 0; i < options_.batch; ++i) {
      step(peer);
      message.u16(peer.x).u16(peer.y).rgb(is_marked && i == 0 ? number : colour);
    }
    dialer_.send(peer, client_frame(2, message.bytes()));
  }

  // To a neighbour; in a stroke of many mostly to the right, as a hand that moves fast.
  void step(Peer& peer) {
    const std::uint32_t width = watching_.room().width;
    const std::uint32_t height = watching_.room().height;
    peer.x = (peer.x + (options_.batch > 1 ? 1 : width + below(3) - 1)) % width;
    if (options_.batch == 1 || below(16) == 0) peer.y = (peer.y + height + below(3) - 1) % height;
  }

  void point(std::uint64_t pointed) {
    Peer& peer = peers_[options_.viewers + options_.drawers + pointed % options_.cursors];
    if (peer.stage != Stage::open) return;
    const std::uint32_t side = std::min({kSide, watching_.room().width, watching_.room().height});
    peer.x = (peer.x + 1 + below(3)) % side;
    peer.y = (peer.y + 1 + below(3)) % side;
    dialer_.send(peer, client_frame(2, Output().u8(4).u16(peer.x).u16(peer.y).bytes()));
  }

  void lose() {
    Peer& peer = peers_[below(options_.viewers)];
    if (peer.stage != Stage::open) return;
    ++counts_.returned;
    leave(peer, now_ns() + 50'000'000 + below(2000) * 1'000'000LL);
  }

  // Everything that was sent has arrived, and every viewer is where the server is.
  void settle() {
    const auto quiet = [&](auto condition) {
      for (const std::int64_t end = now_ns() + 30 * kSecond; !condition() && now_ns() < end;) turn(20);
    };
    quiet([&] { return counts_.acks >= counts_.sent && open_ == peers_.size() - 1; });
    Peer& judge = peers_.back();
    to_dial_.push_back(judge.number);
    quiet([&] { return watching_.has_all(judge, kEverything); });
    quiet([&] { return count_behind() == 0; });
  }

  std::uint64_t count_behind() const {
    std::uint64_t behind = 0;
    for (std::uint32_t i = 0; i < options_.viewers; ++i) {
      behind +=
          peers_[i].stage != Stage::open || !watching_.are_equal(peers_[i], peers_.back(), options_.watch);
    }
    return behind;
  }

  void report() const {
    Report report{.elapsed = elapsed_,
                  .cpu = cpu_used_,
                  .bytes = bytes_,
                  .behind = count_behind(),
                  .counts = counts_,
                  .truth = watching_.truth(),
                  .delays = delays_,
                  .ack_delays = ack_delays_};
    report.print(options_);
  }

  const Options options_;
  Dialer dialer_;
  Counts counts_;
  Watching watching_{dialer_, counts_};
  std::mt19937 random_;
  std::uint32_t fast_ = 1;
  std::vector<Peer> peers_;
  std::deque<std::uint32_t> to_dial_;
  std::deque<std::uint32_t> returning_;  // by the time at which they return
  std::size_t dialling_ = 0;
  std::size_t open_ = 0;
  std::uint32_t complete_ = 0;
  std::vector<std::int64_t> sent_at_;
  bool is_measuring_ = false;
  std::int64_t began_ns_ = 0;
  double elapsed_ = 0;
  double cpu_before_ = 0;
  double cpu_used_ = 0;
  std::uint64_t bytes_before_ = 0;
  std::uint64_t bytes_ = 0;
  Spread delays_;
  Spread ack_delays_;
};

void allow_many_sockets() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace
}  // namespace fanfare::bench::canvas

int main(int argc, char** argv) {
  using namespace fanfare::bench::canvas;
  allow_many_sockets();
  return Load(options_of({argv, static_cast<std::size_t>(argc)})).run();
}
