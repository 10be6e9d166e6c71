#include "gateway/dev_node.h"

#include <algorithm>
#include <utility>

#include "gateway/local_answers.h"

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
  // Calls get their turn between two blocks, also on a machine that takes longer for a block than the block time.
  options.blocks_per_advance_max = 1;
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
  // Never before call() has returned: callers may rely on that, as with a node behind a socket.
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
  return answer_locally(
      parser_, body,
      [this](std::string_view method, std::string_view params) -> std::expected<std::string, LocalError> {
        auto result = chain_.call(method, params);
        if (result) return *std::move(result);
        devchain::CallError& error = result.error();
        return std::unexpected(LocalError{.code = error.code,
                                          .message = std::move(error.message),
                                          .data_json = std::move(error.data_json)});
      });
}

}  // namespace fanfare::gateway
