#pragma once
// The form of the lines on standard error: text (log_line.h) or JSON, one object a line:
//
//   {"ts":"2026-11-21T06:40:00.123Z","level":"warn","event":"upstream_failed","fields":{"status":"502"}}
//
// Always these four members in this order. Values of fields are strings, also numbers, so that the type of a
// field never changes. A line holds no control character and is valid UTF-8: bytes that are not are replaced
// with U+FFFD, and control characters and line separators are escaped, so a peer cannot forge a line.

#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/time.h"

namespace fanfare::log {

enum class Format { text, json };

// Empty: there is no such format.
std::optional<Format> format_named(std::string_view name);

// The default is text. Any thread; lines that other threads are writing may still have the earlier form.
void set_format(Format format);
Format format();

// The line including its newline. Values are cut as in line_of(). `more` follows `fields`.
std::string json_line_of(WallTime now, Level level, std::string_view event, Fields fields, Fields more = {});

// Appends `text` as a JSON string with its quotes.
void append_json_text(std::string& line, std::string_view text);

}  // namespace fanfare::log
