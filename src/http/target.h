#pragma once
// A request's path and query taken apart and percent-decoded, for routing.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::http {

struct Parameter {
  std::string name;
  std::string value;  // empty for "?name" and for "?name=" alike
};

struct Target {
  // "/a/b%20c" is {"a", "b c"}; "/" is {}; "/a/" is {"a", ""}; "//" is {"", ""}. Decoded after splitting, so
  // a segment may hold a slash: it is a name to compare, never a path of the file system.
  std::vector<std::string> segments;
  std::vector<Parameter> parameters;  // in order, repeated names kept; '+' is a space

  // The value of the first parameter called `name`.
  std::optional<std::string_view> parameter(std::string_view name) const;
};

// Empty: a malformed escape or an encoded NUL, for which 400 is the answer.
std::optional<Target> parse_target(std::string_view path, std::string_view query);

// Empty: '%' without two hexadecimal digits, or %00. RFC3986§2.1.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace fanfare::http
