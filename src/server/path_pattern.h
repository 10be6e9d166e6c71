#pragma once
// The path of a route: "/", "/hello/{name}", "/chat/{room}/log", "/files/{path...}". A place {name} matches
// exactly one segment that is not empty. A place {name...} is the last part and matches what is left, which
// may be nothing.

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
  // Returns an error text for people when the pattern is malformed.
  static std::expected<PathPattern, std::string> parse(std::string_view text);

  struct Match {
    // The decoded value of each place, in the order of the path. That of {name...} is its segments joined by
    // '/': for people and logs. A decoded segment may hold a '/' itself, so files are looked up by `rest`.
    Parameters parameters;
    // The decoded segments that {name...} matched. Points into what match() was given.
    std::span<const std::string> rest;
  };
  // Empty when the decoded segments (http::path_segments) do not match.
  std::optional<Match> match(std::span<const std::string> segments) const;

 private:
  enum class Kind : std::uint8_t { literal, place, rest };
  struct Part {
    std::string text;  // of a literal, or a place's name
    Kind kind = Kind::literal;
  };
  std::vector<Part> parts_;
};

}  // namespace fanfare::server
