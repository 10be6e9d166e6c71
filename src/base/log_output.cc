#include "base/log_output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace fanfare::log {

void Output::write(std::string_view line, Notice notice) {
  const std::unique_lock lock(mutex_, kPatience);
  // Another thread waits in write(): another program filled the pipe after has_room().
  if (!lock) {
    ++lost_;
    return;
  }
  if (const std::uint64_t lost = lost_; lost > 0) {
    if (!put((is_cut_ ? "\n" : "") + notice(lost))) {
      ++lost_;
      return;
    }
    lost_ -= lost;
    is_cut_ = false;
  }
  if (!put(line)) ++lost_;
}

bool Output::put(std::string_view bytes) {
  bool has_begun = false;
  while (!bytes.empty()) {
    const ssize_t written =
        has_room() ? ::write(descriptor_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF)) : -1;
    if (written < 0) {
      if (!is_stuck_ && errno == EINTR) continue;
      is_cut_ = is_cut_ || has_begun;
      return false;
    }
    has_begun = true;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool Output::has_room() {
  pollfd room{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  const int ready = ::poll(&room, 1, is_stuck_ ? 0 : static_cast<int>(kPatience.count()));
  is_stuck_ = ready == 0;
  return ready > 0;
}

}  // namespace fanfare::log
