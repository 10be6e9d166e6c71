#include "jsonrpc/surrogates.h"

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

namespace fanfare::jsonrpc {
namespace {

constexpr std::size_t kEscapeBytes = 6;  // \uXXXX

// The unit of the escape that begins at `at`, if it is one of a surrogate.
std::optional<unsigned> surrogate_at(std::string_view text, std::size_t at) {
  const std::string_view escape = text.substr(at, kEscapeBytes);
  if (escape.size() < kEscapeBytes || !escape.starts_with("\\u")) return std::nullopt;
  unsigned unit = 0;
  const auto [end, error] = std::from_chars(escape.data() + 2, escape.data() + kEscapeBytes, unit, 16);
  if (error != std::errc() || end != escape.data() + kEscapeBytes) return std::nullopt;
  if (unit < 0xD800 || unit > 0xDFFF) return std::nullopt;
  return unit;
}

bool is_high(unsigned unit) {
  return unit < 0xDC00;
}

}  // namespace

bool replace_lone_surrogates(std::string& text) {
  bool any = false;
  for (std::size_t at = text.find('\\'); at < text.size(); at = text.find('\\', at)) {
    const auto unit = surrogate_at(text, at);
    if (!unit) {
      at += 2;
      continue;
    }
    const auto next = surrogate_at(text, at + kEscapeBytes <= text.size() ? at + kEscapeBytes : text.size());
    if (is_high(*unit) && next && !is_high(*next)) {
      at += 2 * kEscapeBytes;
      continue;
    }
    text.replace(at + 2, 4, "fffd");
    any = true;
    at += kEscapeBytes;
  }
  return any;
}

}  // namespace fanfare::jsonrpc
