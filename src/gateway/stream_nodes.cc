#include "gateway/stream_nodes.h"

#include <utility>

#include "jsonrpc/response.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kId = "1";

streams::Node::Result result_of(const upstream::Result& answer) {
  if (!answer) return std::unexpected(words_for(answer.error()));
  if (answer->body.size() > kStreamAnswerBytesMax) return std::unexpected("the node's answer is too long");
  const auto response = jsonrpc::split_response(answer->body);
  if (!response || response->is_notification()) return std::unexpected("the node's answer is not JSON-RPC");
  if (response->result.empty()) {
    return std::unexpected("the node answered with error " +
                           std::to_string(jsonrpc::read_error(response->error).code));
  }
  return std::string(response->result);
}

}  // namespace

std::string words_for(const upstream::Failure& failure) {
  using upstream::FailureKind;
  switch (failure.kind) {
    case FailureKind::resolve:
    case FailureKind::connect:
    case FailureKind::tls:
      return "the node cannot be reached";
    case FailureKind::timeout:
      return "the node does not answer in time";
    case FailureKind::closed:
      return "the connection to the node was lost";
    case FailureKind::http_status:
      return "the node answered with HTTP status " + std::to_string(failure.http_status);
    case FailureKind::too_large:
      return "the node's answer is too long";
    case FailureKind::bad_reply:
      return "the node's answer is not JSON-RPC";
    case FailureKind::overloaded:
    case FailureKind::no_room:
      return "too many calls wait for the node";
    case FailureKind::behind:
      return "the node lags behind";
    case FailureKind::wrong_chain:
      return "the node is on another chain";
    case FailureKind::shutdown:
      return "the server is stopping";
  }
  return "the node does not answer";
}

// As a client of its own in the queue in front of the node: streams never delay the calls that follow the chain, and
// other clients do not delay streams by more than their share.
void StreamNode::call(const streams::CallSpec& call, Done done) {
  std::string body;
  jsonrpc::append_request(body, kId, call.method, call.params);
  upstream::CallOptions options;
  options.caller.client = "streams";
  options.method = call.method;
  options.repeat = upstream::Repeat::always;
  options.id = kId;
  backend_.call(std::move(body), std::move(options),
                [done = std::move(done)](upstream::Result answer) mutable { done(result_of(answer)); });
}

}  // namespace fanfare::gateway
