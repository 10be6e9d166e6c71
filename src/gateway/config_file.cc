#include "gateway/config_file.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/socket.h"

namespace fanfare::gateway {

std::expected<std::string, std::string> read_config_file(const std::string& path, std::size_t bytes_max,
                                                         Duration pipe_timeout) {
  const net::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return std::unexpected(std::strerror(errno));
  const auto wait_ms =
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(pipe_timeout).count());
  std::string text(bytes_max, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    // A pipe that nobody has opened for writing yet is not readable: otherwise it would look like an empty file.
    pollfd readable{.fd = file.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, wait_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return std::unexpected("nothing was written to this pipe");
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return std::unexpected(std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace fanfare::gateway
