#include "api/rpc_refusal.h"

#include <chrono>
#include <string>

#include "jsonrpc/response.h"

namespace fanfare::api {

Response response_to(int status, const rpc::Refusal& refusal) {
  Response response{.status = status, .content_type = "application/json", .body = {}};
  jsonrpc::append_error(response.body, "null", refusal.code, refusal.message, refusal.data_json);
  if (refusal.retry_after > Duration::zero()) {
    // RFC6585§4, RFC9110§10.2.3: whole seconds.
    const auto wait = std::chrono::ceil<std::chrono::seconds>(refusal.retry_after);
    response.headers.push_back({"Retry-After", std::to_string(wait.count())});
  }
  return response;
}

}  // namespace fanfare::api
