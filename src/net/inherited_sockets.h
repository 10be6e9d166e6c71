#pragma once
// Listening sockets that a service manager opened before it started us, as systemd passes them
// (sd_listen_fds):
//
//   LISTEN_PID=4711            the process they are meant for
//   LISTEN_FDS=2               how many: descriptors 3 and 4
//   LISTEN_FDNAMES=http:metrics   their names, in order; may be missing
//
// The descriptors stay open and the manager keeps its own: who connects while we restart waits for the next
// process, nobody is refused.

#include <expected>
#include <string>
#include <vector>

namespace fanfare::net {

struct InheritedSocket {
  std::string name;  // "" when it has none
  int fd = -1;       // listens; nobody's to close
};

// The variables as the environment has them; null: not set.
struct InheritedVariables {
  const char* pid = nullptr;
  const char* count = nullptr;
  const char* names = nullptr;
  int first_fd = 3;
};

// Empty when there are none for this process. Not passed on to children from here on. The error says which
// variable or descriptor is not as it should be.
std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets(
    const InheritedVariables& variables);
// Of our environment.
std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets();

}  // namespace fanfare::net
