#include "base/log_format.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "base/log_line.h"

namespace fanfare::log {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

std::atomic<Format> format_wanted = Format::text;

// The names of --log-level.
std::string_view json_name_of(Level level) {
  constexpr std::array<std::string_view, 6> kNames{"trace", "debug", "info", "warn", "error", "off"};
  const auto index = static_cast<std::size_t>(level);
  return index < kNames.size() ? kNames[index] : "off";
}

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  // 0: not valid UTF-8
};

// The character at the front of `text`, which is not empty (RFC 3629: no surrogates, no longer forms).
Character character_at_front(std::string_view text) {
  const auto byte_at = [&](std::size_t index) -> std::uint32_t {
    return static_cast<unsigned char>(text[index]);
  };
  const std::uint32_t first = byte_at(0);
  if (first < 0x80) return {.code = first, .bytes = 1};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  char32_t code = first & (0x7fU >> bytes);
  for (std::size_t index = 1; index < bytes; ++index) {
    if ((byte_at(index) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte_at(index) & 0x3f);
  }
  const char32_t least = bytes == 4 ? 0x10000 : bytes == 3 ? 0x800 : 0x80;
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {.code = code, .bytes = bytes};
}

// C0, DEL and C1 controls, and what some readers of logs take for the end of a line.
bool must_be_escaped(char32_t code) {
  return code < ' ' || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

void append_fields(std::string& line, Fields fields, bool& is_first) {
  for (const Field& field : fields) {
    if (!is_first) line += ',';
    is_first = false;
    append_json_text(line, field.key);
    line += ':';
    append_json_text(
        line, field.value.size() <= kValueBytesMax ? field.value : excerpt(field.value, kValueBytesMax));
  }
}

}  // namespace

std::optional<Format> format_named(std::string_view name) {
  if (name == "text") return Format::text;
  if (name == "json") return Format::json;
  return std::nullopt;
}

void set_format(Format format) {
  format_wanted.store(format, std::memory_order_relaxed);
}

Format format() {
  return format_wanted.load(std::memory_order_relaxed);
}

void append_json_text(std::string& line, std::string_view text) {
  line += '"';
  while (!text.empty()) {
    const Character character = character_at_front(text);
    if (character.bytes == 0) {
      line += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    if (must_be_escaped(character.code)) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(character.code));
      line += escaped.data();
    } else {
      if (character.code == '"' || character.code == '\\') line += '\\';
      line += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  line += '"';
}

std::string json_line_of(WallTime now, Level level, std::string_view event, Fields fields, Fields more) {
  std::string line = "{\"ts\":\"";
  append_time(line, now);
  line += "\",\"level\":\"";
  line += json_name_of(level);
  line += "\",\"event\":";
  append_json_text(line, event);
  line += ",\"fields\":{";
  bool is_first = true;
  append_fields(line, fields, is_first);
  append_fields(line, more, is_first);
  line += "}}\n";
  return line;
}

}  // namespace fanfare::log
