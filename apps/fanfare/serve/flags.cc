#include "serve/flags.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "duration_flag.h"
#include "gateway/browser_settings.h"
#include "gateway/config.h"
#include "gateway/config_canvas.h"
#include "gateway/config_endpoint.h"
#include "gateway/config_streams.h"
#include "gateway/duration.h"
#include "gateway/method_rules.h"
#include "gateway/mount_plans.h"
#include "gateway/observe/otel_environment.h"
#include "net/socket.h"
#include "serve/page.h"
#include "server/browser_rules.h"

namespace fanfare::app {
namespace {

using gateway::ServePlan;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kHttpPort = 8545;
constexpr std::uint16_t kWebSocketPort = 8546;
constexpr std::uint64_t kDevChainId = 1337;

using Wrong = std::unexpected<std::string>;

Wrong wrong(std::string_view flag, std::string_view what) {
  return Wrong("fanfare serve: " + std::string(flag) + " " + std::string(what));
}

struct NamedFlag {
  std::string_view name;
  bool given;
};

// The first that was given.
template <std::size_t Size>
std::string_view first_given(const std::array<NamedFlag, Size>& flags) {
  const auto found = std::ranges::find_if(flags, &NamedFlag::given);
  return found == flags.end() ? std::string_view() : found->name;
}

std::string_view first_dev_flag(const ServeArguments& a) {
  return first_given(std::array{NamedFlag{"--dev-block-time", a.dev_block_time.has_value()},
                                NamedFlag{"--dev-seed", a.dev_seed.has_value()},
                                NamedFlag{"--dev-transactions", a.dev_transactions.has_value()},
                                NamedFlag{"--dev-reorg-every", a.dev_reorg_every.has_value()},
                                NamedFlag{"--dev-reorg-depth", a.dev_reorg_depth.has_value()},
                                NamedFlag{"--dev-sync-blocks", a.dev_sync_blocks.has_value()}});
}

// Those that a file has keys for.
std::string_view first_flag_of_file(const ServeArguments& a) {
  return first_given(std::array{
      NamedFlag{"--host", a.host.has_value()}, NamedFlag{"--allow-insecure-public", a.allow_insecure_public},
      NamedFlag{"--http-port", a.http_port.has_value()}, NamedFlag{"--ws-port", a.ws_port.has_value()},
      NamedFlag{"--chain-id", a.chain_id.has_value()}, NamedFlag{"--allowed-host", !a.allowed_hosts.empty()},
      NamedFlag{"--allowed-origin", !a.allowed_origins.empty()},
      NamedFlag{"--allow-method", !a.allowed_methods.empty()},
      NamedFlag{"--deny-method", !a.denied_methods.empty()},
      NamedFlag{"--max-connections", a.max_connections.has_value()},
      NamedFlag{"--max-subscriptions", a.max_subscriptions.has_value()},
      NamedFlag{"--ping-interval", a.ping_interval.has_value()},
      NamedFlag{"--pong-timeout", a.pong_timeout.has_value()},
      NamedFlag{"--shutdown-timeout", a.shutdown_timeout.has_value()},
      NamedFlag{"--threads", a.threads.has_value()},
      NamedFlag{"--admin-socket", a.admin_socket.has_value()}});
}

std::expected<void, std::string> read_duration(std::string_view flag, const std::optional<std::string>& text,
                                               Duration min, Duration max, Duration& out) {
  if (!text) return {};
  const auto duration = parse_duration_flag(flag, *text);
  if (!duration) return Wrong("fanfare serve: " + duration.error());
  if (*duration < min || *duration > max) {
    return wrong(flag, "is out of range (" + gateway::quoted_for_message(*text) + "), expected " +
                           gateway::format_duration(min) + " to " + gateway::format_duration(max));
  }
  out = *duration;
  return {};
}

std::expected<void, std::string> read_log_level(const ServeArguments& arguments,
                                                const gateway::EnvironmentLookup& environment,
                                                log::Level& out) {
  std::string_view flag = "--log-level";
  std::optional<std::string> name = arguments.log_level;
  if (!name) {
    flag = "FANFARE_LOG_LEVEL";
    name = environment(flag);
    if (!name || name->empty()) return {};
  }
  const auto* const found = std::ranges::find(gateway::kLogLevels, std::string_view(*name));
  if (found == gateway::kLogLevels.end()) {
    return wrong(flag, "is unknown (" + gateway::quoted_for_message(*name) +
                           "), expected trace, debug, info, warn, error or off");
  }
  out = static_cast<log::Level>(found - gateway::kLogLevels.begin());
  return {};
}

std::expected<gateway::DevBackend, std::string> dev_backend(const ServeArguments& arguments) {
  gateway::DevBackend dev;
  const auto read =
      read_duration("--dev-block-time", arguments.dev_block_time, milliseconds(1), hours(1), dev.block_time);
  if (!read) return Wrong(read.error());
  dev.seed = arguments.dev_seed.value_or(dev.seed);
  dev.transactions_per_block = arguments.dev_transactions.value_or(dev.transactions_per_block);
  dev.reorg_every_blocks = arguments.dev_reorg_every.value_or(dev.reorg_every_blocks);
  dev.reorg_depth_blocks = arguments.dev_reorg_depth.value_or(dev.reorg_depth_blocks);
  dev.sync_blocks = arguments.dev_sync_blocks.value_or(dev.sync_blocks);
  return dev;
}

// Whether the URL is of this machine's loopback and one of the ports we would listen on ourselves.
bool is_own_port(std::string_view url, const std::vector<gateway::ListenerPlan>& listeners) {
  return std::ranges::any_of(listeners, [&](const gateway::ListenerPlan& listener) {
    return std::ranges::any_of(
        std::array<std::string_view, 3>{"://127.0.0.1:", "://localhost:", "://[::1]:"},
        [&](std::string_view host) {
          const std::size_t at = url.find(std::string(host) + std::to_string(listener.at.port));
          if (listener.at.port == 0 || at == std::string_view::npos) return false;
          const std::size_t end = at + host.size() + std::to_string(listener.at.port).size();
          return end == url.size() || url[end] == '/' || url[end] == '?';
        });
  });
}

// A URL in a message, without what may be a secret.
std::string shown(std::string_view url) {
  const std::string text = gateway::endpoint_for_message(url);
  return text.empty() ? "" : " (" + gateway::quoted_for_message(text) + ")";
}

std::expected<gateway::UpstreamBackend, std::string> upstream_backend(const ServeArguments& arguments,
                                                                      const ServePlan& plan) {
  gateway::UpstreamBackend backend;
  for (const std::string& url : arguments.upstreams) {
    if (const auto good = gateway::check_endpoint(url); !good) {
      return wrong("--upstream", good.error() + shown(url) +
                                     ", expected http://, https://, ws:// or wss:// followed by a host");
    }
    if (is_own_port(url, plan.listeners)) {
      return wrong("--upstream", "is on a port that is to be served here" + shown(url) +
                                     ", expected other ports with --http-port and --ws-port");
    }
    gateway::UpstreamPlan upstream{.id = "upstream-" + std::to_string(backend.size() + 1), .url = url};
    if (auto read = read_duration("--upstream-timeout", arguments.upstream_timeout, milliseconds(1), hours(1),
                                  upstream.timeout);
        !read) {
      return Wrong(read.error());
    }
    backend.push_back(std::move(upstream));
  }
  return backend;
}

std::expected<void, std::string> read_limits(const ServeArguments& arguments, ServePlan& plan) {
  gateway::WebSocketSettings& websocket = plan.websocket;
  websocket.connections_per_network_max =
      arguments.max_connections.value_or(websocket.connections_per_network_max);
  websocket.subscriptions_per_connection_max =
      arguments.max_subscriptions.value_or(websocket.subscriptions_per_connection_max);
  websocket.pong_timeout = seconds(10);
  plan.loops = arguments.threads.value_or(0);
  if (auto read = read_duration("--ping-interval", arguments.ping_interval, seconds(0), hours(24),
                                websocket.ping_interval);
      !read) {
    return read;
  }
  if (auto read = read_duration("--pong-timeout", arguments.pong_timeout, milliseconds(1), hours(24),
                                websocket.pong_timeout);
      !read) {
    return read;
  }
  return read_duration("--shutdown-timeout", arguments.shutdown_timeout, seconds(0), hours(1),
                       plan.shutdown_timeout);
}

std::expected<void, std::string> read_patterns(std::string_view flag, const std::vector<std::string>& texts,
                                               bool (*is_valid)(std::string_view), std::string_view expected,
                                               std::vector<std::string>& out) {
  for (const std::string& text : texts) {
    if (!is_valid(text)) {
      return wrong(flag, "is malformed (" + gateway::quoted_for_message(text) + "), expected " +
                             std::string(expected));
    }
  }
  out = texts;
  return {};
}

std::expected<void, std::string> read_access(const ServeArguments& arguments, ServePlan& plan) {
  using gateway::is_method_pattern;
  using server::is_host_pattern;
  using server::is_origin_pattern;
  plan.browsers.names = gateway::kBrowserSettingNames;
  if (auto read = read_patterns("--allowed-host", arguments.allowed_hosts, is_host_pattern,
                                server::kHostPatternExpected, plan.browsers.hosts);
      !read) {
    return read;
  }
  if (auto read = read_patterns("--allowed-origin", arguments.allowed_origins, is_origin_pattern,
                                server::kOriginPatternExpected, plan.browsers.origins);
      !read) {
    return read;
  }
  gateway::MethodPlan& methods = plan.networks.front().methods;
  if (auto read = read_patterns("--allow-method", arguments.allowed_methods, is_method_pattern,
                                gateway::kMethodPatternExpected, methods.allow);
      !read) {
    return read;
  }
  return read_patterns("--deny-method", arguments.denied_methods, is_method_pattern,
                       gateway::kMethodPatternExpected, methods.deny);
}

// One port for everything, and one for clients that expect the WebSocket on its own. One network behind both.
std::expected<ServePlan, std::string> plan_of_flags(const ServeArguments& arguments) {
  ServePlan plan;
  const std::string host = arguments.host.value_or("127.0.0.1");
  if (!gateway::is_listen_address(host)) {
    return wrong("--host", "is not an address (" + gateway::quoted_for_message(host) +
                               "), expected an IPv4 or IPv6 address without brackets, or localhost");
  }
  if (!arguments.allow_insecure_public && !gateway::is_loopback_address(host)) {
    return wrong("--host", "is open to other machines without TLS and access control (" +
                               gateway::quoted_for_message(host) +
                               "), expected a configuration file with server.tls and access, or "
                               "--allow-insecure-public");
  }
  const auto http_port = static_cast<std::uint16_t>(arguments.http_port.value_or(kHttpPort));
  const auto ws_port = static_cast<std::uint16_t>(arguments.ws_port.value_or(kWebSocketPort));
  if (http_port == ws_port && http_port != 0) {
    return wrong("--ws-port", "is the same as --http-port (" + std::to_string(ws_port) +
                                  "), expected two different ports");
  }
  plan.listeners = {{.at = {.host = host, .port = http_port}, .mounts = gateway::http_port_mounts(true)},
                    {.at = {.host = host, .port = ws_port},
                     .socket_name = "websocket",
                     .mounts = gateway::websocket_port_mounts()}};
  if (auto read = read_limits(arguments, plan); !read) return Wrong(read.error());

  gateway::NetworkPlan network{.chain_id = arguments.chain_id};
  if (arguments.upstreams.empty()) {
    if (!network.chain_id) network.chain_id = kDevChainId;
    auto dev = dev_backend(arguments);
    if (!dev) return Wrong(dev.error());
    network.backend = *dev;
    plan.streams = gateway::dev_streams();
    plan.streams->limits.ping_interval = plan.websocket.ping_interval;
    plan.canvas = gateway::default_canvas();
    std::vector<gateway::MountPlan> mounts = gateway::stream_mounts();
    for (gateway::MountPlan& mount : gateway::canvas_mounts()) mounts.push_back(std::move(mount));
    auto& others = plan.listeners.front().mounts;
    others.insert(others.begin(), mounts.begin(), mounts.end());
  } else {
    auto upstreams = upstream_backend(arguments, plan);
    if (!upstreams) return Wrong(upstreams.error());
    network.backend = *std::move(upstreams);
  }
  plan.networks.push_back(std::move(network));
  if (auto read = read_access(arguments, plan); !read) return Wrong(read.error());
  return plan;
}

// The arguments were checked to be one of these.
net::LoopKind loop_kind(const ServeArguments& arguments) {
  if (arguments.loop == "uring") return net::LoopKind::uring;
  if (arguments.loop == "epoll") return net::LoopKind::epoll;
  return net::LoopKind::automatic;
}

std::expected<void, std::string> read_admin_socket(const ServeArguments& arguments, ServePlan& plan) {
  if (!arguments.admin_socket) return {};
  const std::string& path = *arguments.admin_socket;
  if (const auto address = net::Address::unix_path(path); !address) {
    return wrong("--admin-socket", "cannot be a Unix socket (" + gateway::quoted_for_message(path) +
                                       "), expected a path of 1 to 107 bytes");
  }
  plan.admin.emplace().listeners.push_back({.unix_path = path, .unix_mode = 0600});
  return {};
}

std::expected<ServePlan, std::string> plan_of_file(const std::string& file, const ServeArguments& arguments,
                                                   const gateway::EnvironmentLookup& environment,
                                                   const std::optional<std::string>& own_page) {
  const auto config = gateway::load_config(file, environment);
  if (!config) return Wrong(config.error().messages());
  auto plan =
      plan_with_page(*config, file, own_page, {.web_dir = arguments.web_dir, .no_web = arguments.no_web});
  if (!plan) return Wrong("fanfare serve: " + plan.error());
  return plan;
}

}  // namespace

std::expected<ServePlan, std::string> plan_of(const ServeArguments& arguments,
                                              const gateway::EnvironmentLookup& environment,
                                              const std::optional<std::string>& own_page) {
  const bool has_upstream = !arguments.upstreams.empty();
  if (arguments.config.has_value() + has_upstream + arguments.dev > 1) {
    return wrong(arguments.config ? "--config" : "--upstream",
                 std::string("cannot be combined with ") + (arguments.dev ? "--dev" : "--upstream") +
                     ", expected one of --config, --upstream and --dev");
  }
  std::optional<std::string> file = arguments.config;
  // A flag of the development chain asks for it, too.
  const std::string_view dev_flag = first_dev_flag(arguments);
  if (!file && !has_upstream && !arguments.dev && dev_flag.empty()) {
    file = environment("FANFARE_CONFIG");
    if (file && file->empty()) file.reset();
  }
  if (!dev_flag.empty() && (file || has_upstream)) {
    return wrong(dev_flag, "is for the development chain, expected --dev instead of --config or --upstream");
  }
  if (arguments.upstream_timeout && !has_upstream) {
    return wrong("--upstream-timeout",
                 "is for nodes, expected --upstream with it (a file has a timeout for each)");
  }
  if (const std::string_view flag = first_flag_of_file(arguments); file && !flag.empty()) {
    return wrong(flag, "has no effect with a configuration file, expected it to be set in " + *file);
  }
  auto plan = file ? plan_of_file(*file, arguments, environment, own_page) : plan_of_flags(arguments);
  if (!plan) return plan;
  if (auto read = read_admin_socket(arguments, *plan); !read) return Wrong(read.error());
  if (plan->admin) plan->admin->version = FANFARE_VERSION;
  plan->observe.version = FANFARE_VERSION;
  if (auto read = gateway::read_otel_environment(environment, plan->observe.tracing); !read) {
    return Wrong("fanfare serve: " + read.error());
  }
  if (!file && !arguments.no_web) {
    const auto directory = page_directory("--web-dir", arguments.web_dir, own_page);
    if (!directory) return Wrong("fanfare serve: " + directory.error());
    if (*directory) mount_page(*plan, **directory);
  }
  if (auto read = read_log_level(arguments, environment, plan->log_level); !read) return Wrong(read.error());
  plan->loop_kind = loop_kind(arguments);
  return plan;
}

}  // namespace fanfare::app
