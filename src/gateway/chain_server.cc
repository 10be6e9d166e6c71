// fanfare::ChainServer: a gateway with two ports in front of an in-process chain.

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "api/border.h"
#include "api/option_check.h"
#include "api/settings.h"
#include "base/check.h"
#include "base/log.h"
#include "fanfare/chain.h"
#include "gateway/chain_hooks.h"
#include "gateway/gateway.h"
#include "gateway/method_rules.h"
#include "gateway/mount_plans.h"
#include "server/browser_rules.h"

namespace fanfare {
namespace {

using gateway::ChainHooks;

// How long a stopping server waits for its clients.
constexpr Duration kStopPatience = std::chrono::seconds(5);

// The server whose handler runs on this thread; null: none.
thread_local const void* answering_for = nullptr;

gateway::LocalMethod local_method(CallHandler answer, const void* server) {
  return [answer = std::move(answer), server](
             std::string_view method,
             std::string_view params) -> std::expected<std::string, gateway::LocalError> {
    answering_for = server;
    CallResult result = Unexpected(CallError{.message = "internal error"});
    api::call_handler("chain call", [&] { result = answer(method, params); });
    answering_for = nullptr;
    if (result) return *std::move(result);
    CallError& error = result.error();
    return std::unexpected(gateway::LocalError{
        .code = error.code, .message = std::move(error.message), .data_json = std::move(error.data_json)});
  };
}

gateway::ServePlan plan_of(const ChainOptions& options, std::shared_ptr<ChainHooks> hooks) {
  std::optional<net::TlsServerOptions> tls;
  if (options.tls) tls = api::to_engine(*options.tls);
  gateway::ServePlan plan;
  plan.listeners = {{.at = {.host = options.host, .port = options.http_port, .tls = tls},
                     .mounts = gateway::http_port_mounts(true)},
                    {.at = {.host = options.host, .port = options.websocket_port, .tls = tls},
                     .socket_name = "websocket",
                     .mounts = gateway::websocket_port_mounts()}};
  plan.websocket.connections_per_network_max = options.connections_max;
  plan.websocket.subscriptions_per_connection_max = options.subscriptions_per_connection_max;
  plan.websocket.ping_interval = options.heartbeat.ping_interval;
  plan.websocket.pong_timeout = options.heartbeat.pong_timeout;
  gateway::NetworkPlan network{.chain_id = options.chain_id,
                               .backend = gateway::HookBackend{.hooks = std::move(hooks)}};
  network.poll.reorg_window_blocks = options.window_blocks;
  network.methods = {.allow = options.allowed_methods, .deny = options.denied_methods};
  plan.networks = {std::move(network)};
  plan.browsers = {.hosts = options.allowed_hosts, .origins = options.allowed_origins};
  plan.shutdown_timeout = kStopPatience;
  plan.loops = options.threads;
  return plan;
}

std::optional<std::string> find_wrong_pattern(const ChainOptions& options) {
  const auto find_in = [](std::string_view name, const std::vector<std::string>& patterns,
                          bool (*is_valid)(std::string_view),
                          std::string_view expected) -> std::optional<std::string> {
    const auto wrong = std::ranges::find_if_not(patterns, is_valid);
    if (wrong == patterns.end()) return std::nullopt;
    return std::string(name) + ": \"" + log::excerpt(*wrong, 64) + "\" is not " + std::string(expected);
  };
  using namespace gateway;
  using namespace server;
  if (auto wrong = find_in("allowed_hosts", options.allowed_hosts, is_host_pattern, kHostPatternExpected)) {
    return wrong;
  }
  if (auto wrong =
          find_in("allowed_origins", options.allowed_origins, is_origin_pattern, kOriginPatternExpected)) {
    return wrong;
  }
  if (auto wrong =
          find_in("allowed_methods", options.allowed_methods, is_method_pattern, kMethodPatternExpected)) {
    return wrong;
  }
  return find_in("denied_methods", options.denied_methods, is_method_pattern, kMethodPatternExpected);
}

}  // namespace

class ChainServer::Impl {
 public:
  Impl(const ChainOptions& options, CallHandler answer)
      : options_(api::saturated(options)),
        has_handler_(answer != nullptr),
        hooks_(std::make_shared<ChainHooks>(local_method(std::move(answer), this), options_.window_blocks)) {}
  ~Impl() { stop(Duration::zero()); }

  std::expected<void, Error> start() {
    const std::scoped_lock lock(mutex_);
    if (state_ != State::idle) {
      return std::unexpected(Error{.kind = Error::Kind::wrong_state, .message = "a server starts once"});
    }
    if (auto wrong = find_wrong()) {
      return std::unexpected(Error{.kind = Error::Kind::bad_option, .message = *std::move(wrong)});
    }
    auto gateway = std::make_unique<gateway::Gateway>(plan_of(options_, hooks_));
    if (auto started = gateway->start(); !started) return started;
    for (const net::Address& address : gateway->addresses()) addresses_.push_back(address.text());
    gateway_ = std::move(gateway);
    state_ = State::running;
    return {};
  }

  void stop(Duration patience) {
    if (answering_for == this) {
      log::error("chain_server_stopped_in_its_handler",
                 {{"problem", "stop() waits for the handler to return"},
                  {"expected", "another thread calls stop()"}});
    }
    FANFARE_CHECK(answering_for != this);
    {
      std::unique_lock lock(mutex_);
      // The first caller stops it.
      stopped_.wait(lock, [this] { return state_ != State::stopping; });
      if (state_ != State::running) return;
      state_ = State::stopping;
      addresses_.clear();
    }
    gateway_->stop(patience);
    {
      const std::scoped_lock lock(mutex_);
      state_ = State::stopped;
    }
    stopped_.notify_all();
  }

  std::string address(std::size_t listener) const {
    const std::scoped_lock lock(mutex_);
    return listener < addresses_.size() ? addresses_[listener] : "";
  }
  ChainHooks& hooks() { return *hooks_; }
  const ChainHooks& hooks() const { return *hooks_; }

 private:
  enum class State : std::uint8_t { idle, running, stopping, stopped };

  std::optional<std::string> find_wrong() const {
    if (!has_handler_) return "the handler of calls: not empty";
    if (auto wrong = api::find_wrong_option(options_)) return wrong;
    return find_wrong_pattern(options_);
  }

  const ChainOptions options_;
  const bool has_handler_;
  const std::shared_ptr<ChainHooks> hooks_;    // outlives the gateway
  std::unique_ptr<gateway::Gateway> gateway_;  // set by start(), and used by the thread that stops it

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable stopped_;
  State state_ = State::idle;
  std::vector<std::string> addresses_;  // while it runs
};

ChainServer::ChainServer(const ChainOptions& options, CallHandler answer)
    : impl_(std::make_unique<Impl>(options, std::move(answer))) {}
ChainServer::~ChainServer() = default;

Expected<void, Error> ChainServer::start() {
  return impl_->start();
}
void ChainServer::stop() {
  impl_->stop(kStopPatience);
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
std::uint64_t ChainServer::unreadable_hook_values() const {
  return impl_->hooks().unreadable();
}

}  // namespace fanfare
