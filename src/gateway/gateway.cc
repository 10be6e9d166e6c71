#include "gateway/gateway.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <utility>

#include "base/byte_budget.h"
#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "gateway/admin_runtime.h"
#include "gateway/canvas_runtime.h"
#include "gateway/defend/defence.h"
#include "gateway/gateway_access.h"
#include "gateway/metrics.h"
#include "gateway/mounts.h"
#include "gateway/network_state.h"
#include "gateway/networks.h"
#include "gateway/observe/loop_watch.h"
#include "gateway/observe/watch.h"
#include "gateway/readiness.h"
#include "gateway/reload/closing.h"
#include "gateway/reload/site.h"
#include "gateway/rpc_service.h"
#include "gateway/server_settings.h"
#include "gateway/service_manager.h"
#include "gateway/stopping.h"
#include "gateway/stream_runtime.h"
#include "gateway/upgrade/listening_servers.h"
#include "gateway/upgrade/obstacle.h"
#include "gateway/view.h"
#include "server/listener.h"
#include "session/close_hint.h"
#include "session/server.h"

namespace fanfare::gateway {
namespace {

// For the clients of a network that is gone.
constexpr std::string_view kRemoved = "this network was removed from the configuration";

std::unexpected<Error> fail(Error::Kind kind, std::string message, int system_code = 0) {
  return std::unexpected(Error{.kind = kind, .message = std::move(message), .system_code = system_code});
}

}  // namespace

// Members are destroyed in reverse order: the workers stop before the loops they post to, and the loops
// before the networks their services refer to.
class Gateway::Impl {
 public:
  explicit Impl(ServePlan plan)
      : plan_(std::move(plan)),
        defence_(plan_.defence),
        settings_(session_settings(plan_.websocket, defence_)),
        budget_(held_bytes_max(plan_, defence_)),
        unfinished_(unfinished_bytes_max(plan_, defence_)),
        server_(server_options(plan_, settings_, unfinished_)) {
    SystemRandom().fill(salt_);
    if (plan_.streams) {
      streams_ = std::make_unique<StreamRuntime>(*plan_.streams, settings_, server_);
      metrics_.watch(streams_->catalog());
    }
    metrics_.watch(server_.gate());
    metrics_.watch(budget_, unfinished_);
    metrics_.watch(defence_.cells());
    metrics_.watch(watch_.cells());
    answers_ = {
        .ready = [this](std::string_view query) { return readiness(query, networks_now(), draining_); },
        .metrics = [this] { return metrics_text(); }};
  }

  ~Impl() { stop({}); }

  void accept_later() { accepts_later_ = true; }
  ListeningServers& listening() { return *listening_; }

  std::expected<void, Error> start() {
    std::vector<server::ListenerOptions> options;
    for (const ListenerPlan& listener : plan_.listeners) options.push_back(listener.at);
    auto prepared = server::Listeners::prepare(options);
    if (!prepared) {
      Error& error = prepared.error();
      error.message =
          (error.kind == Error::Kind::tls ? "cannot serve TLS: " : "cannot listen: ") + error.message;
      return std::unexpected(std::move(error));
    }
    listeners_ = *std::move(prepared);
    if (auto opened = watch_.start(); !opened) return fail(Error::Kind::system, opened.error());
    if (auto made = access_.start(plan_); !made) return fail(Error::Kind::system, made.error());
    if (plan_.canvas) {
      auto canvas = CanvasRuntime::open(*plan_.canvas, settings_, plan_.websocket.slow_timeout);
      if (!canvas) return fail(Error::Kind::system, "cannot open the canvas: " + canvas.error());
      canvas_ = *std::move(canvas);
      metrics_.watch(canvas_->rooms());
    }
    if (access_.gate() != nullptr) metrics_.watch(*access_.gate());
    set_view(plan_, networks_.make(plan_));
    make_admin();
    listening_.emplace(server_, admin_ == nullptr ? nullptr : &admin_->sockets());
    if (accepts_later_) listening_->accept_later();
    defence_.set_workers(networks_.workers().size());
    const auto started = server_.start(
        listeners_.all(),
        [this](session::LoopServer& server, std::size_t index) { return make_http_services(server, index); },
        [this] { begin_streams(); });
    if (!started) {
      return fail(Error::Kind::system, "cannot listen: " + started.error().message(), started.error().code);
    }
    running_ = true;
    if (admin_ != nullptr) {
      if (auto listening = admin_->start(); !listening) return listening;
    }
    defence_.start(
        {.server = server_, .workers = networks_.workers(), .held = budget_, .unfinished = unfinished_});
    networks_.start_new();
    return {};
  }

