#pragma once
// A kind of log line that somebody else can cause as often as they like: written a few times an interval,
// counted beyond that.
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
// Of a level that is off by default: enough for one who looks for a fault, too little to fill a disk.
inline constexpr LogLimits kDebugLogLimits{.lines_max = 100, .interval = std::chrono::seconds(1)};

// Any thread may call anything here.
class LogLimiter {
 public:
  // `event` is a literal, and `clock` outlives the object.
  LogLimiter(log::Level level, std::string_view event, LogLimits limits = {}, Clock& clock = system_clock())
      : level_(level), event_(event), limits_(limits), clock_(clock) {}
  LogLimiter(const LogLimiter&) = delete;
  LogLimiter& operator=(const LogLimiter&) = delete;

  // Writes the line or counts it as suppressed. The first line after some were suppressed says how many.
  void write(log::Fields fields);
  // Writes how many were suppressed since the last line, if any were: for an owner that is about to stop.
  void flush();
  // Calls of write(), whether a line came of them or not.
  std::uint64_t events() const { return events_.load(std::memory_order_relaxed); }

 private:
  // How many lines were suppressed before this one; empty: this one is, too.
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

// The limiters of one owner, one for each kind of line: a network, a pool of nodes. What one of them causes
// does not cost another one its lines.
class LogLimiters {
 public:
  explicit LogLimiters(LogLimits limits = {}, Clock& clock = system_clock())
      : limits_(limits), clock_(clock) {}
  LogLimiters(const LogLimiters&) = delete;
  LogLimiters& operator=(const LogLimiters&) = delete;
  // flush() of each.
  ~LogLimiters();

  // `event` is a literal, always with the same level.
  void write(log::Level level, std::string_view event, log::Fields fields);
  void info(std::string_view event, log::Fields fields) { write(log::Level::info, event, fields); }
  void warn(std::string_view event, log::Fields fields) { write(log::Level::warn, event, fields); }
  void error(std::string_view event, log::Fields fields) { write(log::Level::error, event, fields); }

 private:
  const LogLimits limits_;
  Clock& clock_;
  std::mutex mutex_;  // guards the map; its limiters stay where they are
  std::map<std::string_view, LogLimiter> limiters_;
};

}  // namespace fanfare
