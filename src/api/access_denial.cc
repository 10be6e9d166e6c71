#include "api/access_denial.h"

#include <string>

#include "api/rpc_refusal.h"
#include "rpc/methods.h"

namespace fanfare::api {

using access::Denial;

Response response_to(const access::Refusal& refusal, std::span<const std::string_view> challenges) {
  rpc::Refusal error{.code = rpc::kNotPermitted, .message = std::string(access::text_of(refusal.denial))};
  if (refusal.denial == Denial::blocked) {
    rpc::Refusal limit = rpc::limit_reached("failed attempts", refusal.retry_after);
    limit.message = error.message;
    return response_to(429, limit);
  }
  if (refusal.denial == Denial::address) return response_to(403, error);
  Response response = response_to(401, error);
  // RFC9110§11.6.1.
  for (const std::string_view challenge : challenges) {
    response.headers.push_back({"WWW-Authenticate", std::string(challenge)});
  }
  return response;
}

}  // namespace fanfare::api
