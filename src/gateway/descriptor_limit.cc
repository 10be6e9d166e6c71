#include "gateway/descriptor_limit.h"

#include <sys/resource.h>

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

}  // namespace fanfare::gateway
