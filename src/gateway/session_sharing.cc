#include "gateway/session_sharing.h"

#include <utility>

#include "base/random.h"

namespace fanfare::gateway {
namespace {

// A copy has about a quarter of what a session counts for in memory.
constexpr std::uint64_t kCopyShare = 4;
constexpr std::uint64_t kCopiesBytesMin = std::uint64_t{1} << 20;

relay::RecordOptions options_for(const eth::ResumeLimits& limits) {
  return {.what = "sessions",
          .age_max = std::chrono::ceil<std::chrono::milliseconds>(limits.idle_max),
          .bytes_max = std::max<std::uint64_t>(limits.bytes_max / kCopyShare, kCopiesBytesMin)};
}

}  // namespace

SessionSharing::SessionSharing(const NatsOptions& options, const eth::ResumeLimits& limits)
    : SessionSharing(SystemRandom().next_u64(), options, limits) {}

SessionSharing::SessionSharing(std::uint64_t instance, const NatsOptions& options,
                               const eth::ResumeLimits& limits)
    : records_(options, options_for(limits), instance),
      sessions_(records_, instance, {.age_max = limits.idle_max}, system_clock()) {}

void SessionSharing::stop() {
  if (!std::exchange(is_running_, false)) return;
  sessions_.flush(kFlushWait);
  records_.stop();
}

}  // namespace fanfare::gateway
