#include "gateway/stream_sharing.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/random.h"

namespace fanfare::gateway {
namespace {

NatsOptions with_limits(NatsOptions options, std::uint64_t messages_max, std::uint64_t bytes_max) {
  options.limits.messages_max = std::max<std::uint64_t>(messages_max, 2);
  // Records are a little longer than what the history counts, and a patch is shorter than its value.
  options.limits.bytes_max = std::max<std::uint64_t>(bytes_max * 2, std::uint64_t{1} << 20U);
  return options;
}

// For people, and unique.
std::string holder() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + "-" + std::to_string(getpid()) + "-" +
         std::to_string(SystemRandom().next_u64());
}

}  // namespace

StreamSharing::StreamSharing(NatsOptions options, std::uint64_t messages_max, std::uint64_t bytes_max)
    : options_(with_limits(std::move(options), messages_max, bytes_max)),
      relay_(options_),
      leases_(relay_.link(), options_, holder()) {}

}  // namespace fanfare::gateway
