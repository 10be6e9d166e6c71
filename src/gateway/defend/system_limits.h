#pragma once
// Limits of the kernel that a server reaches before its own: their values, what the configuration needs, and the command
// that raises each. Read at the start and by `fanfare check --system` (docs/defence.md).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/defend/memory_usage.h"
#include "gateway/descriptor_limit.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// What a configuration may use at most.
struct SystemNeeds {
  std::uint64_t clients = 0;               // connections
  std::uint64_t upstream_connections = 0;  // to all nodes together
  std::uint64_t ports_to_one_node = 0;     // connections to one node, which need a local port each
  std::uint64_t threads = 0;

  // Sockets, and a few files.
  std::uint64_t descriptors() const {
    return clients + upstream_connections + kOwnDescriptors + kOperatorDescriptors;
  }
};
SystemNeeds needs_of(const ServePlan& plan);

struct SystemLimit {
  std::string name;   // as the kernel has it: "net.core.somaxconn"
  std::string value;  // as it is now; empty: it cannot be read here
  std::string needed;
  bool is_low = false;
  std::string effect;   // when the limit is reached
  std::string command;  // that raises it
};

// `descriptors`: the hard limit of this process.
std::vector<SystemLimit> system_limits(const SystemNeeds& needs, std::uint64_t descriptors,
                                       const KernelFiles& files = {});
// RLIMIT_NOFILE.
std::uint64_t descriptor_limit_max();

// A few lines for people: each limit, and for those that are too low the effect and the command.
std::string describe(const std::vector<SystemLimit>& limits);

// Logs all values in one line, and a line for each that is too low: as a warning if other machines can connect.
void log_system_limits(const ServePlan& plan);

}  // namespace fanfare::gateway
