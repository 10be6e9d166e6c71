#include "jsonrpc/error.h"

namespace fanfare::jsonrpc {

std::string_view standard_message(ErrorCode code) {
  switch (code) {
    case ErrorCode::parse_error:
      return "Parse error";
    case ErrorCode::invalid_request:
      return "Invalid Request";
    case ErrorCode::method_not_found:
      return "Method not found";
    case ErrorCode::invalid_params:
      return "Invalid params";
    case ErrorCode::internal:
      return "Internal error";
    case ErrorCode::server_error:
      return "Server error";
    case ErrorCode::timeout:
      return "Request timed out";
    case ErrorCode::response_too_large:
      return "Response too large";
    case ErrorCode::limit_exceeded:
      return "Limit exceeded";
  }
  return "Server error";  // a code that is not in the table, forwarded from elsewhere
}

}  // namespace fanfare::jsonrpc
