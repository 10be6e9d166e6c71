#include "gateway/gateway.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "base/byte_budget.h"
#include "base/log.h"
#include "base/random.h"
#include "gateway/admin_runtime.h"
#include "gateway/canvas_runtime.h"
#include "gateway/defend/defence.h"
#include "gateway/gateway_access.h"
#include "gateway/metrics.h"
#include "gateway/mounts.h"
#include "gateway/network.h"
#include "gateway/rpc_service.h"
#include "gateway/stream_runtime.h"
#include "gateway/upstream_observer.h"
#include "gateway/upstream_threads.h"
#include "http/target.h"
#include "server/listener.h"
#include "session/server.h"
#include "session/stop_spread.h"
#include "upstream/worker.h"

namespace fanfare::gateway {
namespace {

// The number of idle connections to nodes kept by all threads, and the minimum of one thread.
constexpr std::size_t kIdleConnectionsMax = 256;
constexpr std::size_t kIdleConnectionsOfThreadMin = 32;

// A client with more unsent bytes than this is behind: it gets no further answers until it has read them.
constexpr std::size_t kOutboxBytesHigh = std::size_t{1} << 20;

// The rate below which a message that has come in part is not waited for.
constexpr std::uint32_t kMessageBytesPerSecond = 1024;

// The reason in the Close frames of a stop.
constexpr std::string_view kRestarting = "the gateway is restarting";

// The parts of the memory ceiling that these limits may have at most, for processes with little memory.
constexpr std::uint32_t kHeldPercent = 40;
constexpr std::uint32_t kUnfinishedPercent = 20;
constexpr std::uint32_t kOutboxPercent = 20;  // of one connection

session::SessionSettings session_settings(const WebSocketSettings& plan, const Defence& defence) {
  session::SessionSettings settings;
  settings.limits.message_bytes_max = plan.message_bytes_max;
  settings.ping_interval = plan.ping_interval;
  settings.pong_timeout = plan.pong_timeout;
  settings.outbox_bytes_max = defence.at_most(plan.outbox_bytes_max, kOutboxPercent);
  settings.outbox_bytes_high = std::min(kOutboxBytesHigh, settings.outbox_bytes_max / 4);
  settings.limits.fragments_max = plan.fragments_max;
  settings.frames_per_turn_max = plan.frames_per_turn_max;
  settings.bytes_per_turn_max = plan.bytes_per_turn_max;
  settings.idle_timeout = plan.idle_timeout;
  settings.message_timeout = plan.message_timeout;
  if (plan.message_timeout > Duration::zero()) settings.message_bytes_per_second_min = kMessageBytesPerSecond;
  return settings;
}

// Heartbeats and deadlines are accurate to a quarter of the shortest of them.
Duration sweep_interval(const session::SessionSettings& settings, const HttpSettings& http) {
  Duration shortest = std::min({settings.close_timeout, settings.pong_timeout, http.handshake_timeout});
  for (const Duration optional : {settings.ping_interval, settings.idle_timeout, settings.message_timeout}) {
    if (optional > Duration::zero()) shortest = std::min(shortest, optional);
  }
  return std::clamp<Duration>(shortest / 4, std::chrono::milliseconds(10), std::chrono::seconds(1));
}

session::ServerOptions server_options(const ServePlan& plan, const session::SessionSettings& settings,
                                      ByteBudget& unfinished) {
  session::ServerOptions options;
  options.loops = plan.loops;
  options.loop.kind = plan.loop_kind;
  options.loop.receive_buffer_bytes =
      std::max(plan.websocket.read_buffer_bytes, options.loop.receive_buffer_bytes);
  options.loop_server.http.body_bytes_max = plan.http.body_bytes_max;
  options.loop_server.http.head_bytes_max = plan.http.head_bytes_max;
  options.loop_server.http.header_count_max = plan.http.header_count_max;
  options.loop_server.http.handshake_timeout = plan.http.handshake_timeout;
  // One deadline for the start of a connection: TLS has no shorter one of its own.
  options.loop_server.http.tls_timeout = plan.http.handshake_timeout;
  options.accept.connections_max = plan.accept.connections_max;
  options.accept.per_address.connections_max = plan.accept.connections_per_address_max;
  options.accept.per_address.connections_per_second = plan.accept.connections_per_second_per_address;
  options.accept.per_address.exempts_loopback = !plan.accept.limits_loopback;
  // The configured limit applies to all loops together; a single loop has none.
  options.loop_server.connections_max = std::numeric_limits<std::size_t>::max();
  options.loop_server.unfinished_input = &unfinished;
  options.loop_server.keeps_facts = plan.admin.has_value();
  options.loop_server.sweep_interval = sweep_interval(settings, plan.http);
  return options;
}

bool has_several_projects(const ServePlan& plan) {
  return std::ranges::any_of(plan.networks, [&](const NetworkPlan& network) {
    return network.project != plan.networks.front().project;
  });
}

std::size_t process_budget(const ServePlan& plan) {
  const AnswerPlan& answers = plan.answers;
  return has_several_projects(plan) ? answers.held_bytes_max
                                    : std::min(answers.held_bytes_max, answers.held_bytes_per_project_max);
}

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
        paths_(plan_),
        defence_(plan_.defence),
        settings_(session_settings(plan_.websocket, defence_)),
        budget_(defence_.at_most(process_budget(plan_), kHeldPercent)),
        unfinished_(defence_.at_most(plan_.answers.unfinished_bytes_max, kUnfinishedPercent)),
        server_(server_options(plan_, settings_, unfinished_)) {
    SystemRandom().fill(salt_);
    if (plan_.streams) {
      streams_ = std::make_unique<StreamRuntime>(*plan_.streams, settings_, server_);
      metrics_.watch(streams_->catalog());
    }
    metrics_.watch(server_.gate());
    metrics_.watch(budget_, unfinished_);
    metrics_.watch(defence_.cells());
    answers_ = {.ready = [this](std::string_view query) { return ready(query); },
                .metrics = [this] { return metrics_text(); }};
  }

