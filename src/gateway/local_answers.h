#pragma once
// Answers JSON-RPC in the same process: parses a text, calls a function for each result, and joins the
// answers.

#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "jsonrpc/request.h"

namespace fanfare::gateway {

struct LocalError {
  int code = 0;
  std::string message;
  std::string data_json;  // raw; empty: none
};
// `params` is raw, empty if there are none. Returns the raw `result`.
using LocalMethod =
    std::function<std::expected<std::string, LocalError>(std::string_view method, std::string_view params)>;

// The complete answer to a request or a batch.
std::string answer_locally(jsonrpc::Parser& parser, std::string_view text, const LocalMethod& method);

}  // namespace fanfare::gateway
