#pragma once
// Every connection takes a file descriptor. The soft limit on them (often 1024) is a default for programs
// that use select(); the hard limit is what the administrator allows.

#include <cstddef>
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

// Kept from clients, so that the operator gets in when they have all others: connections to the admin API, and files that a
// reload reads.
inline constexpr std::uint64_t kOperatorDescriptors = 32;
// For the loops, listening sockets, logs and files of the server itself.
inline constexpr std::uint64_t kOwnDescriptors = 64;

// How many clients may connect at most, with a soft limit of `descriptors`: the configured number (0: any), or what is left without
// those above and the connections to nodes. The latter count up to a quarter of the descriptors, and a quarter is for clients in any
// case. 0: any.
std::size_t clients_max(std::size_t configured, std::uint64_t descriptors,
                        std::uint64_t upstream_connections);
// The soft limit of this process. 0: there is no limit, or it could not be read.
std::uint64_t descriptor_limit();

}  // namespace fanfare::gateway
