// The cost of epoll alone, without WebSocket: every byte is sent back unchanged, or to all connections. One
// recv and one send each time a socket is readable, one receive buffer, and no memory for a connection that
// keeps up.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "echo_program.h"

namespace {

constexpr std::size_t kReceiveBytes = 64 * 1024;

class Echo {
 public:
  Echo(int listening, bool broadcast)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)), listening_(listening), broadcast_(broadcast) {
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
          receive(event.data.fd);
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

  void accept() {
    while (true) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
      if (!broadcast_) continue;
      if (static_cast<std::size_t>(fd) >= places_.size()) places_.resize(static_cast<std::size_t>(fd) + 1);
      places_[static_cast<std::size_t>(fd)] = members_.size();
      members_.push_back(fd);
    }
  }

  void receive(int fd) {
    const ssize_t got = ::recv(fd, buffer_.get(), kReceiveBytes, 0);
    if (got <= 0) {
      if (got == 0 || errno != EAGAIN) leave(fd);
      return;
    }
    const std::string_view bytes(buffer_.get(), static_cast<std::size_t>(got));
    if (!broadcast_) return send(fd, bytes);
    accept();  // goes to all current connections; the load waits for all of them
    for (std::size_t i = members_.size(); i > 0; --i) send(members_[i - 1], bytes);
  }

  void send(int fd, std::string_view bytes) {
    if (!waiting_.empty()) [[unlikely]] {
      if (const auto found = waiting_.find(fd); found != waiting_.end()) {
        found->second.append(bytes);
        return;
      }
    }
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(bytes.size())) return;
    if (sent < 0 && errno != EAGAIN) return leave(fd);
    waiting_[fd] = bytes.substr(sent < 0 ? 0 : static_cast<std::size_t>(sent));
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);  // reads nothing more until this is sent
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
    if (broadcast_) {
      const std::size_t place = places_[static_cast<std::size_t>(fd)];
      members_[place] = members_.back();
      places_[static_cast<std::size_t>(members_[place])] = place;
      members_.pop_back();
    }
    waiting_.erase(fd);
    ::close(fd);
  }

  int epoll_;
  int listening_;
  bool broadcast_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(kReceiveBytes);
  std::unordered_map<int, std::string> waiting_;
  std::vector<int> members_;         // when broadcasting
  std::vector<std::size_t> places_;  // by descriptor: index in members_
};

}  // namespace

int main(int argc, char** argv) {
  const fanfare::bench::EchoProgram program = fanfare::bench::program_of(argc, argv);
  if (program.deflate || !program.certificate.empty()) fanfare::bench::give_up("raw bytes only");
  fanfare::bench::raise_descriptor_limit();
  const auto listening = fanfare::bench::listen_for_echo(program.where);
  fanfare::bench::say_listening(listening.get());
  Echo(listening.get(), program.broadcast).run();
}
