#include "gateway/config_plan.h"

#include <algorithm>
#include <utility>

#include "gateway/browser_settings.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {

// The index of "main/1" among the networks of all projects, as plan_from() lists them.
std::optional<std::size_t> network_index(const Config& config, std::string_view name) {
  std::size_t index = 0;
  for (const ProjectConfig& project : config.projects) {
    for (const NetworkConfig& network : project.networks) {
      if (project.id + "/" + std::to_string(network.chain_id) == name) return index;
      ++index;
    }
  }
  return std::nullopt;
}

namespace {

// The other instances of a fleet are replaced right after this one, as in a rolling deploy, and their clients come here.
constexpr Duration kWarmUpOfAFleet = std::chrono::seconds(30);

// Without listeners and networks.
ServePlan settings_from(const Config& config) {
  ServePlan plan{.log_level = config.log_level,
                 .websocket = config.server.websocket,
                 .http = config.server.http,
                 .accept = config.server.accept,
                 .browsers = config.server.browsers,
                 .answers = config.server.answers,
                 .shutdown_timeout = config.server.shutdown_timeout,
                 .shutdown_spread = config.server.shutdown_spread,
                 .shutdown_closes_per_second = config.server.shutdown_closes_per_second,
                 .shutdown_retry_after = config.server.shutdown_retry_after,
                 .upgrade_timeout = config.server.upgrade_timeout,
                 .loops = config.server.threads,
                 .upstream_threads_max = config.server.upstream_threads,
                 .received_bytes_per_project_max = config.server.received_bytes_per_project_max,
                 .busy_poll_us = config.server.busy_poll_us,
                 .access = config.access.plan,
                 .first_message_within = config.access.first_message_within,
                 .cookie_file = config.access.cookie_file,
                 .cookie_roles = config.access.cookie_roles,
                 .defence = config.server.defence,
                 .observe = config.server.observe,
                 .access_files = config.access.files,
                 .access_check_every = config.access.check_every};
  plan.browsers.names = kBrowserSettingNames;
  return plan;
}

void add_listeners(const Config& config, ServePlan& plan) {
  const bool has_metrics_port = config.metrics.enabled && config.metrics.port;
  const ListenerPlan port{
      .at = {.host = config.server.host,
             .port = config.server.http_port,
             .tls = config.server.tls,
             .proxy_protocol = config.server.proxy_protocol},
      .mounts = routed_mounts(config.metrics.enabled && !has_metrics_port, config.access.plan != nullptr)};
  if (config.server.listens_on_port) plan.listeners.push_back(port);
  if (!config.server.unix_path.empty()) {
    ListenerPlan path = port;
    path.at.unix_path = config.server.unix_path;
    path.at.unix_mode = config.server.unix_mode;
    plan.listeners.push_back(std::move(path));
  }
  if (has_metrics_port) {
    plan.listeners.push_back(
        {.at = {.host = config.metrics.host.value_or(config.server.host), .port = *config.metrics.port},
         .socket_name = "metrics",
         .mounts = page_mounts(true, true)});
  }
}

void add_streams(const Config& config, ServePlan& plan) {
  for (ListenerPlan& listener : plan.listeners) {
    if (listener.socket_name == "metrics") continue;
    for (MountPlan& mount : stream_mounts()) listener.mounts.push_back(std::move(mount));
  }
  if (config.streams->websocket_port) {
    plan.listeners.push_back({.at = {.host = config.server.host,
                                     .port = *config.streams->websocket_port,
                                     .tls = config.server.tls,
                                     .proxy_protocol = config.server.proxy_protocol},
                              .socket_name = "websocket",
                              .mounts = stream_port_mounts()});
  }
  StreamsPlan& streams = plan.streams.emplace();
  streams.limits = config.streams->limits;
  streams.limits.ping_interval = config.server.websocket.ping_interval;
  streams.limits.slow_timeout = config.server.websocket.slow_timeout;
  streams.upstreams = config.streams->upstreams;
  for (const StreamDefinition& definition : config.streams->definitions) {
    streams.streams.push_back(definition.plan);
    if (definition.network) streams.streams.back().index = *network_index(config, *definition.network);
  }
}

void add_canvas(const Config& config, ServePlan& plan) {
  for (ListenerPlan& listener : plan.listeners) {
    if (!serves_http(listener)) continue;
    for (MountPlan& mount : canvas_mounts()) listener.mounts.push_back(std::move(mount));
  }
  plan.canvas = config.canvas->plan;
}

// On the shared ports only for callers with a role for it.
void add_admin(const Config& config, ServePlan& plan) {
  plan.admin = config.admin->plan;
  for (server::ListenerOptions& listener : plan.admin->listeners) {
    if (config.admin->is_public && listener.unix_path.empty()) listener.tls = config.server.tls;
  }
  if (config.access.plan == nullptr) return;
  for (ListenerPlan& listener : plan.listeners) {
    if (!is_routed(listener)) continue;
    for (MountPlan& mount : admin_mounts()) listener.mounts.push_back(std::move(mount));
  }
}

void add_networks(const Config& config, ServePlan& plan) {
  for (const ProjectConfig& project : config.projects) {
    for (const NetworkConfig& network : project.networks) {
      UpstreamBackend backend;
      for (const UpstreamConfig& upstream : project.upstreams) {
        if (upstream.chain_id == network.chain_id) backend.push_back(upstream.plan);
      }
      plan.networks.push_back({.project = project.id,
                               .chain_id = network.chain_id,
                               .poll = network.poll,
                               .reads = network.reads,
                               .chain_check_every = network.chain_check_every,
                               .backend = std::move(backend),
                               .methods = project.methods,
                               .origins = project.origins});
      if (plan.relay) plan.networks.back().poll.logs_warm_up = kWarmUpOfAFleet;
    }
  }
}

}  // namespace

ServePlan plan_from(const Config& config) {
  ServePlan plan = settings_from(config);
  plan.relay = config.relay;
  add_listeners(config, plan);
  if (config.streams) add_streams(config, plan);
  if (config.canvas) add_canvas(config, plan);
  if (config.admin) add_admin(config, plan);
  add_networks(config, plan);
  return plan;
}

}  // namespace fanfare::gateway
