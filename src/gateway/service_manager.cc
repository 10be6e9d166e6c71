#include "gateway/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

#include "base/log.h"

namespace fanfare::gateway {
namespace {

std::optional<std::uint64_t> number_in(const char* text) {
  if (text == nullptr) return std::nullopt;
  const std::string_view view = text;
  std::uint64_t number = 0;
  const auto read = std::from_chars(view.data(), view.data() + view.size(), number);
  if (read.ec != std::errc() || read.ptr != view.data() + view.size()) return std::nullopt;
  return number;
}

// -1: nowhere to connect.
int connect_to(std::string_view path) {
  sockaddr_un address{};
  if (path.size() < 2 || path.size() >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
    return -1;
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  // The abstract namespace: a NUL in place of '@', and only the name's length counts.
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return fd;
  ::close(fd);
  return -1;
}

NotifyVariables of_environment() {
  return {.socket = std::getenv("NOTIFY_SOCKET"),
          .watchdog_usec = std::getenv("WATCHDOG_USEC"),
          .watchdog_pid = std::getenv("WATCHDOG_PID")};
}

}  // namespace

ServiceManager::ServiceManager() : ServiceManager(of_environment()) {}

ServiceManager::ServiceManager(const NotifyVariables& variables) {
  if (variables.socket == nullptr || *variables.socket == '\0') return;
  fd_ = connect_to(variables.socket);
  if (fd_ < 0) {
    log::warn("service_manager_not_reached", {{"socket", variables.socket}, {"error", std::strerror(errno)}});
    return;
  }
  const auto meant_for = number_in(variables.watchdog_pid);
  if (meant_for && *meant_for != static_cast<std::uint64_t>(::getpid())) return;
  const auto usec = number_in(variables.watchdog_usec).value_or(0);
  watchdog_interval_ = std::chrono::microseconds(std::min<std::uint64_t>(usec, 86'400'000'000U) / 2);
}

ServiceManager::~ServiceManager() {
  if (fd_ >= 0) ::close(fd_);
}

void ServiceManager::reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto usec =
      static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U + static_cast<std::uint64_t>(now.tv_nsec) / 1'000U;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

void ServiceManager::send(const std::string& message) const {
  if (fd_ < 0) return;
  [[maybe_unused]] const ssize_t sent = ::send(fd_, message.data(), message.size(), MSG_NOSIGNAL);
}

bool Pulse::beat(std::size_t loops, const Post& post) {
  if (answered_ != nullptr && answered_->load(std::memory_order_relaxed) < asked_) return false;
  answered_ = std::make_shared<std::atomic<std::size_t>>(0);
  asked_ = loops;
  post([answered = answered_] { answered->fetch_add(1, std::memory_order_relaxed); });
  return true;
}

}  // namespace fanfare::gateway
