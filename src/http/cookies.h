#pragma once
// The cookies of a request. RFC6265§4.2.1:
//
//   Cookie: session=31d4d96e; theme="dark"; theme=light
//           name    value     └ with its quotes, which are part of the value
//
// Parsed leniently, as servers must: pairs are split at ';', and spaces and tabs around names and values are
// ignored. A pair without '=' or without a name is omitted. Names are case-sensitive, and repeated names are
// kept. RFC6265§5.4 sends the more specific path first, so the first one counts.

#include <string_view>
#include <vector>

#include "http/headers.h"

namespace fanfare::http {

struct CookiePair {
  std::string_view name;
  std::string_view value;
};

// Returns the cookies of all Cookie fields in the order sent. RFC6265§5.4 allows one field; RFC9113§8.2.3
// allows splitting it into several. The views point into the same memory as the fields.
std::vector<CookiePair> cookies_of(Headers headers);

}  // namespace fanfare::http
