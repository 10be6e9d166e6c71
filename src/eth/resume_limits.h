#pragma once
// Limits and counters for the sessions of one network (resume_store.h). Each limit has its default here.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace fanfare::eth {

// What sessions count for in their limits of memory: upper bounds of what they take. Subscriptions of one position share its text,
// so it is usually less.
inline constexpr std::size_t kResumeSessionBytes = 768;  // without subscriptions
// A position from which a reorg went back, or that was not confirmed when the connection ended, and how far it is retracted.
inline constexpr std::size_t kResumeTurnBytes = 1088;
// At up to nine positions, and with its first turn: a session without memory for more can be continued all the same.
inline constexpr std::size_t kResumeSubscriptionBytes = 3328 + kResumeTurnBytes;

// Of one session.
struct ResumeRecordLimits {
  // Remembered subscriptions. Beyond it, the one that was not made again for the longest is forgotten.
  std::size_t subscriptions_max = 200;
  // Reorgs without a confirmation, of one subscription. Beyond it, or beyond the first if no memory is left, the client is notified
  // that removed logs may be missing.
  std::size_t turns_max = 16;

  bool operator==(const ResumeRecordLimits&) const = default;
};

struct ResumeLimits {
  std::size_t sessions_max = 100'000;          // with those that have no connection; zero: no sessions
  std::size_t sessions_per_owner_max = 1'000;  // does not apply to the owner ""
  // Memory, by the figures above. Also, no owner holds more than is free, as base/byte_budget.h describes.
  std::size_t bytes_max = std::size_t{512} << 20;
  std::size_t bytes_per_owner_max = std::size_t{16} << 20;  // does not apply to the owner ""
  Duration idle_max = std::chrono::hours(1);  // without a connection for so long, it is forgotten
  ResumeRecordLimits record = {};

  bool operator==(const ResumeLimits&) const = default;
};

// Outcomes of sessions so far.
struct ResumeCounters {
  std::uint64_t created = 0;
  std::uint64_t resumed = 0;     // a connection took a known session
  std::uint64_t taken_over = 0;  // of these, those that another connection had
  std::uint64_t refused = 0;     // by a limit
  std::uint64_t expired = 0;     // idle_max
  std::uint64_t revoked = 0;     // their credentials were revoked
};

}  // namespace fanfare::eth