  ~Impl() { stop(Duration::zero(), Duration::zero()); }

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
    if (auto made = access_.start(plan_); !made) return fail(Error::Kind::system, made.error());
    if (plan_.canvas) {
      auto canvas = CanvasRuntime::open(*plan_.canvas, settings_, plan_.websocket.slow_timeout);
      if (!canvas) return fail(Error::Kind::system, "cannot open the canvas: " + canvas.error());
      canvas_ = *std::move(canvas);
      metrics_.watch(canvas_->rooms());
    }
    if (access_.gate() != nullptr) metrics_.watch(*access_.gate());
    start_workers();
    make_budgets();
    for (const NetworkPlan& network : plan_.networks) add_network(network);
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      worker_of(i).run([&network = *networks_[i]] { network.prepare(); });
    }
    make_admin();
    defence_.set_workers(workers_.size());
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
    defence_.start({.server = server_, .workers = worker_list(), .held = budget_, .unfinished = unfinished_});
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      worker_of(i).post([&network = *networks_[i]] { network.start(); });
    }
    return {};
  }

  std::vector<NetworkState> states() const {
    std::vector<NetworkState> states;
    for (const auto& network : networks_) states.push_back(state_of(*network));
    return states;
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
    return {};
  }

  void keep_cookie() { access_.keep_cookie(); }
  void answer_reloads(ReloadRequests& requests) { reloads_ = &requests; }
  std::vector<net::Address> admin_addresses() const {
    return admin_ == nullptr ? std::vector<net::Address>() : admin_->addresses();
  }

  // For `spread` of the deadline the connections are closed one after another.
  std::size_t stop(Duration deadline, Duration spread) {
    draining_ = true;
    defence_.stop();
    std::size_t dropped = 0;
    access_.stop();
    if (std::exchange(running_, false)) {
      // The shutdown after the clients also has its time within the deadline.
      const Duration of_workers = std::min<Duration>(upstream::WorkerOptions{}.stop_limit, deadline / 4);
      const Instant until = system_clock().now() + (deadline - of_workers);
      if (spread > Duration::zero()) {
        session::StopSpread::run(server_, ws::close_code::service_restart, kRestarting,
                                 std::min(spread, deadline - of_workers), deadline - of_workers);
      }
      dropped = server_.stop(ws::close_code::service_restart, kRestarting,
                             std::max<Duration>(until - system_clock().now(), Duration::zero()));
    }
    // In parallel: each of them may take its whole stop_limit.
    for (const auto& worker : workers_) worker->begin_stop();
    if (streams_ != nullptr) streams_->begin_stop();
    for (const auto& worker : workers_) worker->stop();
    if (streams_ != nullptr) streams_->stop();
    // The last one: it tells how far the stop is.
    if (admin_ != nullptr) admin_->stop();
    return dropped;
  }

  const ServePlan& plan() const { return plan_; }
  const session::Server& server() const { return server_; }

 private:
  void make_admin() {
    if (!plan_.admin) return;
    admin_ = std::make_unique<AdminRuntime>(
        *plan_.admin,
        AdminParts{.plan = plan_,
                   .server = server_,
                   .draining = draining_,
                   .for_each_network =
                       [this](const std::function<void(const AdminNetwork&)>& visit) {
                         for (std::size_t i = 0; i < networks_.size(); ++i) {
                           visit({*networks_[i], *network_metrics_[i], *observers_[i], worker_of(i)});
                         }
                       },
                   .streams = streams_ == nullptr ? nullptr : &streams_->catalog(),
                   .canvas = canvas_ == nullptr ? nullptr : &canvas_->rooms(),
                   .reloads = reloads_},
        access_.gate(), [this] { return metrics_text(); });
  }

  void start_workers() {
    std::vector<std::string_view> projects;
    for (const NetworkPlan& network : plan_.networks) projects.push_back(network.project);
    thread_of_network_ = share_threads(projects, plan_.upstream_threads_max);
    const std::size_t threads =
        thread_of_network_.empty() ? 0 : *std::ranges::max_element(thread_of_network_) + 1;
    for (std::size_t i = 0; i < threads; ++i) {
      const std::size_t idle = std::max(kIdleConnectionsOfThreadMin, kIdleConnectionsMax / threads);
      workers_.push_back(std::make_unique<upstream::Worker>(upstream::WorkerOptions{
          .thread_name = "upstream-" + std::to_string(i), .idle_connections_max = static_cast<long>(idle)}));
    }
  }

  // The rule between clients also applies between projects: each may hold at most as much as is free. A
  // single project need not leave room for others.
  void make_budgets() {
    if (!has_several_projects(plan_)) return;
    for (const NetworkPlan& network : plan_.networks) {
      project_budgets_.try_emplace(network.project, plan_.answers.held_bytes_per_project_max, &budget_);
    }
  }

  ByteBudget& budget_of(const NetworkPlan& network) {
    const auto found = project_budgets_.find(network.project);
    return found == project_budgets_.end() ? budget_ : found->second;
  }

  std::vector<upstream::Worker*> worker_list() const {
    std::vector<upstream::Worker*> list;
    for (const auto& worker : workers_) list.push_back(worker.get());
    return list;
  }
  upstream::Worker& worker_of(std::size_t network) { return *workers_[thread_of_network_[network]]; }

  void add_network(const NetworkPlan& plan) {
    const std::string chain = plan.chain_id ? std::to_string(*plan.chain_id) : "";
    NetworkMetrics& metrics = metrics_.add_network(plan.project, chain);
    network_metrics_.push_back(&metrics);
    observers_.push_back(std::make_unique<UpstreamObserver>(metrics_, plan, chain));
    const std::size_t index = networks_.size();
    networks_.push_back(
        std::make_unique<Network>(plan, worker_of(index), metrics, observers_.back().get(),
                                  [this, index](const Network::Events& events) { publish(index, events); }));
    networks_.back()->on_chain_id([this, project = plan.project](std::uint64_t chain_id) {
      metrics_.set_chain_id(project, std::to_string(chain_id));
    });
    networks_.back()->count_received(
        received_budgets_.try_emplace(plan.project, plan_.received_bytes_per_project_max).first->second);
    networks_.back()->set_connections_max(plan_.websocket.connections_per_network_max);
  }

  void begin_streams() {
    if (streams_ == nullptr) return;
    streams_->begin([this](std::size_t network) -> StreamRuntime::NetworkNode {
      return {.worker = worker_of(network),
              .backend = [this, network]() -> upstream::Backend& { return networks_[network]->backend(); }};
    });
  }

  // One mailbox entry per loop, whatever the number of subscribers.
  void publish(std::size_t index, const Network::Events& events) {
    for (std::size_t i = 0; i < server_.loop_count(); ++i) {
      server_.post(i, [this, i, index, events, told = system_clock().now()](session::LoopServer&) {
        loop_services_[i]->networks[index]->publish(events, told);
      });
    }
  }

  session::Server::HttpServices make_http_services(session::LoopServer& server, std::size_t loop_index) {
    LoopGuard* const guard = defence_.add_loop();
    auto services =
        std::make_shared<LoopServices>(plan_.http.compression, server, loop_index, metrics_.compression());
    const RpcLimits limits{
        .calls = {.batch_items_max = plan_.answers.batch_items_max,
                  .batch_answer_bytes_max = plan_.answers.batch_answer_bytes_max,
                  .held_bytes_per_connection_max = plan_.answers.held_bytes_per_connection_max,
                  .notifications_behind_max = plan_.websocket.notifications_behind_max,
                  .slow_timeout = plan_.websocket.slow_timeout},
        .events = {.subscriptions_per_connection_max =
                       static_cast<std::uint32_t>(plan_.websocket.subscriptions_per_connection_max)}};
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      services->networks.push_back(
          std::make_unique<RpcService>(settings_, limits,
                                       RpcService::Context{.network = *networks_[i],
                                                           .metrics = *network_metrics_[i],
                                                           .worker = worker_of(i),
                                                           .server = server,
                                                           .loop_index = loop_index,
                                                           .salt = salt_,
                                                           .budget = budget_of(networks_[i]->plan()),
                                                           .compressor = services->compressor,
                                                           .terms = services->terms,
                                                           .gate = access_.gate(),
                                                           .guard = guard,
                                                           .worker_index = thread_of_network_[i]}));
    }
    if (streams_ != nullptr) services->streams = streams_->make_loop(server);
    if (canvas_ != nullptr) services->canvas = canvas_->make_loop(server);
    // Loops are started one after the other, so this needs no lock.
    loop_services_.push_back(services.get());
    session::Server::HttpServices services_of_listeners;
    for (const ListenerPlan& listener : plan_.listeners) {
      services_of_listeners.push_back(make_router(listener, {.plan = plan_,
                                                             .paths = paths_,
                                                             .answers = answers_,
                                                             .observer = answer_counts_,
                                                             .services = services,
                                                             .gate = access_.gate(),
                                                             .server = server_,
                                                             .admin = admin_ ? &admin_->api() : nullptr,
                                                             .is_draining = &draining_,
                                                             .guard = guard}));
    }
    return services_of_listeners;
  }

  // For all networks, or for those named by `?network=`.
  session::HttpResponse ready(std::string_view query) const {
    std::vector<const Network*> asked;
    for (const http::Parameter& parameter : http::query_parameters(query)) {
      if (parameter.name != "network") continue;
      const auto found = std::ranges::find_if(
          networks_, [&](const auto& network) { return network->name() == parameter.value; });
      if (found == networks_.end()) return {.status = 404, .body = "unknown network\n", .headers = {}};
      asked.push_back(found->get());
    }
    if (asked.empty()) {
      for (const auto& network : networks_) asked.push_back(network.get());
    }
    return readiness_of(asked);
  }

  session::HttpResponse readiness_of(const std::vector<const Network*>& networks) const {
    session::HttpResponse response{.headers = {}};
    if (draining_) {
      response.status = 503;
      response.body = "shutting down\n";
    }
    for (const Network* network : networks) {
      const NetworkState state = state_of(*network);
      if (!state.ready) response.status = 503;
      response.body += state.name + " " + state.text + "\n";
    }
    return response;
  }

  static NetworkState state_of(const Network& network) {
    const Network::Readiness readiness = network.readiness();
    std::string text = "not ready: " + readiness.reason;
    if (readiness.ready) {
      text = "ready, head " + std::to_string(network.head_number()) +
             (readiness.reason.empty() ? "" : "; " + readiness.reason);
    }
    return {.name = network.name(), .ready = readiness.ready, .text = std::move(text)};
  }

  std::string metrics_text() {
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      network_metrics_[i]->ready.set(networks_[i]->readiness().ready ? 1 : 0);
    }
    return metrics_.render(system_clock().now());
  }

  const ServePlan plan_;
  const NetworkPaths paths_;
  Defence defence_;  // ended before what it watches
  const session::SessionSettings settings_;
  ByteBudget budget_;                                                // of the process
  ByteBudget unfinished_;                                            // messages and bodies that came in part
  std::map<std::string, ByteBudget, std::less<>> project_budgets_;   // parts of it, by project
  std::map<std::string, ByteBudget, std::less<>> received_budgets_;  // received from nodes, by project
  eth::Salt salt_{};
  GatewayAccess access_;
  Metrics metrics_;
  AnswerCounts answer_counts_{metrics_};
  ProcessAnswers answers_;
  std::vector<NetworkMetrics*> network_metrics_;
  std::vector<std::unique_ptr<UpstreamObserver>> observers_;
  std::vector<LoopServices*> loop_services_;
  std::vector<std::size_t> thread_of_network_;
  std::vector<std::unique_ptr<upstream::Worker>> workers_;
  std::vector<std::unique_ptr<Network>> networks_;
  std::unique_ptr<StreamRuntime> streams_;  // null: the plan has none. Its loops end before it
  std::unique_ptr<CanvasRuntime> canvas_;   // null: the plan has none. Its loops end before it
  server::Listeners listeners_;             // from start() on
  session::Server server_;
  ReloadRequests* reloads_ = nullptr;    // null: nobody handles them
  std::unique_ptr<AdminRuntime> admin_;  // null: the plan has none
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
void Gateway::answer_reloads(ReloadRequests& requests) {
  impl_->answer_reloads(requests);
}
std::vector<net::Address> Gateway::admin_addresses() const {
  return impl_->admin_addresses();
}
void Gateway::keep_cookie() {
  impl_->keep_cookie();
}
std::size_t Gateway::stop() {
  return impl_->stop(impl_->plan().shutdown_timeout, impl_->plan().shutdown_spread);
}
std::size_t Gateway::stop(Duration deadline) {
  return impl_->stop(deadline, Duration::zero());
}

}  // namespace fanfare::gateway
