#pragma once
// The cookies of a request. RFC6265§4.2.1:
//
//   Cookie: session=31d4d96e; theme="dark"; theme=light
//           name    value     └ with its quotes, which are part of the value
//
// Read as leniently as servers have to: pairs are split at ';', spaces and tabs around names and values do
// not count, and a pair without '=' or without a name is left out. Names are compared with regard to case,
// and one that comes twice is kept twice: RFC6265§5.4 sends the more specific path first, so the first one
// counts.

#include <string_view>
#include <vector>

#include "http/headers.h"

namespace fanfare::http {

struct CookiePair {
  std::string_view name;
  std::string_view value;
};

// In the order sent, of all Cookie fields: RFC6265§5.4 allows one, RFC9113§8.2.3 lets it be split into
// several. The views point where the fields point.
std::vector<CookiePair> cookies_of(Headers headers);

}  // namespace fanfare::http
