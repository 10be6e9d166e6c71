#pragma once
// Why a socket that the kernel reported is broken.

#include <sys/socket.h>

#include <cerrno>

namespace fanfare::net {

// The socket's errno, which the kernel forgets with this call; 0: it is fine.
inline int pending_error(int fd) {
  int code = 0;
  socklen_t size = sizeof(code);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

}  // namespace fanfare::net