  std::vector<NetworkState> states() const {
    std::vector<NetworkState> states;
    for (const Network* const network : networks_now()) states.push_back(state_of(*network));
    return states;
  }

  // Everything that can fail comes first. From set_view() on nothing can.
  PlanDiff reload(const ServePlan& wanted) {
    PlanDiff diff = diff_plans(view()->plan, wanted);
    if (!diff.refusal.empty()) return diff;
    const ServePlan& plan = diff.result;
    Networks::OfPlan of_plan = networks_.find_or_make(plan);
    if (plan.access != nullptr) {
      const auto done = reload_access(plan);
      FANFARE_CHECK(done.has_value());  // the difference has what cannot be changed
    }
    log::set_level(plan.log_level);
    std::vector<LiveNetwork*> removed;
    set_view(plan, of_plan);
    for (std::size_t i = 0; i < server_.loop_count(); ++i) {
      server_.post(i, [this, i, view = view()](session::LoopServer& server) {
        LoopServices& services = *loop_services_[i];
        services.settings = session_settings(view->plan.websocket, defence_);
        update_networks(*view, services, server, i);
        for (std::size_t k = 0; k < sites_[i].size(); ++k) {
          sites_[i][k]->replace(make_router_of(view->plan.listeners[k], *view, services.shared_from_this()));
        }
      });
    }
    // Its tasks for the loops come after those above.
    networks_.change(plan, of_plan, removed);
    networks_.start_new();
    for (LiveNetwork* const live : removed)
      close_connections(*live, spread_of(plan, live->network.connections()));
    return diff;
  }

  std::vector<std::string> reload_certificates() const { return listeners_.reload_certificates(); }

  std::expected<void, std::string> reload_access(const ServePlan& plan) {
    auto before = access_.replace(plan);
    if (!before) return std::unexpected(std::move(before.error()));
    for (std::size_t i = 0; *before != nullptr && i < server_.loop_count(); ++i) {
      server_.post(i, [this, i, before = *before](session::LoopServer&) {
        loop_services_[i]->terms.check_again(*access_.gate());
      });
    }
    if (access_.gate() != nullptr) networks_.end_revoked_sessions(*access_.gate());
    return {};
  }

  void keep_cookie() { access_.keep_cookie(); }
  void reopen_access_log() { watch_.reopen_access_log(); }
  bool loops_live() {
    return pulse_.beat(server_.loop_count(), [this](const std::function<void()>& task) {
      for (std::size_t i = 0; i < server_.loop_count(); ++i) {
        server_.post(i, [task](session::LoopServer&) { task(); });
      }
    });
  }
  void answer_reloads(ReloadRequests& requests) { reloads_ = &requests; }
  void answer_upgrades(UpgradeRequests& requests) { upgrades_ = &requests; }
  std::vector<net::Address> admin_addresses() const {
    return admin_ == nullptr ? std::vector<net::Address>() : admin_->addresses();
  }

  StopTimes stop_times(bool is_replaced) const {
    return gateway::stop_times(plan(), server_.gate().connections(), is_replaced);
  }

