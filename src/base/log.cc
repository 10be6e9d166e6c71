#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/check.h"
#include "base/log_format.h"
#include "base/log_line.h"
#include "base/log_output.h"
#include "base/log_sink.h"
#include "base/time.h"

namespace fanfare::log {
namespace {

std::atomic<Level> level_wanted = Level::info;

std::atomic<bool> has_sink = false;
thread_local bool sink_is_running = false;

struct SinkPlace {
  std::shared_mutex mutex;  // shared: the sink is running. Guards what follows
  Sink sink;
};
// Never destroyed: threads may log to the very end of the process.
SinkPlace& sink_place() {
  static SinkPlace& place = *new SinkPlace;
  return place;
}

// False: there is none, or it threw.
bool give_to_sink(Level level, std::string_view event, Fields fields, Fields more) {
  if (!has_sink.load(std::memory_order_acquire) || sink_is_running) return false;
  SinkPlace& place = sink_place();
  const std::shared_lock lock(place.mutex);
  if (!place.sink) return false;
  sink_is_running = true;
  bool taken = true;
  try {
    place.sink(level, event, fields, more);
  } catch (...) {
    taken = false;
  }
  sink_is_running = false;
  return taken;
}

std::string text_of(Level level, std::string_view event, Fields fields, Fields more) {
  const WallTime now = system_clock().wall_now();
  return format() == Format::json ? json_line_of(now, level, event, fields, more)
                                  : line_of(now, level, event, fields, more);
}

std::string lost_lines_text(std::uint64_t lost) {
  return text_of(Level::warn, "log_lines_lost", {{"lines", lost}}, {});
}

// Never destroyed, as the place of the sink.
Output& standard_error() {
  static Output& output = *new Output(STDERR_FILENO);
  return output;
}

}  // namespace

bool in_sink() {
  return sink_is_running;
}

void set_sink(Sink sink) {
  FANFARE_CHECK(!in_sink());
  SinkPlace& place = sink_place();
  {
    const std::unique_lock lock(place.mutex);
    has_sink.store(sink != nullptr, std::memory_order_release);
    std::swap(place.sink, sink);
  }
  // The earlier one goes here, without the lock: its destructor may log.
}

void set_level(Level level) {
  level_wanted.store(level, std::memory_order_relaxed);
}

bool enabled(Level level) {
  return level >= level_wanted.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view event, Fields fields, Fields more) {
  if (!enabled(level)) return;
  if (give_to_sink(level, event, fields, more)) return;
  standard_error().write(text_of(level, event, fields, more), lost_lines_text);
}

}  // namespace fanfare::log
