#pragma once
// The requests that the admin API answers: one row each, from which it is served (api.cc) and documented
// (openapi.cc).

#include <span>
#include <string_view>

#include "admin/api.h"

namespace fanfare::admin {

struct Route {
  std::string_view method;
  std::string_view path;     // "/v1/connections/{id}", without escapes
  std::string_view id;       // operationId
  std::string_view summary;  // one sentence
  // Of the query: names from openapi.cc, separated by spaces.
  std::string_view query;
  std::string_view body;    // a schema of openapi.cc; empty: it takes no body
  std::string_view answer;  // the schema of a success
  int status;               // of a success
  void (Api::*handle)(const Asked& asked, Answer answer);
};

// Static.
std::span<const Route> routes();

// The OpenAPI 3.1 document.
std::string openapi_text();

}  // namespace fanfare::admin
