#include "fanfare/log.h"

#include <utility>
#include <vector>

#include "api/misuse.h"
#include "base/log_sink.h"

namespace fanfare {
namespace {

LogLevel to_public(log::Level level) {
  switch (level) {
    case log::Level::trace:
      return LogLevel::trace;
    case log::Level::debug:
      return LogLevel::debug;
    case log::Level::info:
      return LogLevel::info;
    case log::Level::warn:
      return LogLevel::warn;
    case log::Level::error:
      return LogLevel::error;
    case log::Level::off:
      return LogLevel::off;
  }
  return LogLevel::off;
}

log::Level to_engine(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return log::Level::trace;
    case LogLevel::debug:
      return log::Level::debug;
    case LogLevel::info:
      return log::Level::info;
    case LogLevel::warn:
      return log::Level::warn;
    case LogLevel::error:
      return log::Level::error;
    case LogLevel::off:
      return log::Level::off;
  }
  return log::Level::off;
}

}  // namespace

void set_log_sink(LogSink sink) {
  if (log::in_sink()) api::end_for_misuse("set_log_sink() in a log sink", "call it on another thread");
  if (sink == nullptr) return log::set_sink(nullptr);
  log::set_sink([sink = std::move(sink)](log::Level level, std::string_view event, log::Fields fields,
                                         log::Fields more) {
    std::vector<LogField> all;
    all.reserve(fields.size() + more.size());
    for (const log::Field& field : fields) all.push_back({.key = field.key, .value = field.value});
    for (const log::Field& field : more) all.push_back({.key = field.key, .value = field.value});
    sink({.level = to_public(level), .event = event, .fields = all});
  });
}

void set_log_level(LogLevel level) {
  log::set_level(to_engine(level));
}

}  // namespace fanfare
