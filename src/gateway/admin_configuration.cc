#include "gateway/admin_configuration.h"

#include <chrono>
#include <variant>
#include <vector>

#include "admin/json.h"
#include "gateway/config_summary.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

void write_websocket(admin::Json& json, const WebSocketSettings& settings) {
  json.key("websocket").object([&] {
    json.member("enabled", settings.enabled);
    json.member("connections_per_network_max", settings.connections_per_network_max);
    json.member("subscriptions_per_connection_max", settings.subscriptions_per_connection_max);
    json.member("ping_interval_s", in_seconds(settings.ping_interval));
    json.member("pong_timeout_s", in_seconds(settings.pong_timeout));
    json.member("idle_timeout_s", in_seconds(settings.idle_timeout));
    json.member("message_timeout_s", in_seconds(settings.message_timeout));
    json.member("slow_timeout_s", in_seconds(settings.slow_timeout));
    json.member("message_bytes_max", settings.message_bytes_max);
    json.member("outbox_bytes_max", settings.outbox_bytes_max);
    json.member("notifications_behind_max", settings.notifications_behind_max);
    json.member("compression", settings.compression.enabled);
  });
}

void write_limits(admin::Json& json, const ServePlan& plan) {
  json.key("limits").object([&] {
    json.member("connections_max", plan.accept.connections_max);
    json.member("connections_per_address_max", plan.accept.connections_per_address_max);
    json.member("connections_per_second_per_address", plan.accept.connections_per_second_per_address);
    json.member("handshake_timeout_s", in_seconds(plan.http.handshake_timeout));
    json.member("body_bytes_max", plan.http.body_bytes_max);
    json.member("head_bytes_max", plan.http.head_bytes_max);
    json.member("batch_items_max", plan.answers.batch_items_max);
    json.member("batch_answer_bytes_max", plan.answers.batch_answer_bytes_max);
    json.member("held_bytes_max", plan.answers.held_bytes_max);
    json.member("held_bytes_per_project_max", plan.answers.held_bytes_per_project_max);
    json.member("held_bytes_per_connection_max", plan.answers.held_bytes_per_connection_max);
    json.member("unfinished_bytes_max", plan.answers.unfinished_bytes_max);
  });
}

void write_upstream(admin::Json& json, const UpstreamPlan& upstream) {
  json.object([&] {
    json.member("id", upstream.id).member("url", upstream::redacted(upstream.url));
    json.member("timeout_s", in_seconds(upstream.timeout)).member("headers", upstream.headers.size());
    json.member("client_calls_max", upstream.limits.client_calls_max);
    json.member("queued_calls_max", upstream.limits.queued_calls_max);
  });
}

void write_network(admin::Json& json, const NetworkPlan& network) {
  json.object([&] {
    json.member("project", network.project).member("chain_id", network.chain_id);
    json.member("poll_interval_min_s", in_seconds(network.poll.interval_min));
    json.member("poll_interval_max_s", in_seconds(network.poll.interval_max));
    json.member("cache_bytes_max", network.reads.cache_bytes_max);
    json.member("hedge_after_s", in_seconds(network.reads.hedge_after));
    json.list("allowed_methods", network.methods.allow).list("denied_methods", network.methods.deny);
    json.list("origins", network.origins);
    json.key("upstreams").array([&] {
      if (const auto* const upstreams = std::get_if<UpstreamBackend>(&network.backend)) {
        for (const UpstreamPlan& upstream : *upstreams) write_upstream(json, upstream);
      }
    });
  });
}

void write_settings(admin::Json& json, const ServePlan& plan) {
  json.object([&] {
    json.member("threads", plan.loops).member("upstream_threads_max", plan.upstream_threads_max);
    json.member("shutdown_timeout_s", in_seconds(plan.shutdown_timeout));
    if (plan.shutdown_spread) json.member("shutdown_spread_s", in_seconds(*plan.shutdown_spread));
    json.member("shutdown_closes_per_second", plan.shutdown_closes_per_second);
    if (plan.shutdown_retry_after)
      json.member("shutdown_retry_after_s", in_seconds(*plan.shutdown_retry_after));
    json.member("upgrade_timeout_s", in_seconds(plan.upgrade_timeout));
    json.list("hosts", plan.browsers.hosts).list("origins", plan.browsers.origins);
    json.member("access_control", plan.access != nullptr);
    write_websocket(json, plan.websocket);
    write_limits(json, plan);
    json.key("networks").array([&] {
      for (const NetworkPlan& network : plan.networks) write_network(json, network);
    });
  });
}

}  // namespace

std::string configuration_text(const ServePlan& plan) {
  admin::Json json;
  json.object([&] {
    json.list("summary", lines_of(summary_of(plan, {})));
    json.key("settings");
    write_settings(json, plan);
  });
  return json.take();
}

}  // namespace fanfare::gateway
