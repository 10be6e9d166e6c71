#pragma once
// An answer of the admin API that reports an error: RFC 9457, with the offending value where there is one.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/http_service.h"

namespace fanfare::admin {

struct Problem {
  int status = 400;
  std::string detail;                    // what is wrong and what was expected, for people
  std::string parameter;                 // of the query or the body; empty: none is to blame
  std::string value;                     // the offending one, cut after kProblemValueBytesMax bytes
  std::vector<std::string> errors = {};  // several, one line each
};
inline constexpr std::size_t kProblemValueBytesMax = 200;

session::HttpResponse response_of(const Problem& problem);
// 200, or another status, with a JSON text.
session::HttpResponse json_response(std::string json, int status = 200);

}  // namespace fanfare::admin
