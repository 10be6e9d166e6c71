#include <algorithm>

#include "api/request_parts.h"
#include "http/headers.h"

namespace fanfare {

std::optional<std::string_view> api::RequestParts::query_parameter(std::string_view name) const {
  if (!query_) query_ = http::query_parameters(request.query);
  const auto found = std::ranges::find(*query_, name, &http::Parameter::name);
  if (found == query_->end()) return std::nullopt;
  return found->value;
}

std::string_view Request::method() const {
  return parts_.request.method;
}
std::string_view Request::path() const {
  return parts_.request.path;
}
std::string_view Request::query() const {
  return parts_.request.query;
}
std::string_view Request::parameter(std::string_view name) const {
  for (const http::Parameter& parameter : parts_.parameters) {
    if (parameter.name == name) return parameter.value;
  }
  return {};
}
std::optional<std::string_view> Request::query_parameter(std::string_view name) const {
  return parts_.query_parameter(name);
}
std::optional<std::string_view> Request::header(std::string_view name) const {
  return http::find_header(parts_.request.headers, name);
}
std::string_view Request::body() const {
  return as_text(parts_.request.body);
}
std::string Request::peer() const {
  return parts_.session.peer();
}

}  // namespace fanfare
