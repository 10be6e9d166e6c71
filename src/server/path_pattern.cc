#include "server/path_pattern.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace fanfare::server {
namespace {

constexpr std::string_view kRestMark = "...";

std::string joined(std::span<const std::string> segments) {
  std::string text;
  for (const std::string& segment : segments) {
    if (&segment != segments.data()) text += '/';
    text += segment;
  }
  return text;
}

}  // namespace

std::expected<PathPattern, std::string> PathPattern::parse(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return std::unexpected("path '" + std::string(text) + "': " + std::string(why));
  };
  if (!text.starts_with('/')) return wrong("it has to begin with '/'");
  PathPattern pattern;
  if (text == "/") return pattern;
  std::string_view rest = text.substr(1);
  while (true) {
    const std::size_t end = rest.find('/');
    const std::string_view segment = rest.substr(0, end);
    const bool is_place = segment.starts_with('{') && segment.ends_with('}');
    std::string_view name = is_place ? segment.substr(1, segment.size() - 2) : segment;
    if (name.find_first_of("{}") != std::string_view::npos) return wrong("a {name} is a whole segment");
    Kind kind = is_place ? Kind::place : Kind::literal;
    if (is_place && name.ends_with(kRestMark)) {
      kind = Kind::rest;
      name.remove_suffix(kRestMark.size());
      if (end != std::string_view::npos) return wrong("a {name...} is the last segment");
    }
    if (is_place) {
      if (name.empty()) return wrong("a {name} has a name");
      const auto same = [name](const Part& part) { return part.kind != Kind::literal && part.text == name; };
      if (std::ranges::any_of(pattern.parts_, same)) return wrong("two places have the same name");
    }
    pattern.parts_.push_back({.text = std::string(name), .kind = kind});
    if (end == std::string_view::npos) return pattern;
    rest.remove_prefix(end + 1);
  }
}

std::optional<PathPattern::Match> PathPattern::match(std::span<const std::string> segments) const {
  const bool has_rest = !parts_.empty() && parts_.back().kind == Kind::rest;
  const std::size_t fixed = parts_.size() - (has_rest ? 1 : 0);
  if (segments.size() < fixed || (segments.size() > fixed && !has_rest)) return std::nullopt;
  Match match;
  for (std::size_t i = 0; i < fixed; ++i) {
    if (parts_[i].kind == Kind::place) {
      if (segments[i].empty()) return std::nullopt;
      match.parameters.push_back({.name = parts_[i].text, .value = segments[i]});
    } else if (parts_[i].text != segments[i]) {
      return std::nullopt;
    }
  }
  if (has_rest) {
    match.rest = segments.subspan(fixed);
    match.parameters.push_back({.name = parts_.back().text, .value = joined(match.rest)});
  }
  return match;
}

}  // namespace fanfare::server
