#pragma once
// A kind of log line that outsiders can trigger as often as they like. A few are written per interval, and
// the rest are counted.
//
//   LogLimiter unreadable_{log::Level::error, "hook_block_unreadable"};
//   unreadable_.write({{"problem", problem}, {"value", log::excerpt(json)}});
//
//   error hook_block_unreadable problem="not an object" value=garbage       (the first lines_max of a minute)
//   error hook_block_unreadable problem=... value=... suppressed=48123      (the first one of a later minute)

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"

namespace fanfare {

struct LogLimits {
  std::uint32_t lines_max = 10;  // per interval; further ones are counted and not written
  Duration interval = std::chrono::minutes(1);
};
// For a level that is off by default: enough to find a fault, too little to fill a disk.
inline constexpr LogLimits kDebugLogLimits{.lines_max = 100, .interval = std::chrono::seconds(1)};

// Any thread may call any function.
class LogLimiter {
 public:
  // `event` is a literal; `clock` must outlive the object.
  LogLimiter(log::Level level, std::string_view event, LogLimits limits = {}, Clock& clock = system_clock())
      : level_(level), event_(event), limits_(limits), clock_(clock) {}
  LogLimiter(const LogLimiter&) = delete;
  LogLimiter& operator=(const LogLimiter&) = delete;

  // Writes the line or counts it as suppressed. The first line after suppressed ones reports their number.
  void write(log::Fields fields);
  // Writes the number of lines suppressed since the last line, if any; for owners that are about to stop.
  void flush();
  // Number of write() calls, including suppressed ones.
  std::uint64_t events() const { return events_.load(std::memory_order_relaxed); }

 private:
  // The number of lines suppressed before this one; empty if this one is suppressed.
  std::optional<std::uint64_t> admit();

  const log::Level level_;
  const std::string_view event_;
  const LogLimits limits_;
  Clock& clock_;
  std::atomic<std::uint64_t> events_ = 0;

  std::mutex mutex_;  // guards everything below
  std::optional<Instant> interval_began_;
  std::uint32_t lines_ = 0;  // in this interval
  std::uint64_t suppressed_ = 0;
};

// The limiters of one owner (a network, a pool of nodes), one per kind of line. They do not share a limit.
class LogLimiters {
 public:
  explicit LogLimiters(LogLimits limits = {}, Clock& clock = system_clock())
      : limits_(limits), clock_(clock) {}
  LogLimiters(const LogLimiters&) = delete;
  LogLimiters& operator=(const LogLimiters&) = delete;
  // Calls flush() on each limiter.
  ~LogLimiters();

  // `event` is a literal, always used with the same level.
  void write(log::Level level, std::string_view event, log::Fields fields);
  void info(std::string_view event, log::Fields fields) { write(log::Level::info, event, fields); }
  void warn(std::string_view event, log::Fields fields) { write(log::Level::warn, event, fields); }
  void error(std::string_view event, log::Fields fields) { write(log::Level::error, event, fields); }

 private:
  const LogLimits limits_;
  Clock& clock_;
  std::mutex mutex_;  // guards the map; its limiters never move
  std::map<std::string_view, LogLimiter> limiters_;
};

}  // namespace fanfare
