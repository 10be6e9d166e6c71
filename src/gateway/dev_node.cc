#include "gateway/dev_node.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/response.h"

namespace fanfare::gateway {

devchain::Options dev_options(const DevBackend& plan, std::uint64_t chain_id) {
  devchain::Options options;
  options.seed = plan.seed;
  options.chain_id = chain_id;
  options.block_time = plan.block_time;
  options.transactions_per_block_max = static_cast<unsigned>(plan.transactions_per_block);
  options.reorg_every_blocks = static_cast<unsigned>(plan.reorg_every_blocks);
  options.reorg_depth_max = static_cast<unsigned>(plan.reorg_depth_blocks);
  options.sync_blocks = static_cast<unsigned>(plan.sync_blocks);
  return options;
}

DevNode::DevNode(upstream::Worker& worker, const devchain::Options& options)
    : worker_(worker), chain_(options, system_clock().wall_now()) {
  advance();
}

DevNode::~DevNode() {
  worker_.cancel(timer_);
}

void DevNode::advance() {
  chain_.advance(worker_.now());
  timer_ = worker_.call_at(chain_.next_due(), [this] { advance(); });
}

void DevNode::call(std::string body, upstream::CallOptions, upstream::Done done) {
  // Never before call() has returned: callers may rely on it, as they can with a node behind a socket.
  worker_.post(
      [this, alive = std::weak_ptr(alive_), text = std::move(body), done = std::move(done)]() mutable {
        if (alive.expired()) {
          done(std::unexpected(
              upstream::Failure{.kind = upstream::FailureKind::shutdown, .message = "shutting down"}));
          return;
        }
        done(upstream::Reply{.body = answer(text)});
      });
}

std::string DevNode::answer(std::string_view body) {
  std::string out;
  const auto message = parser_.parse(body);
  if (!message) {
    jsonrpc::append_error(out, "null", message.error().code, message.error().message);
    return out;
  }
  if (!message->batch) {
    append_answer(out, message->requests.front());
    return out;
  }
  for (const jsonrpc::Request& request : message->requests) {
    out += out.empty() ? '[' : ',';
    append_answer(out, request);
  }
  return out + ']';
}

void DevNode::append_answer(std::string& out, const jsonrpc::Request& request) {
  const std::string_view id = request.id.empty() ? "null" : request.id;
  if (!request.fault.empty()) {
    return jsonrpc::append_error(out, id, jsonrpc::ErrorCode::invalid_request, request.fault);
  }
  const auto result = chain_.call(request.method, request.params);
  if (result) return jsonrpc::append_result(out, id, *result);
  const devchain::CallError& error = result.error();
  jsonrpc::append_error(out, id, static_cast<jsonrpc::ErrorCode>(error.code), error.message, error.data_json);
}

}  // namespace fanfare::gateway
