#pragma once
// A refusal of JSON-RPC as the answer to a whole HTTP request.

#include "fanfare/http.h"
#include "rpc/methods.h"

namespace fanfare::api {

// With Retry-After, if the refusal has a time to wait.
Response response_to(int status, const rpc::Refusal& refusal);

}  // namespace fanfare::api
