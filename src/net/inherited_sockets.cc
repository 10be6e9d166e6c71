#include "net/inherited_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "net/os_error.h"

namespace fanfare::net {
namespace {

// The limit of sd_listen_fds(); a larger number is an error.
constexpr int kSocketsMax = 1024;

std::optional<int> to_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool has_option(int fd, int option, int value) {
  int is = 0;
  socklen_t size = sizeof(is);
  return ::getsockopt(fd, SOL_SOCKET, option, &is, &size) == 0 && is == value;
}

std::string take_name(std::string_view& names) {
  const std::size_t colon = names.find(':');
  std::string name(names.substr(0, colon));
  names = colon == std::string_view::npos ? std::string_view() : names.substr(colon + 1);
  return name;
}

}  // namespace

std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets(
    const InheritedVariables& variables) {
  std::vector<InheritedSocket> sockets;
  if (variables.pid == nullptr || variables.count == nullptr) return sockets;
  // The variables were meant for our parent process: its descriptors are not ours.
  if (to_number(variables.pid) != static_cast<int>(::getpid())) return sockets;
  const auto count = to_number(variables.count);
  if (!count || *count < 0 || *count > kSocketsMax) {
    return std::unexpected("LISTEN_FDS is \"" + std::string(variables.count) +
                           "\", expected a number up to " + std::to_string(kSocketsMax));
  }
  std::string_view names = variables.names == nullptr ? "" : variables.names;
  for (int fd = variables.first_fd; fd < variables.first_fd + *count; ++fd) {
    if (!has_option(fd, SO_TYPE, SOCK_STREAM) || !has_option(fd, SO_ACCEPTCONN, 1)) {
      return std::unexpected("descriptor " + std::to_string(fd) +
                             " was passed by LISTEN_FDS, but is no listening stream socket");
    }
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return std::unexpected(last_error("fcntl").message());
    sockets.push_back({.name = take_name(names), .fd = fd});
  }
  return sockets;
}

std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets() {
  return inherited_sockets({.pid = std::getenv("LISTEN_PID"),
                            .count = std::getenv("LISTEN_FDS"),
                            .names = std::getenv("LISTEN_FDNAMES")});
}

}  // namespace fanfare::net
