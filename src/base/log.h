#pragma once
// The log: edges only (accepted, closed, upstream failed), one line each, key=value. Any thread.
//
//   log::warn("upstream_failed", {{"endpoint", url}, {"status", 502}});
//   2026-11-21T06:40:00.123Z warn  upstream_failed endpoint=http://127.0.0.1:8545 status=502
//
// Lines go to standard error. Values with spaces, quotes or control bytes are quoted and escaped, so a peer
// cannot forge a line.

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace fanfare::log {

enum class Level { trace, debug, info, warn, error, off };

struct Field {
  std::string_view key;
  std::string value;

  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, const char* text) : key(name), value(text) {}
  Field(std::string_view name, const std::string& text) : key(name), value(text) {}
  Field(std::string_view name, bool yes) : key(name), value(yes ? "true" : "false") {}
  template <typename Number>
    requires std::integral<Number> || std::floating_point<Number>
  Field(std::string_view name, Number number) : key(name), value(std::to_string(number)) {}
};
using Fields = std::initializer_list<Field>;

// Messages below the level are dropped. The default is info.
void set_level(Level level);
bool enabled(Level level);
// `more` follows `fields` in the line.
void write(Level level, std::string_view event, Fields fields = {}, Fields more = {});

inline void debug(std::string_view event, Fields fields = {}) {
  write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
  write(Level::info, event, fields);
}
inline void warn(std::string_view event, Fields fields = {}) {
  write(Level::warn, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  write(Level::error, event, fields);
}

// Shortens an untrusted value for a log line: all of it, or at most its first `bytes_max` bytes, cut between
// characters, with the original length: "abc... (1048576 bytes)".
inline constexpr std::size_t kExcerptBytes = 64;
std::string excerpt(std::string_view value, std::size_t bytes_max = kExcerptBytes);

// Appends `value` as it appears in a line: bare, or quoted and escaped. Exposed for its test.
void append_value(std::string& line, std::string_view value);

}  // namespace fanfare::log
