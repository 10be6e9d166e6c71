#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bench/ring.h"
#include "net/socket.h"

namespace fanfare::app {
namespace {

constexpr std::size_t kReceiveBytes = 64 * 1024;

class EpollRing final : public BenchRing {
 public:
  EpollRing(net::Descriptor epoll, const std::vector<int>& fds)
      : epoll_(std::move(epoll)), waiting_(fds.size()), fds_(fds), buffer_(kReceiveBytes) {}

  std::expected<void, std::string> begin() {
    for (std::size_t i = 0; i < fds_.size(); ++i) {
      const int flags = ::fcntl(fds_[i], F_GETFL);
      if (::fcntl(fds_[i], F_SETFL, flags | O_NONBLOCK) != 0 || !watch(EPOLL_CTL_ADD, i, EPOLLIN)) {
        return std::unexpected(std::string("epoll_ctl: ") + ::strerrordesc_np(errno));
      }
    }
    return {};
  }

  void send(std::size_t connection, Bytes bytes, bool untold) override {
    std::vector<Piece>& waiting = waiting_[connection];
    waiting.push_back({.bytes = bytes, .untold = untold});
    if (waiting.size() == 1) go_on_sending(connection);
  }

  void turn(Duration wait, Handler& handler) override {
    if (!sent_.empty() || !gone_.empty() || wait < Duration::zero()) wait = Duration::zero();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
    const timespec time{.tv_sec = seconds.count(), .tv_nsec = (wait - seconds).count()};
    const int count =
        ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()), &time, nullptr);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events_[static_cast<std::size_t>(i)];
      const auto connection = static_cast<std::size_t>(event.data.u64);
      if ((event.events & EPOLLOUT) != 0) {
        watch(EPOLL_CTL_MOD, connection, EPOLLIN);
        go_on_sending(connection);
      }
      if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) receive(connection, handler);
    }
    for (const std::size_t connection : std::exchange(sent_, {})) handler.on_sent(connection);
    for (const auto& [connection, code] : std::exchange(gone_, {})) handler.on_gone(connection, code);
  }

  std::string_view name() const override { return "epoll"; }

 private:
  struct Piece {
    Bytes bytes;
    bool untold = false;
  };

  bool watch(int operation, std::size_t connection, std::uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.u64 = connection;
    return ::epoll_ctl(epoll_.get(), operation, fds_[connection], &event) == 0;
  }

  void go_on_sending(std::size_t connection) {
    std::vector<Piece>& waiting = waiting_[connection];
    std::size_t done = 0;
    for (; done < waiting.size(); ++done) {
      Piece& piece = waiting[done];
      const ssize_t sent = ::send(fds_[connection], piece.bytes.data(), piece.bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return leave(connection, errno);
      piece.bytes = piece.bytes.subspan(sent < 0 ? 0 : static_cast<std::size_t>(sent));
      if (!piece.bytes.empty()) break;
      if (!piece.untold) sent_.push_back(connection);
    }
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(done));
    if (!waiting.empty()) watch(EPOLL_CTL_MOD, connection, EPOLLIN | EPOLLOUT);
  }

  void receive(std::size_t connection, Handler& handler) {
    const ssize_t got = ::recv(fds_[connection], buffer_.data(), buffer_.size(), 0);
    if (got > 0) {
      handler.on_bytes(connection, MutableBytes(buffer_).first(static_cast<std::size_t>(got)));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      leave(connection, got == 0 ? 0 : errno);
    }
  }

  void leave(std::size_t connection, int code) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fds_[connection], nullptr);
    waiting_[connection].clear();
    gone_.emplace_back(connection, code);
  }

  net::Descriptor epoll_;
  std::vector<std::vector<Piece>> waiting_;  // per connection: bytes that the socket has not accepted yet
  std::vector<int> fds_;
  std::vector<std::uint8_t> buffer_;
  std::array<epoll_event, 1024> events_{};
  std::vector<std::size_t> sent_;                  // to report
  std::vector<std::pair<std::size_t, int>> gone_;  // to report
};

}  // namespace

BenchRing::Made make_epoll_ring(const std::vector<int>& fds) {
  net::Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return std::unexpected(std::string("epoll_create1: ") + ::strerrordesc_np(errno));
  auto ring = std::make_unique<EpollRing>(std::move(epoll), fds);
  if (auto begun = ring->begin(); !begun) return std::unexpected(begun.error());
  return ring;
}

}  // namespace fanfare::app
