#pragma once
// The error of a socket that the kernel reported as broken.

#include <sys/socket.h>

#include <cerrno>

namespace fanfare::net {

// The socket's errno, which this call clears in the kernel; 0: no error.
inline int pending_error(int fd) {
  int code = 0;
  socklen_t size = sizeof(code);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno;
}

}  // namespace fanfare::net
