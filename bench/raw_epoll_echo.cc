// What epoll alone costs: every byte goes back as it came, no WebSocket anywhere. One recv and one send for
// each time a socket is readable, one receive buffer, no memory for a connection that keeps up.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "echo_program.h"

namespace {

constexpr std::size_t kReceiveBytes = 64 * 1024;

class Echo {
 public:
  explicit Echo(int listening) : epoll_(::epoll_create1(EPOLL_CLOEXEC)), listening_(listening) {
    watch(EPOLL_CTL_ADD, listening_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 1024> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == listening_) {
          accept();
        } else if ((event.events & EPOLLOUT) != 0) {
          send_waiting(event.data.fd);
        } else {
          echo(event.data.fd);
        }
      }
    }
  }

 private:
  void watch(int operation, int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, operation, fd, &event) != 0) fanfare::bench::give_up("epoll_ctl failed");
  }

  void accept() const {
    while (true) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

  void echo(int fd) {
    const ssize_t got = ::recv(fd, buffer_.get(), kReceiveBytes, 0);
    if (got <= 0) {
      if (got == 0 || errno != EAGAIN) leave(fd);
      return;
    }
    const ssize_t sent = ::send(fd, buffer_.get(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
    if (sent == got) return;
    if (sent < 0 && errno != EAGAIN) return leave(fd);
    const auto done = static_cast<std::size_t>(sent < 0 ? 0 : sent);
    waiting_[fd].assign(buffer_.get() + done, static_cast<std::size_t>(got) - done);
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);  // nothing more is read until this is gone
  }

  void send_waiting(int fd) {
    std::string& waiting = waiting_[fd];
    const ssize_t sent = ::send(fd, waiting.data(), waiting.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return leave(fd);
    if (sent > 0) waiting.erase(0, static_cast<std::size_t>(sent));
    if (!waiting.empty()) return;
    waiting_.erase(fd);
    watch(EPOLL_CTL_MOD, fd, EPOLLIN);
  }

  void leave(int fd) {
    waiting_.erase(fd);
    ::close(fd);
  }

  int epoll_;
  int listening_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(kReceiveBytes);
  std::unordered_map<int, std::string> waiting_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) fanfare::bench::give_up("usage: raw_epoll_echo [HOST:]PORT");
  fanfare::bench::raise_descriptor_limit();
  const auto listening = fanfare::bench::listen_for_echo(argv[1]);
  fanfare::bench::say_listening(listening.get());
  Echo(listening.get()).run();
}
