#include "api/path_pattern.h"

#include <algorithm>
#include <utility>

namespace fanfare::api {

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
    const std::string_view name = is_place ? segment.substr(1, segment.size() - 2) : segment;
    if (name.find_first_of("{}") != std::string_view::npos) return wrong("a {name} is a whole segment");
    if (is_place) {
      if (name.empty()) return wrong("a {name} has a name");
      const auto same = [name](const Part& part) { return part.is_place && part.text == name; };
      if (std::ranges::any_of(pattern.parts_, same)) return wrong("two places have the same name");
    }
    pattern.parts_.push_back({.text = std::string(name), .is_place = is_place});
    if (end == std::string_view::npos) return pattern;
    rest.remove_prefix(end + 1);
  }
}

std::optional<Parameters> PathPattern::match(const std::vector<std::string>& segments) const {
  if (segments.size() != parts_.size()) return std::nullopt;
  Parameters values;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].is_place) {
      if (segments[i].empty()) return std::nullopt;
      values.push_back({.name = parts_[i].text, .value = segments[i]});
    } else if (parts_[i].text != segments[i]) {
      return std::nullopt;
    }
  }
  return values;
}

}  // namespace fanfare::api
