#pragma once
// Where the lines of Fanfare's log go: to standard error, or to the program's own sink.
//
//   fanfare::set_log_sink([](const fanfare::LogRecord& record) {
//     my_logger.write(to_severity(record.level), record.event, record.fields);
//   });
//
// There is one log for the whole process, whatever servers and clients it has. Lines are edges only (a
// server's trouble, a peer that breaks rules, an upstream that failed), and those that a peer can cause are
// limited in number.

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "fanfare/export.h"

namespace fanfare {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

struct LogField {
  std::string_view key;
  std::string_view value;  // as it is: not quoted, not escaped, perhaps a peer's words
};

// Borrowed for the call, with everything in it.
struct LogRecord {
  LogLevel level = LogLevel::info;
  std::string_view event;  // one word that names the event for good, such as "handler_threw"
  std::span<const LogField> fields;
};

// Thread: called on the thread that logs, by several threads at once, within whatever that thread does. So it
// must not block, and must not call a server or a client of this library, nor set_log_sink(), which would
// wait for itself and ends the process with a message. What it throws is caught. Where it throws, and for
// lines that are logged within it, the line goes to standard error.
using LogSink = std::function<void(const LogRecord&)>;

// Replaces the sink; an empty one brings back standard error. When it returns, the earlier sink is not
// running and is destroyed. Any thread.
FANFARE_EXPORT void set_log_sink(LogSink sink);

// What is below the level is not logged; at the beginning it is info. Any thread.
FANFARE_EXPORT void set_log_level(LogLevel level);

}  // namespace fanfare
