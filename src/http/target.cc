#include "http/target.h"

#include <algorithm>
#include <array>

#include "base/hex.h"

namespace fanfare::http {
namespace {

using ByteSet = std::array<bool, 256>;

constexpr ByteSet byte_set(std::string_view others) {
  ByteSet set{};
  for (unsigned char c = '0'; c <= '9'; ++c) set[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) set[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) set[c] = true;
  for (const char c : others) set[static_cast<unsigned char>(c)] = true;
  return set;
}

// RFC3986§3.3: pchar and the slash; plus the brackets.
constexpr ByteSet kPathBytes = byte_set("-._~!$&'()*+,;=:@/%[]");
// RFC3986§3.4: the same bytes and the question mark; plus those that browsers leave unescaped.
constexpr ByteSet kQueryBytes = byte_set("-._~!$&'()*+,;=:@/%?[]\\^`{|}");

bool is_made_of(std::string_view text, const ByteSet& set) {
  return std::ranges::all_of(text, [&](char c) { return set[static_cast<unsigned char>(c)]; });
}

void append_escaped(std::string& to, std::string_view text, const ByteSet& set) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (set[byte]) {
      to.push_back(c);
    } else {
      to.push_back('%');
      to.push_back(kHex[byte >> 4U]);
      to.push_back(kHex[byte & 0xFU]);
    }
  }
}

// The byte that "%XY" at the front of `text` encodes; empty if it is not an escape, or encodes NUL.
std::optional<char> escaped_byte(std::string_view text) {
  if (text.size() < 3) return std::nullopt;
  const int high = hex_digit(text[1]);
  const int low = hex_digit(text[2]);
  if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

// Calls take(part) for every part of `text` between separators.
template <typename Take>
void split(std::string_view text, char separator, Take take) {
  while (true) {
    const std::size_t end = text.find(separator);
    take(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::string form_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    const auto escaped = text.front() == '%' ? escaped_byte(text) : std::nullopt;
    decoded.push_back(escaped ? *escaped : (text.front() == '+' ? ' ' : text.front()));
    text.remove_prefix(escaped ? 3 : 1);
  }
  return decoded;
}

}  // namespace

bool is_path_text(std::string_view path) {
  return is_made_of(path, kPathBytes);
}

bool is_query_text(std::string_view query) {
  return is_made_of(query, kQueryBytes);
}

std::string escaped_target(std::string_view target) {
  const std::size_t mark = std::min(target.find('?'), target.size());
  std::string escaped;
  escaped.reserve(target.size());
  append_escaped(escaped, target.substr(0, mark), kPathBytes);
  append_escaped(escaped, target.substr(mark), kQueryBytes);
  return escaped;
}

std::optional<std::vector<std::string>> path_segments(std::string_view path) {
  std::vector<std::string> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty()) return segments;
  bool well_formed = true;
  split(path, '/', [&](std::string_view part) {
    auto segment = percent_decoded(part);
    well_formed = well_formed && segment.has_value();
    segments.push_back(std::move(segment).value_or(""));
  });
  if (!well_formed) return std::nullopt;
  return segments;
}

std::vector<Parameter> query_parameters(std::string_view query) {
  std::vector<Parameter> parameters;
  split(query, '&', [&](std::string_view part) {
    if (part.empty()) return;
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    parameters.push_back({.name = form_decoded(part.substr(0, equals)), .value = form_decoded(value)});
  });
  return parameters;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    const auto escaped = text.front() == '%' ? escaped_byte(text) : std::optional(text.front());
    if (!escaped) return std::nullopt;
    decoded.push_back(*escaped);
    text.remove_prefix(text.front() == '%' ? 3 : 1);
  }
  return decoded;
}

}  // namespace fanfare::http
