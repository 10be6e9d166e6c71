#pragma once
// The admin API of a gateway: where it listens (docs/admin.md).

#include <string>
#include <vector>

#include "server/listener.h"

namespace fanfare::gateway {

struct AdminPlan {
  // A Unix socket, a port on loopback, or both.
  std::vector<server::ListenerOptions> listeners;
  // The group that owns the file of the Unix socket; empty: that of the process.
  std::string group = {};
  // Of the dashboard's built files, for the port; empty: the port has none.
  std::string web_directory = {};
  std::string version = {};  // of the program

  bool operator==(const AdminPlan&) const = default;
};

// Where a program listens, and where its commands look for it, unless they are told: $XDG_RUNTIME_DIR/fanfare.sock, or
// /run/fanfare/admin.sock without XDG_RUNTIME_DIR.
std::string default_admin_socket(const char* runtime_directory);

}  // namespace fanfare::gateway
