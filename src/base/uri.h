#pragma once
// Splits "scheme://user@host:port/path?query#fragment" where it is separated (RFC3986§3), and checks nothing else: each user has its
// own rules for the parts.

#include <optional>
#include <string_view>

namespace fanfare {

// Views of the text. An absent part is empty.
struct UriParts {
  std::string_view scheme;  // not empty
  std::string_view
      user;  // with a password; up to the last '@' of the authority, since a password may contain one
  std::string_view authority;  // host and port
  std::string_view path;       // with its '/'
  std::string_view query;      // what follows the first '?' or '#'
  bool has_user = false;       // even if it is empty
  bool has_query = false;
};

// Empty: there is no "://", or nothing before it.
std::optional<UriParts> split_uri(std::string_view text);

// As split_uri(), if there is nothing but a scheme and an authority, which is not empty: an origin (RFC6454§6.2).
std::optional<UriParts> split_origin_uri(std::string_view text);

}  // namespace fanfare
