#pragma once
// The built-in development chain as a backend: the same questions and answers as a node behind HTTP, in the
// same process. Lives on the worker's thread.

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
  // Worker thread. Blocks come from the first moment on.
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
  // Answers on their way back outlive a backend that is destroyed meanwhile.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The chain that a plan asks for.
devchain::Options dev_options(const DevBackend& plan, std::uint64_t chain_id);

}  // namespace fanfare::gateway
