#include "gateway/upgrade/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace fanfare::gateway {
namespace {

// Room for one descriptor, aligned as the kernel wants it.
struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

net::Descriptor descriptor_in(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(part), sizeof(fd));
    return net::Descriptor(fd);
  }
  return {};
}

}  // namespace

std::expected<std::pair<UpgradeChannel, UpgradeChannel>, net::OsError> UpgradeChannel::make() {
  std::array<int, 2> sides{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sides.data()) != 0) {
    return std::unexpected(net::last_error("socketpair"));
  }
  return std::pair(UpgradeChannel(net::Descriptor(sides[0])), UpgradeChannel(net::Descriptor(sides[1])));
}

std::expected<void, net::OsError> UpgradeChannel::send(std::string_view text, int descriptor) const {
  std::string bytes(text);
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  Control control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
  }
  if (::sendmsg(side_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return std::unexpected(net::last_error("sendmsg"));
  }
  return {};
}

std::expected<std::optional<UpgradeChannel::Message>, net::OsError> UpgradeChannel::receive(
    Duration wait_max) const {
  pollfd wanted{.fd = side_.get(), .events = POLLIN, .revents = 0};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait_max).count();
  const int found = ::poll(&wanted, 1, static_cast<int>(std::clamp<long>(milliseconds, 0, 3'600'000)));
  if (found == 0 || (found < 0 && errno == EINTR)) return std::nullopt;
  if (found < 0) return std::unexpected(net::last_error("poll"));
  std::array<char, kTextBytesMax> bytes{};
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  Control control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t size = ::recvmsg(side_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size < 0) return std::unexpected(net::last_error("recvmsg"));
  if (size == 0) return std::unexpected(net::OsError{.call = "recvmsg", .code = ECONNRESET, .detail = {}});
  return Message{.text = std::string(bytes.data(), static_cast<std::size_t>(size)),
                 .descriptor = descriptor_in(message)};
}

}  // namespace fanfare::gateway
