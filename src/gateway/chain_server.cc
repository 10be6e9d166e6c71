// fanfare::ChainServer: a gateway of two ports in front of a chain in the same process.

#include <utility>

#include "fanfare/chain.h"
#include "gateway/chain_hooks.h"
#include "gateway/gateway.h"

namespace fanfare {
namespace {

using gateway::ChainHooks;

// How much a stopping server waits for its clients.
constexpr Duration kStopPatience = std::chrono::seconds(5);

gateway::LocalMethod local_method(CallHandler answer) {
  return [answer = std::move(answer)](
             std::string_view method,
             std::string_view params) -> std::expected<std::string, gateway::LocalError> {
    CallResult result = answer(method, params);
    if (result) return *std::move(result);
    CallError& error = result.error();
    return std::unexpected(gateway::LocalError{
        .code = error.code, .message = std::move(error.message), .data_json = std::move(error.data_json)});
  };
}

gateway::ServePlan plan_of(const ChainOptions& options, std::shared_ptr<ChainHooks> hooks) {
  std::optional<gateway::TlsPlan> tls;
  if (options.tls) {
    tls = gateway::TlsPlan{.certificate_file = options.tls->certificate_file,
                           .key_file = options.tls->key_file};
  }
  gateway::ServePlan plan;
  plan.listeners = {
      {.host = options.host, .port = options.http_port, .surface = gateway::Surface::rpc_http, .tls = tls},
      {.host = options.host,
       .port = options.websocket_port,
       .surface = gateway::Surface::rpc_websocket,
       .tls = tls}};
  plan.websocket.connections_per_network_max = options.connections_max;
  plan.websocket.subscriptions_per_connection_max = options.subscriptions_per_connection_max;
  plan.websocket.ping_interval = options.heartbeat.ping_interval;
  plan.websocket.pong_timeout = options.heartbeat.pong_timeout;
  gateway::NetworkPlan network{.chain_id = options.chain_id,
                               .backend = gateway::HookBackend{.hooks = std::move(hooks)}};
  network.poll.reorg_window_blocks = options.window_blocks;
  plan.networks = {std::move(network)};
  plan.shutdown_timeout = kStopPatience;
  plan.loops = options.threads;
  return plan;
}

}  // namespace

class ChainServer::Impl {
 public:
  Impl(const ChainOptions& options, CallHandler answer)
      : hooks_(std::make_shared<ChainHooks>(local_method(std::move(answer)), options.window_blocks)),
        gateway_(plan_of(options, hooks_)) {}

  std::expected<void, Error> start() {
    if (started_) return std::unexpected(Error{.kind = Error::Kind::wrong_state, .message = "started twice"});
    if (auto started = gateway_.start(); !started) {
      return std::unexpected(Error{.kind = Error::Kind::system, .message = std::move(started.error())});
    }
    started_ = true;
    return {};
  }
  void stop() { gateway_.stop(); }
  std::string address(std::size_t listener) const { return gateway_.addresses().at(listener).text(); }
  ChainHooks& hooks() { return *hooks_; }

 private:
  std::shared_ptr<ChainHooks> hooks_;  // outlives the gateway
  gateway::Gateway gateway_;
  bool started_ = false;
};

ChainServer::ChainServer(const ChainOptions& options, CallHandler answer)
    : impl_(std::make_unique<Impl>(options, std::move(answer))) {}
ChainServer::~ChainServer() = default;

Expected<void, Error> ChainServer::start() {
  return impl_->start();
}
void ChainServer::stop() {
  impl_->stop();
}
std::string ChainServer::http_address() const {
  return impl_->address(0);
}
std::string ChainServer::websocket_address() const {
  return impl_->address(1);
}
void ChainServer::on_new_block(std::string_view block_json) {
  impl_->hooks().new_block(std::string(block_json));
}
void ChainServer::on_logs(std::string_view logs_json) {
  impl_->hooks().logs(std::string(logs_json));
}
void ChainServer::on_pending_transaction(std::string_view hash) {
  impl_->hooks().pending(std::string(hash));
}
void ChainServer::on_sync_status(std::string_view status_json) {
  impl_->hooks().sync_status(std::string(status_json));
}

}  // namespace fanfare