  // For the spread of the deadline the connections are closed one after another.
  std::size_t stop(const StopTimes& times) {
    // A process that was replaced answers the last requests as if nothing had happened: the service goes on.
    draining_ = !times.is_replaced;
    if (times.is_replaced) listening_->give_up_paths();
    if (listening_) listening_->close_copies();
    access_.stop();
    std::size_t dropped = 0;
    if (std::exchange(running_, false)) {
      // The defence guards the memory of the connections that are open meanwhile.
      dropped = gateway::close_connections(server_, times, [this] { defence_.stop(); });
    }
    defence_.stop();
    // In parallel: each of them may take its whole stop_limit.
    networks_.begin_stop();
    if (streams_ != nullptr) streams_->begin_stop();
    networks_.stop();
    if (streams_ != nullptr) streams_->stop();
    // The last one: it tells how far the stop is.
    if (admin_ != nullptr) admin_->stop();
    return dropped;
  }

  bool is_draining() const { return draining_; }
  // The listeners are those of the start.
  const ServePlan& start_plan() const { return plan_; }
  void take_back_cookie() { access_.take_back_cookie(); }
  // From start() on.
  ServePlan plan() const { return view()->plan; }
  const session::Server& server() const { return server_; }

 private:
  void make_admin() {
    if (!plan_.admin) return;
    admin_ = std::make_unique<AdminRuntime>(
        *plan_.admin,
        AdminParts{.plan =
                       [this] {
                         const ViewPtr now = view();
                         return std::shared_ptr<const ServePlan>(now, &now->plan);
                       },
                   .server = server_,
                   .draining = draining_,
                   .for_each_network =
                       [this](const std::function<void(const AdminNetwork&)>& visit) {
                         const ViewPtr now = view();
                         for (std::size_t i = 0; i < now->networks.size(); ++i) {
                           LiveNetwork& live = *now->networks[i];
                           visit({.network = live.network,
                                  .plan = std::shared_ptr<const NetworkPlan>(now, &now->plan.networks[i]),
                                  .metrics = live.metrics,
                                  .observer = live.observer,
                                  .worker = live.worker});
                         }
                       },
                   .streams = streams_ == nullptr ? nullptr : &streams_->catalog(),
                   .canvas = canvas_ == nullptr ? nullptr : &canvas_->rooms(),
                   .reloads = reloads_,
                   .upgrades = upgrades_},
        access_.gate(), [this] { return metrics_text(); });
  }

  // Any thread; null before start().
  ViewPtr view() const {
    const std::scoped_lock lock(view_mutex_);
    return view_;
  }
  // In the plan's order.
  std::vector<const Network*> networks_now() const {
    std::vector<const Network*> all;
    const ViewPtr now = view();
    if (now == nullptr) return all;
    for (const LiveNetwork* const live : now->networks) all.push_back(&live->network);
    return all;
  }
  void set_view(const ServePlan& plan, const Networks::OfPlan& networks) {
    ViewPtr made = make_view(plan, networks);
    const std::scoped_lock lock(view_mutex_);
    view_ = std::move(made);
  }

  // On every loop, over the spread; then the network loses its nodes.
  void close_connections(LiveNetwork& live, Duration spread) {
    const std::uint64_t turn = live.turns;
    log::info("network_removed",
              {{"network", live.network.name()}, {"connections", live.network.connections()}});
    Closing::start(
        server_,
        [this, slot = live.slot](std::size_t loop) -> const session::Endpoint& {
          return *loop_services_[loop]->networks[slot];
        },
        ws::close_code::service_restart, kRemoved, spread, [&live, turn] { return live.turns == turn; },
        [&live, turn] { Networks::leave(live, turn); });
  }

  void begin_streams() {
    if (streams_ == nullptr) return;
    streams_->begin([this](std::size_t network) -> StreamRuntime::NetworkNode {
      LiveNetwork& live = *networks_.present()[network];
      return {.worker = live.worker,
              .backend = [&live]() -> upstream::Backend& { return live.network.backend(); }};
    });
  }

  // One mailbox entry per loop, whatever the number of subscribers.
  void publish(std::size_t slot, const Network::Events& events) {
    for (std::size_t i = 0; i < server_.loop_count(); ++i) {
      server_.post(i, [this, i, slot, events, told = system_clock().now()](session::LoopServer&) {
        loop_services_[i]->networks[slot]->publish(events, told);
      });
    }
  }

