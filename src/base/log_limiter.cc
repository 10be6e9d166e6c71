#include "base/log_limiter.h"

#include <utility>

namespace fanfare {

std::optional<std::uint64_t> LogLimiter::admit() {
  const Instant now = clock_.now();
  const std::scoped_lock lock(mutex_);
  if (!interval_began_ || now - *interval_began_ >= limits_.interval) {
    interval_began_ = now;
    lines_ = 0;
  }
  if (lines_ >= limits_.lines_max) {
    ++suppressed_;
    return std::nullopt;
  }
  ++lines_;
  return std::exchange(suppressed_, 0);
}

void LogLimiter::write(log::Fields fields) {
  events_.fetch_add(1, std::memory_order_relaxed);
  if (!log::enabled(level_)) return;
  const auto suppressed = admit();
  if (!suppressed) return;
  if (*suppressed == 0) return log::write(level_, event_, fields);
  log::write(level_, event_, fields, {{"suppressed", *suppressed}});
}

void LogLimiter::flush() {
  std::uint64_t suppressed = 0;
  {
    const std::scoped_lock lock(mutex_);
    suppressed = std::exchange(suppressed_, 0);
  }
  if (suppressed > 0) log::write(level_, event_, {{"suppressed", suppressed}});
}

LogLimiters::~LogLimiters() {
  for (auto& [event, limiter] : limiters_) limiter.flush();
}

void LogLimiters::write(log::Level level, std::string_view event, log::Fields fields) {
  LogLimiter* limiter = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    limiter = &limiters_.try_emplace(event, level, event, limits_, clock_).first->second;
  }
  limiter->write(fields);
}

}  // namespace fanfare
