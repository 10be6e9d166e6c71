#include "gateway/gateway.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

#include "base/byte_budget.h"
#include "base/check.h"
#include "base/log.h"
#include "base/log_format.h"
#include "base/random.h"
#include "gateway/admin_parts.h"
#include "gateway/admin_runtime.h"
#include "gateway/canvas_runtime.h"
#include "gateway/current_view.h"
#include "gateway/defend/defence.h"
#include "gateway/gateway_access.h"
#include "gateway/live_listeners.h"
#include "gateway/loop_sites.h"
#include "gateway/metrics.h"
#include "gateway/network_state.h"
#include "gateway/networks.h"
#include "gateway/observe/watch.h"
#include "gateway/readiness.h"
#include "gateway/reload/listener_conflicts.h"
#include "gateway/reload/network_closing.h"
#include "gateway/server_settings.h"
#include "gateway/service_manager.h"
#include "gateway/session_sharing.h"
#include "gateway/stopping.h"
#include "gateway/stream_runtime.h"
#include "gateway/upgrade/listening_servers.h"
#include "gateway/upgrade/obstacle.h"
#include "relay/options.h"
#include "session/close_hint.h"
#include "session/server.h"

namespace fanfare::gateway {
namespace {

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
        budget_(held_bytes_max(plan_, defence_)),
        unfinished_(unfinished_bytes_max(plan_, defence_)),
        server_(server_options(plan_, unfinished_)) {
    SystemRandom().fill(salt_);
    streams_ = std::make_unique<StreamRuntime>(plan_.streams, plan_.relay,
                                               session_settings(plan_.websocket, defence_), server_);
    metrics_.watch(streams_->catalog());
    if (const StreamSharing* const sharing = streams_->sharing())
      metrics_.watch(sharing->relay().counters(), sharing->leases().counters());
    if (plan_.relay && plan_.websocket.relayed_sessions) {
      sessions_.emplace(*plan_.relay, plan_.websocket.sessions);
      metrics_.watch(sessions_->counters());
      networks_.share_sessions(sessions_->sessions());
    }
    canvas_ = std::make_unique<CanvasRuntime>(server_, plan_.relay);
    metrics_.watch(canvas_->rooms());
    metrics_.watch(server_.gate());
    metrics_.watch(budget_, unfinished_);
    metrics_.watch(defence_.cells());
    metrics_.watch(watch_.cells());
    answers_ = {
        .ready = [this](std::string_view query) { return readiness(query, view_.networks(), draining_); },
        .metrics = [this] { return metrics_text(); }};
  }

  ~Impl() { stop({}); }

  void accept_later() { accepts_later_ = true; }
  void begin_accepting() {
    access_.publish_cookie();
    listening_->begin_accepting();
  }
  ListeningServers& listening() { return *listening_; }

  std::expected<void, Error> start() {
    auto listeners = listeners_.prepare(plan_.listeners);
    if (!listeners) return std::unexpected(std::move(listeners.error()));
    if (auto opened = watch_.start(); !opened) return fail(Error::Kind::system, opened.error());
    if (auto made =
            access_.start(plan_, accepts_later_ ? GatewayAccess::Cookie::later : GatewayAccess::Cookie::now);
        !made)
      return fail(Error::Kind::system, made.error());
    if (plan_.relay) {
      const std::string problem = relay::problem_with_files(*plan_.relay);
      if (!problem.empty()) return fail(Error::Kind::system, "relay.nats: " + problem);
    }
    if (auto opened = canvas_->open(plan_.canvas); !opened)
      return fail(Error::Kind::system, "cannot open the canvas: " + opened.error());
    if (access_.gate() != nullptr) metrics_.watch(*access_.gate());
    if (sessions_) sessions_->start();
    view_.set(make_view(plan_, networks_.make(plan_), listeners_.indices()));
    admin_ = std::make_unique<AdminRuntime>(plan_.admin, admin_parts(), access_.gate(),
                                            [this] { return metrics_text(); });
    listening_.emplace(server_, admin_->sockets());
    if (accepts_later_) listening_->accept_later();
    defence_.set_workers(networks_.workers().size());
    make_sites();
    const auto started = server_.start(
        *listeners,
        [this, view = view_.get()](session::LoopServer& server, std::size_t index) {
          return sites_->make(server, index, view);
        },
        [this] { streams_->begin(nodes_of(networks_.present())); });
    if (!started) {
      return fail(Error::Kind::system, "cannot listen: " + started.error().message(), started.error().code);
    }
    running_ = true;
    listeners_.started(server_);
    if (auto listening = admin_->start(); !listening) return listening;
    defence_.start(
        {.server = server_, .workers = networks_.workers(), .held = budget_, .unfinished = unfinished_});
    networks_.start_new();
    return {};
  }

