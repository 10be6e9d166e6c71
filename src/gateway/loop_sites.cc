#include "gateway/loop_sites.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gateway/observe/loop_watch.h"
#include "gateway/rpc_service.h"
#include "gateway/server_settings.h"

namespace fanfare::gateway {

session::Server::HttpServices LoopSites::make(session::LoopServer& server, std::size_t loop,
                                              const ViewPtr& view) {
  const ServePlan& plan = view->plan;
  auto services =
      std::make_shared<LoopServices>(plan.http.compression, server, loop, context_.metrics.compression());
  services->settings = session_settings(plan.websocket, context_.defence);
  services->guard = context_.defence.add_loop();
  services->watch = &context_.watch.add_loop();
  server.sessions().set_session_watcher(services->watch);
  update_networks(*view, *services, server, loop);
  services->streams = context_.streams.make_loop(server);
  services->canvas = context_.canvas.make_loop(server, services->settings, plan.websocket.slow_timeout);
  loops_.push_back({.services = services.get(), .sites = {}});
  session::Server::HttpServices sites;
  // The first router keeps the services.
  for (std::size_t i = 0; i < plan.listeners.size(); ++i) sites.push_back(make_site(loop, i, *view));
  return sites;
}

std::unique_ptr<session::HttpService> LoopSites::make_site(std::size_t loop, std::size_t index,
                                                           const View& view) {
  OfLoop& of_loop = loops_[loop];
  const auto at = std::ranges::find(view.listeners, index);
  FANFARE_CHECK(at != view.listeners.end());
  const ListenerPlan& listener = view.plan.listeners[static_cast<std::size_t>(at - view.listeners.begin())];
  auto site = std::make_unique<Site>(make_router_of(listener, view, of_loop.services->shared_from_this()),
                                     *of_loop.services->watch);
  if (of_loop.sites.size() <= index) of_loop.sites.resize(index + 1);
  of_loop.sites[index] = site.get();
  return site;
}

void LoopSites::apply(const ViewPtr& view) {
  for (std::size_t i = 0; i < context_.server.loop_count(); ++i) {
    context_.server.post(
        i, [this, i, view](session::LoopServer& server) { apply_on(loops_[i], *view, server, i); });
  }
}

void LoopSites::apply_on(OfLoop& loop, const View& view, session::LoopServer& server, std::size_t index) {
  LoopServices& services = *loop.services;
  services.settings = session_settings(view.plan.websocket, context_.defence);
  services.watch->switch_over();
  server.sessions().keep_facts(keeps_facts(view.plan));
  server.set_http(http_settings(view.plan));
  server.sessions().set_sweep_interval(sweep_interval(view.plan));
  context_.streams.apply_on(index, services.settings);
  context_.canvas.apply_on(index, services.settings, view.plan.websocket.slow_timeout);
  update_networks(view, services, server, index);
  for (const auto& service : services.networks) {
    if (service != nullptr) service->set_limits(rpc_limits(view.plan));
  }
  for (std::size_t k = 0; k < view.listeners.size(); ++k) {
    const std::size_t at = view.listeners[k];
    if (at >= loop.sites.size()) continue;  // make_site() follows
    loop.sites[at]->replace(make_router_of(view.plan.listeners[k], view, services.shared_from_this()));
  }
}

void LoopSites::publish(std::size_t slot, const Network::Events& events) {
  for (std::size_t i = 0; i < context_.server.loop_count(); ++i) {
    context_.server.post(i, [this, i, slot, events, told = system_clock().now()](session::LoopServer&) {
      loops_[i].services->networks[slot]->publish(events, told);
    });
  }
}

void LoopSites::check_again(const std::shared_ptr<const void>& before) {
  for (std::size_t i = 0; i < context_.server.loop_count(); ++i) {
    context_.server.post(i, [this, i, before](session::LoopServer&) {
      loops_[i].services->terms.check_again(*context_.gate);
    });
  }
}

// Makes what the loop does not have for the plan's networks yet, and applies their rules.
void LoopSites::update_networks(const View& view, LoopServices& services, session::LoopServer& server,
                                std::size_t index) const {
  for (std::size_t i = 0; i < view.networks.size(); ++i) {
    LiveNetwork& live = *view.networks[i];
    if (services.networks.size() <= live.slot) services.networks.resize(live.slot + 1);
    std::unique_ptr<RpcService>& service = services.networks[live.slot];
    if (service == nullptr) {
      service = std::make_unique<RpcService>(services.settings, rpc_limits(view.plan),
                                             RpcService::Context{.network = live.network,
                                                                 .metrics = live.metrics,
                                                                 .worker = live.worker,
                                                                 .server = server,
                                                                 .loop_index = index,
                                                                 .salt = context_.salt,
                                                                 .budget = live.budget,
                                                                 .compressor = services.compressor,
                                                                 .terms = services.terms,
                                                                 .gate = context_.gate,
                                                                 .guard = services.guard,
                                                                 .watch = services.watch,
                                                                 .worker_index = live.worker_index});
    }
    service->set_rules(view.plan.networks[i]);
  }
}

std::unique_ptr<server::Router> LoopSites::make_router_of(const ListenerPlan& listener, const View& view,
                                                          std::shared_ptr<LoopServices> services) const {
  LoopGuard* const guard = services->guard;
  return make_router(listener, {.plan = view.plan,
                                .paths = view.paths,
                                .answers = context_.answers,
                                .observer = context_.observer,
                                .services = std::move(services),
                                .gate = context_.gate,
                                .server = context_.server,
                                .admin = context_.admin,
                                .is_draining = &context_.draining,
                                .guard = guard,
                                .slots = view.slots});
}

}  // namespace fanfare::gateway
