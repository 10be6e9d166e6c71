#include "admin/api.h"

#include <algorithm>
#include <utility>

#include "admin/routes.h"
#include "http/headers.h"
#include "http/target.h"

namespace fanfare::admin {
namespace {

// Of a route's path: its segments, "{id}" for any. The parameters of the request are appended to `out`.
bool fits_route(std::string_view path, std::span<const std::string> segments, std::vector<std::string>& out) {
  out.clear();
  path.remove_prefix(1);
  for (const std::string& segment : segments) {
    if (path.empty()) return false;
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.starts_with('{')) {
      if (segment.empty()) return false;
      out.push_back(segment);
    } else if (part != segment) {
      return false;
    }
  }
  return path.empty();
}

bool takes_method(std::string_view wanted, std::string_view method) {
  return wanted == method || (method == "HEAD" && wanted == "GET");
}

session::HttpResponse not_allowed(std::string_view method, const std::string& allowed) {
  session::HttpResponse response = response_of(
      {.status = 405, .detail = "expected " + allowed, .parameter = "method", .value = std::string(method)});
  response.headers.push_back({.name = "Allow", .value = allowed});
  return response;
}

bool is_json(http::Headers headers) {
  const auto type = http::find_header(headers, "Content-Type");
  if (!type) return false;
  const std::string_view name = http::trim_space(type->substr(0, type->find(';')));
  return http::equals_ignoring_case(name, "application/json");
}

}  // namespace

void Api::handle(const http::Request& request, std::span<const std::string> segments, Answer answer) {
  Asked asked{.parameters = {}, .query = request.query, .body = as_text(request.body)};
  std::string allowed;
  for (const Route& route : routes()) {
    if (!fits_route(route.path, segments, asked.parameters)) continue;
    if (!takes_method(route.method, request.method)) {
      allowed.append(allowed.empty() ? "" : ", ").append(route.method);
      continue;
    }
    if (route.body.empty() && !asked.body.empty())
      return answer.give(Problem{.status = 400, .detail = "this request takes no body"});
    // A page of another origin cannot send this type without asking first.
    if (!asked.body.empty() && !is_json(request.headers)) {
      const auto type = http::find_header(request.headers, "Content-Type");
      return answer.give(Problem{.status = 415,
                                 .detail = "the body must be application/json",
                                 .parameter = "Content-Type",
                                 .value = std::string(type.value_or(""))});
    }
    if (route.query.empty() && !asked.query.empty()) {
      return answer.give(Problem{.status = 400,
                                 .detail = "this request takes no parameters",
                                 .parameter = "query",
                                 .value = std::string(asked.query)});
    }
    return (this->*route.handle)(asked, std::move(answer));
  }
  if (!allowed.empty()) return answer.give(not_allowed(request.method, allowed));
  answer.give(Problem{.status = 404,
                      .detail = "there is nothing here; GET /v1/openapi.json lists what there is",
                      .parameter = "path",
                      .value = std::string(request.path)});
}

void AdminMount::on_request(session::HttpConnection& session, const server::Target& target) {
  Answer answer(server_, target.loop.index(), session.id());
  if (options_.guard) {
    if (const auto refusal = options_.guard(target)) return answer.give(*refusal);
  }
  const bool changes = target.request.method != "GET" && target.request.method != "HEAD";
  if (changes && target.caller == server::Caller::unknown_page) {
    return answer.give(
        Problem{.status = 403, .detail = "pages may change something only if allowedOrigins names them"});
  }
  const auto segments = http::path_segments(target.request.path);
  if (!segments || segments->size() < options_.prefix_segments)
    return answer.give(Problem{.status = 404, .detail = "there is nothing here"});
  api_.handle(target.request, std::span(*segments).subspan(options_.prefix_segments), std::move(answer));
}

}  // namespace fanfare::admin
