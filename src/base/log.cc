#include "base/log.h"

#include <atomic>
#include <cstdio>

#include "base/log_line.h"
#include "base/time.h"

namespace fanfare::log {
namespace {

std::atomic<Level> level_wanted = Level::info;

}  // namespace

void set_level(Level level) {
  level_wanted.store(level, std::memory_order_relaxed);
}

bool enabled(Level level) {
  return level >= level_wanted.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view event, Fields fields, Fields more) {
  if (!enabled(level)) return;
  const std::string line = line_of(system_clock().wall_now(), level, event, fields, more);
  // One call to an unbuffered stream, so lines of several threads do not mix. A line that cannot be written
  // is lost.
  (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace fanfare::log
