#pragma once
// The path and the query of a request target: which bytes they may contain, and their decoded values.
//
//   /chat/a%20b?q=100%&page=2
//    └ path, decoded for routing: segments "chat", "a b". A malformed escape is an error
//                 └ query, decoded only on request: "q" is "100%", "page" is "2". Never an error

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::http {

// Whether every byte is allowed unescaped in a path: RFC3986§3.3, and the brackets that browsers leave
// unescaped. See docs/decisions/0050-bytes-of-a-request-target.md.
bool is_path_text(std::string_view path);
// Whether every byte is allowed unescaped in a query: RFC3986§3.4, and the bytes that browsers leave
// unescaped:
// []\^`{|}
bool is_query_text(std::string_view query);
// Returns "/path?query" with percent-encoding for the bytes that is_path_text() and is_query_text() reject.
std::string escaped_target(std::string_view target);

// "/a/b%20c" is {"a", "b c"}; "/" is {}; "/a/" is {"a", ""}; "//" is {"", ""}. Segments are decoded after
// splitting, so a segment may contain a slash. It is a name to compare, never a file system path. Empty: a
// malformed escape or an encoded NUL, to be answered with 400.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

struct Parameter {
  std::string name;
  std::string value;  // empty for both "?name" and "?name="
};

// Parses "a=1&b=2" as browsers' forms write it, in order, keeping repeated names; '+' is a space. An invalid
// escape stays as it is, as in browsers: "100%" is "100%". An encoded NUL stays as it is, too: "%00" is
// "%00".
std::vector<Parameter> query_parameters(std::string_view query);

// Empty: '%' without two hexadecimal digits, or %00. RFC3986§2.1.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace fanfare::http
