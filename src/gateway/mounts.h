#pragma once
// A listener of the gateway on one loop: turns its plan's mounts into mounts of a router.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/answer_compressor.h"
#include "gateway/metrics.h"
#include "gateway/network_paths.h"
#include "gateway/rpc_service.h"
#include "gateway/serve_plan.h"
#include "server/router.h"
#include "session/server.h"
#include "streamserver/loop_streams.h"

namespace fanfare::canvasserver {
class LoopRooms;
}  // namespace fanfare::canvasserver

namespace fanfare::admin {
class Api;
}  // namespace fanfare::admin

namespace fanfare::gateway {

class LoopWatch;

// The objects that all ports of one loop share.
struct LoopServices : std::enable_shared_from_this<LoopServices> {
  LoopServices(const AnswerCompression& compression, session::LoopServer& server, std::size_t loop_index,
               CompressionCells& cells)
      : loop(server.loop(), loop_index), terms(server.loop()), compressor(compression, server, cells) {}

  session::SessionSettings settings;  // of the networks' sessions; a reload changes it
  LoopGuard* guard = nullptr;         // null: new work is always taken on
  LoopWatch* watch = nullptr;         // null: nothing is ever recorded
  server::LoopContext loop;
  CredentialTerms terms;
  AnswerCompressor compressor;
  std::vector<std::unique_ptr<RpcService>> networks;   // by LiveNetwork::slot
  std::shared_ptr<streamserver::LoopStreams> streams;  // null: the plan has none
  std::shared_ptr<canvasserver::LoopRooms> canvas;
};

// Answers of the whole process, the same for every caller. Any thread.
struct ProcessAnswers {
  std::function<session::HttpResponse(std::string_view query)> ready;
  std::function<std::string()> metrics;
};

// Everything referred to must outlive the router, except the plan; it shares the paths and the services.
struct RouterContext {
  const ServePlan& plan;
  std::shared_ptr<const NetworkPaths> paths;
  const ProcessAnswers& answers;
  server::RouterObserver& observer;
  std::shared_ptr<LoopServices> services;
  AccessGate* gate = nullptr;                      // null: no access control
  session::Server& server;                         // whose loop it is
  admin::Api* admin = nullptr;                     // null: the plan has none
  const std::atomic<bool>* is_draining = nullptr;  // server::RouterOptions
  LoopGuard* guard = nullptr;                      // null: new work is always taken on
  // The slots of the plan's networks, as for NetworkPaths.
  std::vector<std::size_t> slots = {};
};
std::unique_ptr<server::Router> make_router(const ListenerPlan& listener, const RouterContext& context);

// Counts the answers of all ports.
class AnswerCounts final : public server::RouterObserver {
 public:
  explicit AnswerCounts(Metrics& metrics) : metrics_(metrics) {}
  void on_answered(int status) override { metrics_.http_answered(status); }
  void on_turn_share_spent() override { metrics_.http_turn_share_spent(); }

 private:
  Metrics& metrics_;
};

}  // namespace fanfare::gateway
