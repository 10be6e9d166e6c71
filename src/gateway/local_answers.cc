#include "gateway/local_answers.h"

#include "jsonrpc/response.h"

namespace fanfare::gateway {
namespace {

void append_answer(std::string& out, const jsonrpc::Request& request, const LocalMethod& method) {
  const std::string_view id = request.id.empty() ? "null" : request.id;
  if (!request.fault.empty()) {
    return jsonrpc::append_error(out, id, jsonrpc::ErrorCode::invalid_request, request.fault);
  }
  const auto result = method(request.method, request.params);
  if (result) return jsonrpc::append_result(out, id, *result);
  const LocalError& error = result.error();
  jsonrpc::append_error(out, id, static_cast<jsonrpc::ErrorCode>(error.code), error.message, error.data_json);
}

}  // namespace

std::string answer_locally(jsonrpc::Parser& parser, std::string_view text, const LocalMethod& method) {
  std::string out;
  const auto message = parser.parse(text);
  if (!message) {
    jsonrpc::append_error(out, "null", message.error().code, message.error().message);
    return out;
  }
  if (!message->batch) {
    append_answer(out, message->requests.front(), method);
    return out;
  }
  for (const jsonrpc::Request& request : message->requests) {
    out += out.empty() ? '[' : ',';
    append_answer(out, request, method);
  }
  return out + ']';
}

}  // namespace fanfare::gateway
