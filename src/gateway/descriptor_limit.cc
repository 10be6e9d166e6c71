#include "gateway/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fanfare::gateway {

std::expected<DescriptorLimit, std::string> raise_descriptor_limit() {
  const auto failed = [](const char* call) {
    return std::unexpected(std::string(call) + ": " + std::strerror(errno));
  };
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return failed("getrlimit");
  const std::uint64_t before = limit.rlim_cur;
  if (limit.rlim_cur >= limit.rlim_max) return DescriptorLimit{.before = before, .now = before};
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return failed("setrlimit");
  return DescriptorLimit{.before = before, .now = limit.rlim_cur};
}

std::size_t clients_max(std::size_t configured, std::uint64_t descriptors,
                        std::uint64_t upstream_connections) {
  if (descriptors == 0) return configured;
  const std::uint64_t quarter = descriptors / 4;
  const std::uint64_t taken =
      kOwnDescriptors + kOperatorDescriptors + std::min(upstream_connections, quarter);
  const std::uint64_t left = std::max(quarter, descriptors - std::min(descriptors, taken));
  return configured == 0 ? left : std::min<std::uint64_t>(configured, left);
}

std::uint64_t descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
  return limit.rlim_cur;
}

}  // namespace fanfare::gateway
