#include "admin/table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "jsonrpc/value.h"

namespace fanfare::app {
namespace {

std::string formatted(const char* format, double number) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

std::string scaled(double number, double base, const std::array<const char*, 5>& units) {
  std::size_t unit = 0;
  while (std::abs(number) >= base && unit + 1 < units.size()) {
    number /= base;
    ++unit;
  }
  return formatted(unit == 0 || number >= 100 ? "%.0f" : "%.1f", number) + units[unit];
}

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U;
}

bool is_right_aligned(Show show) {
  return show == Show::number || show == Show::bytes || show == Show::seconds;
}

// The bytes of the character at the beginning, if it controls a terminal or hides or reorders what stands beside it; else 0.
std::size_t unseen_bytes(std::string_view text) {
  const auto starts = [&](std::string_view first, std::string_view last) {
    const std::string_view character = text.substr(0, first.size());
    return character.size() == first.size() && character >= first && character <= last;
  };
  if (starts("\xc2\x80", "\xc2\x9f")) return 2;                   // C1 controls
  if (starts("\xd8\x9c", "\xd8\x9c")) return 2;                   // U+061C, a mark of direction
  if (starts("\xe2\x80\x8b", "\xe2\x80\x8f")) return 3;           // U+200B to 200F: no width, marks
  if (starts("\xe2\x80\xa8", "\xe2\x80\xae")) return 3;           // U+2028 to 202E: lines, embeddings
  if (starts("\xe2\x81\xa0", "\xe2\x81\xaf")) return 3;           // U+2060 to 206F: joiners, isolates
  if (starts("\xef\xbb\xbf", "\xef\xbb\xbf")) return 3;           // U+FEFF
  return starts("\xf3\xa0\x80\x80", "\xf3\xa0\x81\xbf") ? 4 : 0;  // U+E0000 to E007F: tags
}

}  // namespace

std::string line_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    std::size_t hidden = byte < 0x20 || byte == 0x7f ? 1 : 0;
    if (hidden == 0) hidden = unseen_bytes(text);
    out += hidden > 0 ? '?' : text.front();
    text.remove_prefix(std::max<std::size_t>(hidden, 1));
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

std::string fitted(std::string_view text, std::size_t width) {
  std::size_t characters = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (!is_continuation(text[end]) && characters++ == width) {
      --characters;
      break;
    }
  }
  return std::string(text.substr(0, end)) + std::string(width - std::min(width, characters), ' ');
}

std::string bytes_text(double bytes) {
  return scaled(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB"});
}

std::string count_text(double count) {
  return scaled(count, 1000, {"", "k", "M", "G", "T"});
}

std::string seconds_text(double seconds) {
  if (seconds < 10) return formatted("%.1fs", seconds);
  const auto whole = static_cast<std::int64_t>(seconds);
  std::array<char, 64> text{};
  if (whole < 60) {
    std::snprintf(text.data(), text.size(), "%lds", static_cast<long>(whole));
  } else if (whole < 3600) {
    std::snprintf(text.data(), text.size(), "%ldm%02lds", static_cast<long>(whole / 60),
                  static_cast<long>(whole % 60));
  } else if (whole < 86'400) {
    std::snprintf(text.data(), text.size(), "%ldh%02ldm", static_cast<long>(whole / 3600),
                  static_cast<long>(whole / 60 % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%ldd%02ldh", static_cast<long>(whole / 86'400),
                  static_cast<long>(whole / 3600 % 24));
  }
  return text.data();
}

std::string shown(std::string_view object, const Column& column) {
  const auto raw = jsonrpc::member(object, column.member);
  if (!raw || *raw == "null") return "-";
  std::string text;
  const double number = std::strtod(std::string(*raw).c_str(), nullptr);
  switch (column.show) {
    case Show::text:
      text = jsonrpc::string_copy(*raw).value_or(std::string(*raw));
      break;
    case Show::number:
      text = std::string(*raw);
      break;
    case Show::bytes:
      text = bytes_text(number);
      break;
    case Show::seconds:
      text = seconds_text(number);
      break;
    case Show::yes_no:
      text = *raw == "true" ? "yes" : "no";
      break;
  }
  text = line_text(text);
  if (width_of(text) > column.width_max) text = fitted(text, column.width_max - 3) + "...";
  return text.empty() ? "-" : text;
}

std::vector<std::string> table_lines(std::string_view list, const std::vector<Column>& columns,
                                     std::size_t width) {
  std::vector<std::vector<std::string>> rows(1);
  for (const Column& column : columns) rows.front().emplace_back(column.title);
  for (const std::string_view object : jsonrpc::array_elements(list)) {
    auto& row = rows.emplace_back();
    for (const Column& column : columns) row.push_back(shown(object, column));
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width_of(row[i]), ' ');
      line += (i == 0 ? "" : "  ") + (is_right_aligned(columns[i].show) ? space + row[i] : row[i] + space);
    }
    if (width > 0 && width_of(line) > width) line = fitted(line, width);
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace fanfare::app
