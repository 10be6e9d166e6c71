#pragma once
// The error codes of JSON-RPC 2.0 §5.1 and of the Ethereum nodes' own range, with their standard messages.

#include <string_view>

namespace fanfare::jsonrpc {

enum class ErrorCode : int {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  internal = -32603,
  server_error = -32000,
  timeout = -32002,
  response_too_large = -32003,
  limit_exceeded = -32005,
};

// The default message for a code. Static.
std::string_view standard_message(ErrorCode code);

// Why a text was rejected as a whole; answer it with id null.
struct Error {
  ErrorCode code;
  std::string_view message;  // static
};

}  // namespace fanfare::jsonrpc
