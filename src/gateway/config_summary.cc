#include "gateway/config_summary.h"

#include <algorithm>
#include <string_view>

#include "gateway/duration.h"
#include "gateway/mount_plans.h"
#include "relay/names.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

std::string_view offered(const ServePlan& plan, const ListenerPlan& listener) {
  const bool has_websocket = plan.websocket.enabled && serves_websocket(listener);
  if (plan.networks.empty() && plan.streams && serves_http(listener)) return "streams at /streams";
  if (plan.networks.empty() && plan.canvas && serves_http(listener)) return "the canvas at /canvas/{room}";
  if (is_routed(listener)) {
    return has_websocket ? "HTTP and WebSocket at /{project}/evm/{chainId}"
                         : "HTTP at /{project}/evm/{chainId}";
  }
  if (serves_http(listener)) return has_websocket ? "HTTP and WebSocket" : "HTTP";
  if (serves_websocket(listener)) return "WebSocket";
  return serves_streams(listener) ? "streams over WebSocket" : "metrics";
}

std::string listener_line(const ServePlan& plan, const ListenerPlan& listener) {
  const server::ListenerOptions& at = listener.at;
  const bool brackets = at.host.contains(':');
  std::string line = "listen    ";
  if (at.unix_path.empty()) {
    line += brackets ? "[" + at.host + "]" : at.host;
    line += ":" + std::to_string(at.port) + " ";
  } else {
    line += "unix:" + at.unix_path + " ";
  }
  line += offered(plan, listener);
  if (at.tls) {
    line += at.tls->protocol.min_version == net::TlsVersion::tls13 ? ", TLS 1.3 with " : ", TLS with ";
    line += at.tls->certificate_file;
  }
  if (at.proxy_protocol) line += ", behind a proxy that sends PROXY headers";
  return line + "\n";
}

std::string dashboard_line(const WebConfig& web) {
  if (!web.enabled) return "";
  return "dashboard at /, from " + (web.directory.empty() ? "the files beside the program" : web.directory) +
         "\n";
}

