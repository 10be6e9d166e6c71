#pragma once
// A route's path: "/", "/hello/{name}", "/chat/{room}/log". A place {name} takes exactly one segment.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/target.h"

namespace fanfare::api {

using Parameters = std::vector<http::Parameter>;

class PathPattern {
 public:
  // The error says what is wrong with the text, for people.
  static std::expected<PathPattern, std::string> parse(std::string_view text);

  // The values of the places, when the decoded segments fit.
  std::optional<Parameters> match(const std::vector<std::string>& segments) const;

 private:
  struct Part {
    std::string text;  // of a literal, or a place's name
    bool is_place;
  };
  std::vector<Part> parts_;
};

}  // namespace fanfare::api
