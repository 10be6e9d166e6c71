// What a client gets for a call that failed: never an address or the text of a library, and of a node's error only what
// JSON-RPC defines.

#include <string>
#include <string_view>

#include "base/log_limiter.h"
#include "gateway/forward.h"
#include "jsonrpc/response.h"

namespace fanfare::gateway {
namespace {

// The maximum length of a node's text in a log line.
constexpr std::size_t kDetailBytes = 256;

struct PublicError {
  jsonrpc::ErrorCode code;
  std::string_view message;
};

// The error for clients: never an address or the text of a library or a node. Those are for the log.
PublicError public_error(const upstream::Failure& failure) {
  using jsonrpc::ErrorCode;
  using upstream::FailureKind;
  switch (failure.kind) {
    case FailureKind::resolve:
    case FailureKind::connect:
    case FailureKind::tls:
    case FailureKind::closed:
      return {ErrorCode::internal, "upstream: the node could not be reached"};
    case FailureKind::timeout:
      return {ErrorCode::timeout, "upstream: the node did not answer in time"};
    case FailureKind::http_status:
      if (failure.http_status == 429)
        return {ErrorCode::limit_exceeded, "upstream: the node has too many requests"};
      return {ErrorCode::internal, "upstream: the node refused the request"};
    case FailureKind::too_large:
      return {ErrorCode::response_too_large, "upstream: the node's answer is too large"};
    case FailureKind::bad_reply:
      return {ErrorCode::internal, "upstream: the node's answer is not JSON-RPC"};
    case FailureKind::overloaded:
      return {ErrorCode::limit_exceeded,
              "too many calls wait in the gateway's queue for the node, try again later"};
    case FailureKind::no_room:
      return {ErrorCode::limit_exceeded, "upstream: there is no room for the answer"};
    case FailureKind::wrong_chain:
      return {ErrorCode::internal, "upstream: no node is known to be on this chain"};
    case FailureKind::behind:
      return {ErrorCode::internal, "upstream: no node has the block that was shown to this client"};
    case FailureKind::shutdown:
      return {ErrorCode::internal, "the gateway is shutting down"};
  }
  return {ErrorCode::internal, "upstream: no answer"};
}

void log_failure(const upstream::Failure& failure, std::string_view request_id) {
  static LogLimiter limiter(log::Level::warn, "upstream_call_failed");
  const log::Field kind("kind", upstream::to_string(failure.kind));
  const log::Field status("status", failure.http_status);
  const log::Field message("message", log::excerpt(failure.message, kDetailBytes));
  const log::Field body("body", log::excerpt(failure.body, kDetailBytes));
  if (request_id.empty()) return limiter.write({kind, status, message, body});
  limiter.write({kind, status, message, body, {"request_id", request_id}});
}

}  // namespace

void append_node_error(std::string& out, std::string_view id, std::string_view error_json) {
  const jsonrpc::ErrorObject error = jsonrpc::read_error(error_json);
  jsonrpc::append_error(out, id, static_cast<jsonrpc::ErrorCode>(error.code), error.message, error.data);
}

void append_failure(std::string& out, std::string_view id, const upstream::Failure& failure,
                    std::string_view request_id) {
  if (id.empty()) return;
  using upstream::FailureKind;
  if (failure.kind == FailureKind::no_room) return rpc::append_no_memory(out, id);
  if (failure.kind != FailureKind::shutdown) log_failure(failure, request_id);
  // A node may send a JSON-RPC error with an HTTP error status: its text is more precise than ours.
  if (const auto answer = jsonrpc::split_response(failure.body); answer && !answer->error.empty()) {
    return append_node_error(out, id, answer->error);
  }
  const PublicError error = public_error(failure);
  // It needs no escapes (trace/request_id.h).
  const std::string data =
      request_id.empty() ? std::string() : "{\"request_id\":\"" + std::string(request_id) + "\"}";
  jsonrpc::append_error(out, id, error.code, error.message, data);
}

}  // namespace fanfare::gateway