std::string accept_line(const AcceptPlan& accept) {
  if (accept == AcceptPlan{}) return "";
  const auto limit = [](std::size_t count, std::string_view what) {
    return (count == 0 ? "any number of" : std::to_string(count)) + std::string(what);
  };
  return "accept    " + limit(accept.connections_max, " connections, ") +
         limit(accept.connections_per_address_max, " an address, ") +
         limit(accept.connections_per_second_per_address, " new ones an address a second") + "\n";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string browser_lines(const server::BrowserOptions& browsers) {
  std::string lines;
  if (!browsers.hosts.empty()) lines += "hosts     " + joined(browsers.hosts) + "\n";
  if (!browsers.origins.empty()) lines += "origins   " + joined(browsers.origins) + "\n";
  return lines;
}

// Names and numbers, no secret and no hash.
std::string access_line(const ServePlan& plan) {
  if (plan.access == nullptr) return "";
  const access::AccessPlan& access = *plan.access;
  std::vector<std::string> roles;
  for (const access::RolePlan& one : access.roles) roles.push_back(one.role.name);
  std::string line = "access    roles " + joined(roles) + "; keys " + std::to_string(access.keys.size()) +
                     ", users " + std::to_string(access.users.size());
  if (!access.certificates.empty()) line += ", certificates " + std::to_string(access.certificates.size());
  if (access.tokens) line += ", tokens of " + std::to_string(access.tokens->rules.keys.size()) + " keys";
  if (!plan.cookie_file.empty()) line += ", a cookie file";
  if (!access.anonymous_roles.empty()) line += ", anonymous callers as " + joined(access.anonymous_roles);
  return line + "\n";
}

std::string admin_lines(const ServePlan& plan) {
  std::string lines;
  if (!plan.admin) return lines;
  for (const server::ListenerOptions& at : plan.admin->listeners) {
    lines += "admin     ";
    if (at.unix_path.empty()) {
      lines += (at.host.contains(':') ? "[" + at.host + "]" : at.host) + ":" + std::to_string(at.port);
      lines += plan.access == nullptr ? ", everyone on this machine" : ", roles with fanfare_admin";
    } else {
      constexpr unsigned kDigit = 7;
      const unsigned mode = at.unix_mode.value_or(0);
      lines += "unix:" + at.unix_path + ", mode 0" + std::to_string(mode >> 6U & kDigit) +
               std::to_string(mode >> 3U & kDigit) + std::to_string(mode & kDigit);
      if (!plan.admin->group.empty()) lines += ", group " + plan.admin->group;
    }
    lines += "\n";
  }
  return lines;
}

std::string websocket_line(const WebSocketSettings& websocket) {
  if (!websocket.enabled) return "websocket off\n";
  std::string line = "websocket " + std::to_string(websocket.connections_per_network_max) +
                     " connections a network, " + std::to_string(websocket.subscriptions_per_connection_max) +
                     " subscriptions a connection, ";
  if (websocket.ping_interval == Duration::zero()) return line + "no pings\n";
  return line + "ping every " + format_duration(websocket.ping_interval) + ", pong within " +
         format_duration(websocket.pong_timeout) + "\n";
}

std::string backend_lines(const Backend& backend) {
  if (const auto* dev = std::get_if<DevBackend>(&backend)) {
    return "  development chain, a block every " + format_duration(dev->block_time) + ", seed " +
           std::to_string(dev->seed) + "\n";
  }
  if (std::holds_alternative<HookBackend>(backend)) return "  a chain in this process\n";
  std::string lines;
  for (const UpstreamPlan& upstream : std::get<UpstreamBackend>(backend)) {
    lines += "  upstream " + upstream.id + " " + upstream::redacted(upstream.url) + ", timeout " +
             format_duration(upstream.timeout);
    if (!upstream.headers.empty()) lines += ", headers " + std::to_string(upstream.headers.size());
    if (upstream.head_hints == upstream::HeadHintsChoice::never) lines += ", headHints never";
    lines += "\n";
  }
  return lines;
}

std::string network_lines(const NetworkPlan& network) {
  std::string lines = "network   /" + network.project + "/evm/";
  lines += network.chain_id ? std::to_string(*network.chain_id) : "(whatever the upstream says)";
  lines += ", polled every " + format_duration(network.poll.interval_min) + " to " +
           format_duration(network.poll.interval_max) + ", reorgs up to " +
           std::to_string(network.poll.reorg_window_blocks) + " blocks, cursors up to " +
           std::to_string(network.poll.resume_window_blocks) + "\n";
  if (!network.origins.empty()) lines += "  origins " + joined(network.origins) + "\n";
  if (!network.methods.allow.empty()) lines += "  allowed " + joined(network.methods.allow) + "\n";
  if (!network.methods.deny.empty()) lines += "  denied " + joined(network.methods.deny) + "\n";
  return lines + backend_lines(network.backend);
}

std::string relay_line(const ServePlan& plan) {
  if (!plan.relay) return "";
  std::string line = "relay     NATS as \"" + plan.relay->name + "\" over";
  for (const std::string& server : plan.relay->servers) line += " " + relay::without_secret(server);
  const bool is_used = plan.websocket.relayed_sessions ||
                       (plan.streams && std::ranges::any_of(plan.streams->streams, &StreamPlan::relayed));
  const bool has_room =
      plan.canvas && std::ranges::any_of(plan.canvas->rooms, &canvasserver::RoomPlan::relayed);
  return line + (is_used || has_room ? "\n" : ", for no stream\n");
}

std::string stream_lines(const ServePlan& plan) {
  if (!plan.streams) return "";
  std::string lines;
  for (const UpstreamPlan& upstream : plan.streams->upstreams) {
    lines += "streams   upstream " + upstream.id + " " + upstream::redacted(upstream.url) + ", timeout " +
             format_duration(upstream.timeout) + "\n";
  }
  for (const StreamPlan& stream : plan.streams->streams) {
    lines += "stream    " + stream.spec.name + " every " + format_duration(stream.spec.interval) + " from ";
    if (stream.source == StreamPlan::Source::upstream) {
      lines += plan.streams->upstreams[stream.index].id;
    } else {
      const NetworkPlan& network = plan.networks[stream.index];
      lines += network.project + "/" + (network.chain_id ? std::to_string(*network.chain_id) : "any");
    }
    lines += ", history " + std::to_string(stream.spec.history_messages);
    lines += stream.relayed ? ", relayed\n" : "\n";
  }
  return lines;
}

std::string canvas_lines(const ServePlan& plan) {
  std::string lines;
  if (!plan.canvas) return lines;
  for (const canvasserver::RoomPlan& room : plan.canvas->rooms) {
    lines +=
        "canvas    " + room.spec.name + " " + std::to_string(room.spec.width) + "x" +
        std::to_string(room.spec.height) + ", " +
        (room.spec.has_palette() ? std::to_string(room.spec.palette.size()) + " colours" : "24-bit colours");
    if (room.relayed) {
      lines += ", shared over the relay\n";
    } else if (room.file.empty()) {
      lines += ", in memory\n";
    } else {
      lines += ", in " + room.file + ", sync " +
               (room.full_sync ? "full" : format_duration(room.sync_interval)) + "\n";
    }
  }
  return lines;
}

}  // namespace

std::string summary_of(const ServePlan& plan, const WebConfig& web) {
  std::string text;
  for (const ListenerPlan& listener : plan.listeners) text += listener_line(plan, listener);
  text += dashboard_line(web);
  text += accept_line(plan.accept);
  text += browser_lines(plan.browsers);
  text += access_line(plan);
  text += admin_lines(plan);
  if (!plan.networks.empty()) text += websocket_line(plan.websocket);
  for (const NetworkPlan& network : plan.networks) text += network_lines(network);
  return text + relay_line(plan) + stream_lines(plan) + canvas_lines(plan);
}

}  // namespace fanfare::gateway
