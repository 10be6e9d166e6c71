// The system's information about a stream's sending.

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

#include "net/stream.h"

namespace fanfare::net {

SendProgress Stream::send_progress() const {
  const bool is_ours_sent = queued_bytes() == 0;
  tcp_info info{};
  socklen_t size = sizeof(info);
  constexpr socklen_t kNeeded = offsetof(tcp_info, tcpi_notsent_bytes) + sizeof(info.tcpi_notsent_bytes);
  if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && size >= kNeeded) {
    return {.bytes = static_cast<std::uint32_t>(info.tcpi_bytes_acked),
            .is_complete = is_ours_sent && info.tcpi_unacked == 0 && info.tcpi_notsent_bytes == 0};
  }
  return {.bytes = outbox_ == nullptr ? 0 : outbox_->consumed(), .is_complete = is_ours_sent};
}

bool Stream::is_delivered() const {
  int unacknowledged = 0;
  return has(kFinished) && ::ioctl(fd_, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

}  // namespace fanfare::net
