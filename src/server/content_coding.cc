#include "server/content_coding.h"

#include <algorithm>

#include "http/headers.h"

namespace fanfare::server {

std::optional<session::HttpResponse> refuse_content_coding(const http::Request& request) {
  const bool is_coded = std::ranges::any_of(request.headers, [](const HeaderField& field) {
    return http::equals_ignoring_case(field.name, "Content-Encoding") && !field.value.empty() &&
           !http::equals_ignoring_case(field.value, "identity");
  });
  if (!is_coded || request.body.empty()) return std::nullopt;
  // RFC9110§15.5.16: the field says what is taken.
  return session::HttpResponse{.status = 415,
                               .body = "the body must be sent without Content-Encoding\n",
                               .headers = {{.name = "Accept-Encoding", .value = "identity"}}};
}

}  // namespace fanfare::server
