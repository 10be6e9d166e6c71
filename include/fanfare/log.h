#pragma once
// The destination of Fanfare's log: standard error, or the program's own sink.
//
//   fanfare::set_log_sink([](const fanfare::LogRecord& record) {
//     my_logger.write(to_severity(record.level), record.event, record.fields);
//   });
//
// There is one log for the whole process, shared by all servers and clients. Only events are logged (a
// server's problem, a peer that violates rules, an upstream that failed). Lines that a peer can cause are
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
  std::string_view value;  // raw: not quoted, not escaped, possibly text from a peer
};

// Borrowed for the call, with all its views.
struct LogRecord {
  LogLevel level = LogLevel::info;
  std::string_view event;  // one word that permanently identifies the event, such as "handler_threw"
  std::span<const LogField> fields;
};

// Thread: called on the logging thread, by several threads at once, in the middle of their work. So it must
// not block, and must not call a server or a client of this library. It must not call set_log_sink() either:
// that would wait for itself, so it ends the process with a message. Exceptions are caught. If the sink
// throws, and for lines logged within it, the line goes to standard error.
using LogSink = std::function<void(const LogRecord&)>;

// Replaces the sink; an empty one restores standard error. When it returns, the earlier sink is not running
// and is destroyed. Any thread.
FANFARE_EXPORT void set_log_sink(LogSink sink);

// Lines below this level are not logged; the initial level is info. Any thread.
FANFARE_EXPORT void set_log_level(LogLevel level);

}  // namespace fanfare
