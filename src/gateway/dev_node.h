#pragma once
// The built-in development chain as an in-process backend, with the calls and answers of a node behind HTTP.
// Lives on the worker's thread.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "devchain/devchain.h"
#include "gateway/serve_plan.h"
#include "jsonrpc/request.h"
#include "upstream/backend.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

class DevNode final : public upstream::Backend {
 public:
  // Worker thread. Begins to produce blocks at once.
  DevNode(upstream::Worker& worker, const devchain::Options& options);
  ~DevNode() override;

  void call(std::string body, upstream::CallOptions options, upstream::Done done) override;
  std::string_view name() const override { return "devchain"; }

 private:
  void advance();
  std::string answer(std::string_view body);

  upstream::Worker& worker_;
  devchain::DevChain chain_;
  jsonrpc::Parser parser_;
  upstream::TimerId timer_;
  // Pending answers may outlive the backend.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The options of the chain in a plan.
devchain::Options dev_options(const DevBackend& plan, std::uint64_t chain_id);

}  // namespace fanfare::gateway
