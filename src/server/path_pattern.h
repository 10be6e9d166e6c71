#pragma once
// The path of a route: "/", "/hello/{name}", "/chat/{room}/log", "/files/{path...}". A placeholder {name}
// matches exactly one non-empty segment. A placeholder {name...} comes last and matches the remaining
// segments, possibly none.

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/target.h"

namespace fanfare::server {

using Parameters = std::vector<http::Parameter>;

class PathPattern {
 public:
  // Returns a human-readable error if the pattern is malformed.
  static std::expected<PathPattern, std::string> parse(std::string_view text);

  struct Match {
    // The decoded value of each placeholder, in path order. The value of {name...} is its segments joined by
    // '/', for display and logs. A decoded segment may contain a '/', so use `rest` to look up files.
    Parameters parameters;
    // The decoded segments that {name...} matched. Points into the argument of match().
    std::span<const std::string> rest;
  };
  // Empty if the decoded segments (http::path_segments) do not match.
  std::optional<Match> match(std::span<const std::string> segments) const;

 private:
  enum class Kind : std::uint8_t { literal, place, rest };
  struct Part {
    std::string text;  // the literal, or the name of the placeholder
    Kind kind = Kind::literal;
  };
  std::vector<Part> parts_;
};

}  // namespace fanfare::server
