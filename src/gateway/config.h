#pragma once
// The configuration file: YAML in; plain structs out, or one error with its position. docs/configuration.md
// is its reference. Strict on purpose: unknown content is an error, never ignored.

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "fanfare/nats.h"
#include "gateway/config_admin.h"
#include "gateway/config_canvas.h"
#include "gateway/config_env.h"
#include "gateway/config_streams.h"
#include "gateway/config_yaml.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

struct ServerConfig {
  std::string host = "127.0.0.1";
  std::uint16_t http_port = 4000;  // zero: the system chooses
  std::size_t threads = 0;         // zero: one per core
  std::size_t upstream_threads = ServePlan{}.upstream_threads_max;
  std::size_t busy_poll_us = ServePlan{}.busy_poll_us;
  std::size_t received_bytes_per_project_max = ServePlan{}.received_bytes_per_project_max;
  Duration shutdown_timeout = ServePlan{}.shutdown_timeout;
  std::optional<Duration> shutdown_spread = ServePlan{}.shutdown_spread;
  std::size_t shutdown_closes_per_second = ServePlan{}.shutdown_closes_per_second;
  std::optional<Duration> shutdown_retry_after = ServePlan{}.shutdown_retry_after;
  Duration upgrade_timeout = ServePlan{}.upgrade_timeout;
  HttpSettings http;
  AcceptPlan accept;
  std::optional<net::TlsServerOptions> tls;
  bool proxy_protocol = false;
  bool allows_insecure_public = false;
  std::string unix_path;  // empty: none
  std::optional<unsigned> unix_mode;
  bool listens_on_port = true;
  WebSocketSettings websocket;
  server::BrowserOptions browsers;
  AnswerPlan answers;
  DefencePlan defence;
  ObservePlan observe;
};

struct MetricsConfig {
  bool enabled = true;
  std::optional<std::string> host;    // of the port; empty: the server's
  std::optional<std::uint16_t> port;  // empty: on the same port as everything else
};

struct WebConfig {
  bool enabled = false;
  std::string directory;  // of the page's built files; empty: those beside the program
};

struct NetworkConfig {
  Location location;
  std::uint64_t chain_id = 0;  // the only architecture is evm
  PollSettings poll;
  ReadSettings reads;
  Duration chain_check_every = NetworkPlan{}.chain_check_every;
};

struct UpstreamConfig {
  UpstreamPlan plan;
  std::uint64_t chain_id = 0;  // the network it belongs to
};

struct ProjectConfig {
  std::string id;
  MethodPlan methods;
  std::vector<std::string> origins;  // empty: the server's
  std::vector<NetworkConfig> networks;
  std::vector<UpstreamConfig> upstreams;
};

struct AccessConfig {
  std::shared_ptr<const access::AccessPlan> plan;  // null: no access control
  Duration first_message_within = Duration::zero();
  std::string cookie_file;  // empty: none
  std::vector<std::string> cookie_roles;
  std::vector<std::string> files;  // with keys and secrets
  Duration check_every = std::chrono::seconds(5);
};

struct Config {
  log::Level log_level = log::Level::debug;
  ServerConfig server;
  MetricsConfig metrics;
  WebConfig web;
  AccessConfig access;
  std::vector<ProjectConfig> projects;
  std::optional<StreamsConfig> streams;
  std::optional<CanvasConfig> canvas;
  std::optional<AdminConfig> admin;
  std::optional<NatsOptions> relay;
};

struct ConfigError {
  std::string file;
  Diagnostic diagnostic;  // the first in the file
  // The others, in the order of the file. What depends on a faulty part is checked once that part is right.
  std::vector<Diagnostic> others = {};

  // "file:line:column: what is wrong (the offending value), what was expected", of the first.
  std::string message() const;
  // The same for each of them, joined by line ends.
  std::string messages() const;
};

// `file` only names the text in the error. Never throws; terminates for any input.
std::expected<Config, ConfigError> parse_config(std::string_view text, std::string_view file,
                                                const EnvironmentLookup& environment);
// Reads the file first; an unreadable file is an error without a position.
std::expected<Config, ConfigError> load_config(const std::string& path, const EnvironmentLookup& environment);

// One port for everything (and one for metrics if configured). The dashboard is not mounted: only the program
// knows where its files are.
ServePlan plan_from(const Config& config);

// Index of a level in this list is its value.
inline constexpr std::array<std::string_view, 6> kLogLevels{"trace", "debug", "info", "warn", "error", "off"};

}  // namespace fanfare::gateway