  std::vector<NetworkState> states() const {
    std::vector<NetworkState> states;
    for (const Network* const network : view_.networks()) states.push_back(state_of(*network));
    return states;
  }

  // Everything that can fail comes first. After the canvas nothing can.
  PlanDiff reload(const ServePlan& wanted) {
    PlanDiff diff = diff_plans(view_.get()->plan, wanted);
    if (!diff.refusal.empty()) return diff;
    const auto refused = [&](std::string why) {
      diff.refusal = std::move(why);
      diff.result = view_.get()->plan;
      return diff;
    };
    if (const auto held = listener_conflicts(view_.get()->plan, diff.result); !held.empty())
      return refused(held.front());
    auto listeners = listeners_.bind(server_, diff.result.listeners);
    if (!listeners) return refused(std::move(listeners.error()));
    auto admin = admin_->prepare(diff.result.admin);
    if (!admin) return refused(std::move(admin.error()));
    if (!(listeners->is_empty() && admin->is_empty()) && listening_->has_copies())
      return refused("listeners cannot be changed while an upgrade is under way; reload again after it");
    auto recording = watch_.prepare(diff.result.observe);
    if (!recording) return refused(std::move(recording.error()));
    auto cookie = access_.prepare_cookie(diff.result);
    if (!cookie) return refused(std::move(cookie.error()));
    auto canvas = canvas_->prepare(diff.result.canvas);
    if (!canvas) return refused("cannot open the canvas: " + canvas.error());
    const ServePlan& plan = diff.result;
    Networks::OfPlan of_plan = networks_.find_or_make(plan);
    const bool has_new_cookie = cookie->has_value();
    if (has_new_cookie) access_.set_cookie(**std::move(cookie));
    if (plan.access != nullptr) {
      const auto done = reload_access(plan);
      FANFARE_CHECK(done.has_value());  // the difference has what cannot be changed
    }
    if (has_new_cookie) access_.publish_cookie();
    // What the admin API has set stays, unless the file says something else than before.
    if (plan.log_level != view_.get()->plan.log_level) log::set_level(plan.log_level);
    log::set_format(plan.observe.log_format);
    watch_.apply(*std::move(recording));
    std::vector<LiveNetwork*> removed;
    const auto spread = [&](std::size_t connections) { return spread_of(plan, connections); };
    streams_->change(plan.streams, nodes_of(of_plan), spread);
    canvas_->apply(*std::move(canvas), spread);
    view_.set(make_view(plan, of_plan, listeners->indices));
    set_limits(plan);
    sites_->apply(view_.get());
    listeners_.apply(server_, *std::move(listeners),
                     [this, view = view_.get()](session::LoopServer&, std::size_t loop, std::size_t index) {
                       return sites_->make_site(loop, index, *view);
                     });
    admin_->apply(*std::move(admin));
    // Its tasks for the loops come after those above.
    networks_.change(plan, of_plan, removed);
    networks_.start_new();
    for (LiveNetwork* const live : removed)
      close_clients_of(*live, server_, *sites_, spread(live->network.connections()));
    return diff;
  }

  std::vector<std::string> reload_certificates() const {
    std::vector<std::string> failures = listeners_.reload_certificates();
    std::ranges::move(admin_->reload_certificates(), std::back_inserter(failures));
    return failures;
  }
  std::expected<void, std::string> reload_access(const ServePlan& plan) {
    auto before = access_.replace(plan);
    if (!before) return std::unexpected(std::move(before.error()));
    if (*before != nullptr) sites_->check_again(*before);
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
      dropped = stopping_.close_connections(server_, times, [this] { defence_.stop(); });
    }
    defence_.stop();
    if (sessions_) sessions_->stop();
    // In parallel: each of them may take its whole stop_limit.
    networks_.begin_stop();
    streams_->begin_stop();
    networks_.stop();
    streams_->stop();
    // The last one: it tells how far the stop is.
    if (admin_ != nullptr) admin_->stop();
    return dropped;
  }

