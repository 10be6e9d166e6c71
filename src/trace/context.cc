#include "trace/context.h"

#include <algorithm>

namespace fanfare::trace {
namespace {

constexpr std::size_t kVersion0Bytes = 55;
constexpr std::string_view kSpaces = " \t";

// Upper case is not valid here (§3.2.2).
std::optional<std::uint8_t> nibble(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

template <std::size_t Size>
bool read_hex(std::string_view text, std::array<std::uint8_t, Size>& out) {
  for (std::size_t i = 0; i < Size; ++i) {
    const auto high = nibble(text[2 * i]);
    const auto low = nibble(text[2 * i + 1]);
    if (!high || !low) return false;
    out[i] = static_cast<std::uint8_t>(*high << 4U | *low);
  }
  return true;
}

template <std::size_t Size>
std::string hex(const std::array<std::uint8_t, Size>& bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * Size);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xfU];
  }
  return text;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '/' ||
         c == '@';
}

// §3.3.1.3: key=value.
bool is_member(std::string_view member) {
  const std::size_t equals = member.find('=');
  if (equals == 0 || equals > 256 || equals == std::string_view::npos) return false;
  const std::string_view key = member.substr(0, equals);
  const std::string_view value = member.substr(equals + 1);
  const bool starts_well = (key[0] >= 'a' && key[0] <= 'z') || (key[0] >= '0' && key[0] <= '9');
  if (!starts_well || !std::ranges::all_of(key, is_key_character) || std::ranges::count(key, '@') > 1) {
    return false;
  }
  return !value.empty() && value.size() <= 256 &&
         std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~' && c != '='; });
}

}  // namespace

std::string hex_of(const TraceId& id) {
  return hex(id.bytes);
}
std::string hex_of(const SpanId& id) {
  return hex(id.bytes);
}

std::optional<Context> parse_trace_parent(std::string_view value) {
  value = trim(value);
  if (value.size() < kVersion0Bytes || value[2] != '-' || value[35] != '-' || value[52] != '-') {
    return std::nullopt;
  }
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  Context context;
  if (!read_hex(value, version) || !read_hex(value.substr(3), context.trace.bytes) ||
      !read_hex(value.substr(36), context.span.bytes) || !read_hex(value.substr(53), flags)) {
    return std::nullopt;
  }
  const bool has_more = value.size() > kVersion0Bytes;
  if (version[0] == 0xff || (has_more && (version[0] == 0 || value[kVersion0Bytes] != '-'))) {
    return std::nullopt;
  }
  if (!context.trace.is_valid() || !context.span.is_valid()) return std::nullopt;
  context.is_sampled = (flags[0] & 1U) != 0;
  return context;
}

std::string trace_parent_of(const Context& context) {
  return "00-" + hex_of(context.trace) + "-" + hex_of(context.span) + (context.is_sampled ? "-01" : "-00");
}

std::string checked_trace_state(std::string_view value) {
  value = trim(value);
  if (value.empty() || value.size() > kTraceStateBytesMax) return {};
  std::size_t members = 0;
  for (std::string_view rest = value; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view member = trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (member.empty()) continue;
    if (++members > kTraceStateMembersMax || !is_member(member)) return {};
  }
  return members == 0 ? std::string() : std::string(value);
}

bool is_within(std::uint64_t number, double ratio) {
  if (ratio >= 1) return true;
  if (!(ratio > 0)) return false;
  constexpr double kWhole = 18446744073709551616.0;  // 2^64
  return static_cast<double>(number) < ratio * kWhole;
}

bool is_within(const TraceId& id, double ratio) {
  std::uint64_t number = 0;
  for (std::size_t i = 8; i < id.bytes.size(); ++i) number = number << 8U | id.bytes[i];
  return is_within(number, ratio);
}

}  // namespace fanfare::trace
