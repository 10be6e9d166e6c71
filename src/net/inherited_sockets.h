#pragma once
// Listening sockets that a service manager opened before it started us, as systemd passes them
// (sd_listen_fds):
//
//   LISTEN_PID=4711            the process they are meant for
//   LISTEN_FDS=2               how many: descriptors 3 and 4
//   LISTEN_FDNAMES=http:metrics   their names, in order; may be missing
//
// The descriptors stay open, and the manager keeps its own. Clients that connect during a restart wait for
// the next process; none is rejected.

#include <expected>
#include <string>
#include <vector>

namespace fanfare::net {

struct InheritedSocket {
  std::string name;  // "" if it has none
  int fd = -1;       // a listening socket; must not be closed
};

// The variables as found in the environment; null: not set.
struct InheritedVariables {
  const char* pid = nullptr;
  const char* count = nullptr;
  const char* names = nullptr;
  int first_fd = 3;
};

// Returns the sockets for this process; empty if there are none. From here on they are not passed on to child
// processes. The error names the invalid variable or descriptor.
std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets(
    const InheritedVariables& variables);
// As above, with the variables of our environment.
std::expected<std::vector<InheritedSocket>, std::string> inherited_sockets();

}  // namespace fanfare::net
