#pragma once
// A listener of the gateway on one loop: its plan's mounts as mounts of a router.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/answer_compressor.h"
#include "gateway/metrics.h"
#include "gateway/rpc_service.h"
#include "gateway/serve_plan.h"
#include "server/router.h"

namespace fanfare::gateway {

// What all ports of one loop share.
struct LoopServices {
  LoopServices(const AnswerCompression& compression, session::LoopServer& server, CompressionCells& cells)
      : compressor(compression, server, cells) {}

  AnswerCompressor compressor;
  std::vector<std::unique_ptr<RpcService>> networks;  // in the plan's order
};

// What the whole process answers, whoever asks. Any thread.
struct ProcessAnswers {
  std::function<session::HttpResponse(std::string_view query)> ready;
  std::function<std::string()> metrics;
};

// Which network of a plan a path names. One table is shared by every loop.
class NetworkPaths {
 public:
  // The plan's networks that have a chain id.
  explicit NetworkPaths(const ServePlan& plan);

  struct Found {
    std::optional<std::size_t> network;  // index in ServePlan::networks
    std::string_view missing;            // without one: why, for a person. Static.
  };
  // A chain id is decimal without leading zeros: one network has one URL.
  Found find(std::string_view project, std::string_view chain_id) const;

 private:
  std::map<std::string, std::map<std::uint64_t, std::size_t>, std::less<>> networks_;
};

// Everything referred to outlives the router; it shares the services.
struct RouterContext {
  const ServePlan& plan;
  const NetworkPaths& paths;
  const ProcessAnswers& answers;
  server::RouterObserver& observer;
  std::shared_ptr<LoopServices> services;
};
std::unique_ptr<server::Router> make_router(const ListenerPlan& listener, const RouterContext& context);

// Counts what every port answers.
class AnswerCounts final : public server::RouterObserver {
 public:
  explicit AnswerCounts(Metrics& metrics) : metrics_(metrics) {}
  void on_answered(int status) override { metrics_.http_answered(status); }
  void on_turn_share_spent() override { metrics_.http_turn_share_spent(); }

 private:
  Metrics& metrics_;
};

}  // namespace fanfare::gateway
