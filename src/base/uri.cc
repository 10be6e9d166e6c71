#include "base/uri.h"

namespace fanfare {

std::optional<UriParts> split_uri(std::string_view text) {
  constexpr std::string_view kMark = "://";
  const std::size_t scheme_end = text.find(kMark);
  if (scheme_end == std::string_view::npos || scheme_end == 0) return std::nullopt;
  UriParts parts;
  parts.scheme = text.substr(0, scheme_end);
  std::string_view rest = text.substr(scheme_end + kMark.size());
  if (const std::size_t mark = rest.find_first_of("?#"); mark != std::string_view::npos) {
    parts.has_query = true;
    parts.query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    parts.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    parts.has_user = true;
    parts.user = rest.substr(0, at);
    rest = rest.substr(at + 1);
  }
  parts.authority = rest;
  return parts;
}

std::optional<UriParts> split_origin_uri(std::string_view text) {
  auto parts = split_uri(text);
  if (!parts || parts->authority.empty() || parts->has_user || !parts->path.empty() || parts->has_query) {
    return std::nullopt;
  }
  return parts;
}

}  // namespace fanfare
