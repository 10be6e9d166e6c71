#pragma once
// The path and the query of a request's target: which bytes they may hold, and what they say once decoded.
//
//   /chat/a%20b?q=100%&page=2
//    └ path, decoded for routing: segments "chat", "a b". A malformed escape is an error
//                 └ query, decoded only for whoever asks: "q" is "100%", "page" is "2". Never an error

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::http {

// Whether every byte of a path may stand there as sent. RFC3986§3.3, and the brackets that browsers leave as
// they are. See docs/decisions/0050-bytes-of-a-request-target.md.
bool is_path_text(std::string_view path);
// Whether every byte of a query may stand there as sent. RFC3986§3.4, and what browsers leave as it is:
// []\^`{|}
bool is_query_text(std::string_view query);
// "/path?query" with the bytes percent-encoded that is_path_text() and is_query_text() refuse.
std::string escaped_target(std::string_view target);

// "/a/b%20c" is {"a", "b c"}; "/" is {}; "/a/" is {"a", ""}; "//" is {"", ""}. Decoded after splitting, so a
// segment may hold a slash: it is a name to compare, never a path of the file system.
// Empty: a malformed escape or an encoded NUL, for which 400 is the answer.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

struct Parameter {
  std::string name;
  std::string value;  // empty for "?name" and for "?name=" alike
};

// "a=1&b=2" as browsers' forms write it, in order, repeated names kept; '+' is a space. What is no escape
// stands for itself, as in browsers: "100%" is "100%". So does an encoded NUL: "%00" is "%00".
std::vector<Parameter> query_parameters(std::string_view query);

// Empty: '%' without two hexadecimal digits, or %00. RFC3986§2.1.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace fanfare::http
