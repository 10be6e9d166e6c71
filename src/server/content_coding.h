#pragma once
// Bodies of requests that are sent with a content coding, for mounts that take none.

#include <optional>

#include "http/request_parser.h"
#include "session/http_service.h"

namespace fanfare::server {

// RFC9110§8.4: 415 for a body with any coding but identity, which a reader of the plain body would misunderstand.
std::optional<session::HttpResponse> refuse_content_coding(const http::Request& request);

}  // namespace fanfare::server
