#pragma once
// The answer to a request whose caller was not authenticated.

#include <span>
#include <string_view>

#include "access/authenticator.h"
#include "fanfare/http.h"

namespace fanfare::api {

inline constexpr std::string_view kBasicChallenge = R"(Basic realm="jsonrpc", charset="UTF-8")";
inline constexpr std::string_view kBearerChallenge = "Bearer";

// 401 with the challenges, 403 for a wrong address, or 429 with Retry-After after too many failed attempts.
Response response_to(const access::Refusal& refusal, std::span<const std::string_view> challenges);

}  // namespace fanfare::api