  session::Server::HttpServices make_http_services(session::LoopServer& server, std::size_t loop_index) {
    LoopGuard* const guard = defence_.add_loop();
    auto services =
        std::make_shared<LoopServices>(plan_.http.compression, server, loop_index, metrics_.compression());
    services->settings = settings_;
    services->guard = guard;
    LoopWatch* const watch = watch_.add_loop();
    server.sessions().set_session_watcher(watch);
    const ViewPtr view = this->view();
    update_networks(*view, *services, server, loop_index);
    if (streams_ != nullptr) services->streams = streams_->make_loop(server);
    if (canvas_ != nullptr) services->canvas = canvas_->make_loop(server);
    // Loops are started one after the other, so this needs no lock.
    loop_services_.push_back(services.get());
    std::vector<Site*>& sites = sites_.emplace_back();
    session::Server::HttpServices services_of_listeners;
    for (const ListenerPlan& listener : plan_.listeners) {
      auto site = std::make_unique<Site>(make_router_of(listener, *view, services), watch);
      sites.push_back(site.get());
      services_of_listeners.push_back(std::move(site));
    }
    return services_of_listeners;
  }

  std::unique_ptr<server::Router> make_router_of(const ListenerPlan& listener, const View& view,
                                                 std::shared_ptr<LoopServices> services) {
    LoopGuard* const guard = services->guard;
    return make_router(listener, {.plan = view.plan,
                                  .paths = view.paths,
                                  .answers = answers_,
                                  .observer = answer_counts_,
                                  .services = std::move(services),
                                  .gate = access_.gate(),
                                  .server = server_,
                                  .admin = admin_ ? &admin_->api() : nullptr,
                                  .is_draining = &draining_,
                                  .guard = guard,
                                  .slots = view.slots});
  }

  // Makes what the loop does not have for the plan's networks yet, and applies their rules.
  void update_networks(const View& view, LoopServices& services, session::LoopServer& server,
                       std::size_t loop_index) {
    for (std::size_t i = 0; i < view.networks.size(); ++i) {
      LiveNetwork& live = *view.networks[i];
      if (services.networks.size() <= live.slot) services.networks.resize(live.slot + 1);
      std::unique_ptr<RpcService>& service = services.networks[live.slot];
      if (service == nullptr) service = make_service(live, services, server, loop_index);
      service->set_rules(view.plan.networks[i]);
    }
  }

  std::unique_ptr<RpcService> make_service(LiveNetwork& live, LoopServices& services,
                                           session::LoopServer& server, std::size_t loop_index) {
    // Of the first plan: these limits cannot be changed.
    const RpcLimits limits{
        .calls = {.batch_items_max = plan_.answers.batch_items_max,
                  .batch_answer_bytes_max = plan_.answers.batch_answer_bytes_max,
                  .held_bytes_per_connection_max = plan_.answers.held_bytes_per_connection_max,
                  .notifications_behind_max = plan_.websocket.notifications_behind_max,
                  .slow_timeout = plan_.websocket.slow_timeout},
        .events = {.subscriptions_per_connection_max =
                       static_cast<std::uint32_t>(plan_.websocket.subscriptions_per_connection_max)}};
    return std::make_unique<RpcService>(services.settings, limits,
                                        RpcService::Context{.network = live.network,
                                                            .metrics = live.metrics,
                                                            .worker = live.worker,
                                                            .server = server,
                                                            .loop_index = loop_index,
                                                            .salt = salt_,
                                                            .budget = live.budget,
                                                            .compressor = services.compressor,
                                                            .terms = services.terms,
                                                            .gate = access_.gate(),
                                                            .guard = services.guard,
                                                            .worker_index = live.worker_index});
  }

  std::string metrics_text() {
    for (const ViewPtr view = this->view(); LiveNetwork* const live : view->networks) {
      live->metrics.ready.set(live->network.readiness().ready ? 1 : 0);
    }
    return metrics_.render(system_clock().now());
  }

