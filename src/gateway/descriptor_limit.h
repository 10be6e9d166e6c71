#pragma once
// Every connection takes a file descriptor. The soft limit on them (often 1024) is a default for programs
// that use select(); the hard limit is what the administrator allows.

#include <cstdint>
#include <expected>
#include <string>

namespace fanfare::gateway {

struct DescriptorLimit {
  std::uint64_t before = 0;  // the previous soft limit
  std::uint64_t now = 0;     // the new one: the hard limit, if that is allowed
};

// Raises the soft limit of this process to the hard one. The error says why that is not possible; the limit
// is then unchanged. Call once, before connections are accepted; child processes inherit it.
std::expected<DescriptorLimit, std::string> raise_descriptor_limit();

}  // namespace fanfare::gateway