  void hurry_stop() { stopping_.hurry(); }
  bool is_draining() const { return draining_; }
  std::expected<std::vector<PassedSocket>, std::string> copy_sockets() {
    return listening_->copy(listeners_.names(), admin_->names());
  }
  void take_back_cookie() { access_.take_back_cookie(); }
  // From start() on.
  ServePlan plan() const { return view_.get()->plan; }
  const session::Server& server() const { return server_; }
  const std::vector<net::Address>& addresses() const { return listeners_.addresses(); }

 private:
  AdminParts admin_parts() {
    return {.plan = plan_now(view_),
            .server = server_,
            .draining = draining_,
            .for_each_network = visit_networks_now(view_),
            .streams = &streams_->catalog(),
            .canvas = &canvas_->rooms(),
            .reloads = reloads_,
            .upgrades = upgrades_};
  }

  // For the streams that poll networks, by the index in their plan.
  static StreamRuntime::NodeOf nodes_of(const Networks::OfPlan& networks) {
    return [&networks](std::size_t network) -> StreamRuntime::NetworkNode {
      LiveNetwork& live = *networks[network];
      return {.slot = live.slot, .worker = live.worker, .backend = [&live]() -> upstream::Backend& {
                return live.network.backend();
              }};
    };
  }

  void make_sites() {
    sites_.emplace(LoopSites::Context{.server = server_,
                                      .defence = defence_,
                                      .watch = watch_,
                                      .metrics = metrics_,
                                      .answers = answers_,
                                      .observer = answer_counts_,
                                      .draining = draining_,
                                      .streams = *streams_,
                                      .canvas = *canvas_,
                                      .salt = salt_,
                                      .gate = access_.gate(),
                                      .admin = &admin_->api()});
  }

  // Those of the whole process; each loop has its own part of the view.
  void set_limits(const ServePlan& plan) {
    server_.set_accept_limits(accept_limits(plan));
    budget_.set_bytes_max(held_bytes_max(plan, defence_));
    unfinished_.set_bytes_max(unfinished_bytes_max(plan, defence_));
  }

  std::string metrics_text() {
    for (const ViewPtr view = view_.get(); LiveNetwork* const live : view->networks) {
      live->metrics.ready.set(live->network.readiness().ready ? 1 : 0);
    }
    return metrics_.render(system_clock().now());
  }

  const ServePlan plan_;        // of the start
  Watch watch_{plan_.observe};  // ended after all that it watches
  Defence defence_;             // ended before what it watches
  ByteBudget budget_;           // of the process
  ByteBudget unfinished_;       // messages and bodies that came in part
  eth::Salt salt_{};
  GatewayAccess access_;
  Metrics metrics_;
  std::optional<SessionSharing>
      sessions_;  // empty: sessions do not leave this process. The loops end before it
  AnswerCounts answer_counts_{metrics_};
  ProcessAnswers answers_;
  CurrentView view_;
  Networks networks_{metrics_, budget_, [this](std::size_t slot, const Network::Events& events) {
                       sites_->publish(slot, events);
                     }};
  std::unique_ptr<StreamRuntime> streams_;  // its loops end before it
  std::unique_ptr<CanvasRuntime> canvas_;   // its loops end before it
  std::optional<LoopSites> sites_;          // from start() on; the loops end before them
  LiveListeners listeners_;
  Stopping stopping_;  // the loops end before it
  session::Server server_;
  Pulse pulse_;
  ReloadRequests* reloads_ = nullptr;    // null: nobody handles them
  UpgradeRequests* upgrades_ = nullptr;  // the same
  std::unique_ptr<AdminRuntime> admin_;  // from start() on
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
  return impl_->addresses();
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
void Gateway::hurry_stop() {
  impl_->hurry_stop();
}
std::size_t Gateway::stop(Duration deadline) {
  return impl_->stop({.deadline = deadline});
}
void Gateway::accept_later() {
  impl_->accept_later();
}
void Gateway::begin_accepting() {
  impl_->begin_accepting();
}
std::string Gateway::upgrade_obstacle() const {
  return gateway::upgrade_obstacle(impl_->plan(), impl_->is_draining());
}
std::expected<std::vector<PassedSocket>, std::string> Gateway::copy_sockets() {
  return impl_->copy_sockets();
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
