#include "admin/problem.h"

#include <utility>

#include "admin/json.h"
#include "http/status.h"

namespace fanfare::admin {
namespace {

session::HttpResponse with_json(std::string json, int status, std::string_view content_type) {
  json += '\n';
  return {.status = status,
          .content_type = std::string(content_type),
          .body = std::move(json),
          .headers = {{.name = "Cache-Control", .value = "no-store"}}};
}

}  // namespace

session::HttpResponse response_of(const Problem& problem) {
  Json json;
  json.object([&] {
    json.member("type", "about:blank").member("title", http::status_phrase(problem.status));
    json.member("status", problem.status).member("detail", problem.detail);
    if (!problem.parameter.empty()) {
      json.member("parameter", problem.parameter)
          .member("value", std::string_view(problem.value).substr(0, kProblemValueBytesMax));
    }
    if (!problem.errors.empty()) json.list("errors", problem.errors);
  });
  return with_json(json.take(), problem.status, "application/problem+json");
}

session::HttpResponse json_response(std::string json, int status) {
  return with_json(std::move(json), status, "application/json");
}

}  // namespace fanfare::admin