  const ServePlan plan_;                     // of the start
  Watch watch_{plan_.observe};               // ended after all that it watches
  Defence defence_;                          // ended before what it watches
  const session::SessionSettings settings_;  // the same
  ByteBudget budget_;                        // of the process
  ByteBudget unfinished_;                    // messages and bodies that came in part
  eth::Salt salt_{};
  GatewayAccess access_;
  Metrics metrics_;
  AnswerCounts answer_counts_{metrics_};
  ProcessAnswers answers_;
  mutable std::mutex view_mutex_;  // guards view_
  ViewPtr view_;
  std::vector<LoopServices*> loop_services_;
  std::vector<std::vector<Site*>> sites_;  // of each loop, in the order of the listeners
  Networks networks_{metrics_, budget_,
                     [this](std::size_t slot, const Network::Events& events) { publish(slot, events); }};
  std::unique_ptr<StreamRuntime> streams_;  // null: the plan has none. Its loops end before it
  std::unique_ptr<CanvasRuntime> canvas_;   // null: the plan has none. Its loops end before it
  server::Listeners listeners_;             // from start() on
  session::Server server_;
  Pulse pulse_;
  ReloadRequests* reloads_ = nullptr;    // null: nobody handles them
  UpgradeRequests* upgrades_ = nullptr;  // the same
  std::unique_ptr<AdminRuntime> admin_;  // null: the plan has none
  bool accepts_later_ = false;
  std::optional<ListeningServers> listening_;  // from start() on
  bool running_ = false;
  std::atomic<bool> draining_ = false;
};

Gateway::Gateway(ServePlan plan) : impl_(std::make_unique<Impl>(std::move(plan))) {}
Gateway::~Gateway() = default;
std::expected<void, Error> Gateway::start() {
  return impl_->start();
}
const std::vector<net::Address>& Gateway::addresses() const {
  return impl_->server().addresses();
}
std::size_t Gateway::loop_count() const {
  return impl_->server().loop_count();
}
std::string_view Gateway::loop_name() const {
  return impl_->server().loop_name();
}
std::vector<NetworkState> Gateway::states() const {
  return impl_->states();
}
std::vector<std::string> Gateway::reload_certificates() {
  return impl_->reload_certificates();
}
std::expected<void, std::string> Gateway::reload_access(const ServePlan& plan) {
  return impl_->reload_access(plan);
}
PlanDiff Gateway::reload(const ServePlan& wanted) {
  return impl_->reload(wanted);
}
void Gateway::answer_reloads(ReloadRequests& requests) {
  impl_->answer_reloads(requests);
}
void Gateway::answer_upgrades(UpgradeRequests& requests) {
  impl_->answer_upgrades(requests);
}
std::vector<net::Address> Gateway::admin_addresses() const {
  return impl_->admin_addresses();
}
bool Gateway::loops_live() {
  return impl_->loops_live();
}
void Gateway::reopen_access_log() {
  impl_->reopen_access_log();
}
void Gateway::keep_cookie() {
  impl_->keep_cookie();
}
StopTimes Gateway::stop_times(bool is_replaced) const {
  return impl_->stop_times(is_replaced);
}
std::size_t Gateway::stop(const StopTimes& times) {
  return impl_->stop(times);
}
std::size_t Gateway::stop(Duration deadline) {
  return impl_->stop({.deadline = deadline});
}
void Gateway::accept_later() {
  impl_->accept_later();
}
void Gateway::begin_accepting() {
  impl_->listening().begin_accepting();
}
std::string Gateway::upgrade_obstacle() const {
  return gateway::upgrade_obstacle(impl_->plan(), impl_->is_draining());
}
std::expected<std::vector<PassedSocket>, std::string> Gateway::copy_sockets() {
  return impl_->listening().copy(impl_->start_plan());
}
bool Gateway::stop_accepting() {
  return impl_->listening().stop_accepting();
}
void Gateway::accept_again() {
  impl_->listening().accept_again();
  impl_->take_back_cookie();
}
Duration Gateway::upgrade_timeout() const {
  return impl_->plan().upgrade_timeout;
}

}  // namespace fanfare::gateway
