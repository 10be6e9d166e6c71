#include "base/log_line.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>

namespace fanfare::log {
namespace {

constexpr std::size_t kLevelColumns = 5;

std::string_view name_of(Level level) {
  switch (level) {
    case Level::trace:
      return "trace";
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warning";
    case Level::error:
      return "error";
    case Level::off:
      return "off";
  }
  return "off";
}

bool is_bare(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

}  // namespace

void append_time(std::string& line, WallTime now) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(now);
  const auto day = std::chrono::floor<std::chrono::days>(milliseconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(milliseconds - day);
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int{date.year()},
                    unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(time.hours().count()),
                    static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                    static_cast<int>(time.subseconds().count()));
  line.append(text.data(), static_cast<std::size_t>(length));
}

void append_value(std::string& line, std::string_view value) {
  if (is_bare(value)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < ' ' || byte == 0x7f) {
      std::array<char, 5> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", byte);
      line += escaped.data();
    } else {
      line += c;
    }
  }
  line += '"';
}

std::string excerpt(std::string_view value, std::size_t bytes_max) {
  if (value.size() <= bytes_max) return std::string(value);
  // A byte 10xxxxxx continues a UTF-8 character, which has at most three such bytes.
  std::size_t end = bytes_max;
  while (end > 0 && bytes_max - end < 3 && (static_cast<unsigned char>(value[end]) & 0xc0) == 0x80) --end;
  return std::string(value.substr(0, end)) + "... (" + std::to_string(value.size()) + " bytes)";
}

std::string line_of(WallTime now, Level level, std::string_view event, Fields fields, Fields more) {
  std::string line;
  append_time(line, now);
  const std::string_view name = name_of(level);
  line += ' ';
  line += name;
  if (name.size() < kLevelColumns) line.append(kLevelColumns - name.size(), ' ');
  line += ' ';
  line += event;
  for (const Fields& some : {fields, more}) {
    for (const Field& field : some) {
      line += ' ';
      line += field.key;
      line += '=';
      append_value(line,
                   field.value.size() <= kValueBytesMax ? field.value : excerpt(field.value, kValueBytesMax));
    }
  }
  line += '\n';
  return line;
}

}  // namespace fanfare::log
