#include "gateway/config.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>
#include <utility>

#include "gateway/browser_settings.h"
#include "gateway/config_access.h"
#include "gateway/config_access_names.h"
#include "gateway/config_defence.h"
#include "gateway/config_endpoint.h"
#include "gateway/config_fields.h"
#include "gateway/config_file.h"
#include "gateway/config_observe.h"
#include "gateway/config_plan.h"
#include "gateway/config_project.h"
#include "gateway/config_relay.h"
#include "gateway/mount_plans.h"
#include "server/browser_rules.h"

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kPortMax = 65535;
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;

void read_message_compression(const ReadContext& context, const YamlNode& node, MessageCompression& out) {
  const MapFields fields(context, node, "server.websocket.compression", {"enabled", "minBytes", "maxBytes"});
  fields.read("enabled", out.enabled);
  fields.read("minBytes", out.bytes_min, 1, kBytesMax);
  fields.read("maxBytes", out.bytes_max, 1024, kBytesMax);
}

void read_answer_compression(const ReadContext& context, const YamlNode& node, AnswerCompression& out) {
  const MapFields fields(context, node, "server.compression", {"enabled", "minBytes", "waitingBytesMax"});
  fields.read("enabled", out.enabled);
  fields.read("minBytes", out.bytes_min, 1, kBytesMax);
  fields.read("waitingBytesMax", out.waiting_bytes_max, 0, std::uint64_t{1} << 40);
}

void read_websocket(const ReadContext& context, const YamlNode& node, WebSocketSettings& out) {
  const MapFields fields(context, node, "server.websocket",
                         {"enabled",
                          "maxConnectionsPerNetwork",
                          "maxSubscriptionsPerConnection",
                          "pingInterval",
                          "pongTimeout",
                          "readBufferSize",
                          "writeBufferSize",
                          "maxMessageBytes",
                          "outboxBytesMax",
                          "notificationsBehindMax",
                          "slowTimeout",
                          "messageTimeout",
                          "maxFragments",
                          "framesPerTurnMax",
                          "bytesPerTurnMax",
                          "idleTimeout",
                          "subscriptionIds",
                          "compression",
                          "sessionsMax",
                          "sessionsPerAddressMax",
                          "sessionBytesMax",
                          "sessionBytesPerAddressMax",
                          "sessionTimeout",
                          "relaySessions"});
  fields.read("enabled", out.enabled);
  fields.read("maxConnectionsPerNetwork", out.connections_per_network_max, 1, 10'000'000);
  fields.read("maxSubscriptionsPerConnection", out.subscriptions_per_connection_max, 1, 1'000'000);
  fields.read("pingInterval", out.ping_interval, seconds(0), hours(24));
  fields.read("pongTimeout", out.pong_timeout, milliseconds(1), hours(24));
  fields.read("readBufferSize", out.read_buffer_bytes, 512, std::uint64_t{16} << 20);
  fields.read("writeBufferSize", out.write_buffer_bytes, 512, std::uint64_t{16} << 20);
  fields.read("maxMessageBytes", out.message_bytes_max, 1024, kBytesMax);
  fields.read("outboxBytesMax", out.outbox_bytes_max, 4096, kBytesMax);
  fields.read("notificationsBehindMax", out.notifications_behind_max, 1, 10'000'000);
  fields.read("slowTimeout", out.slow_timeout, milliseconds(100), hours(1));
  fields.read("messageTimeout", out.message_timeout, seconds(0), hours(1));
  fields.read("maxFragments", out.fragments_max, 1, 10'000'000);
  fields.read("framesPerTurnMax", out.frames_per_turn_max, 1, 65'535);
  fields.read("bytesPerTurnMax", out.bytes_per_turn_max, 1024, kBytesMax);
  fields.read("idleTimeout", out.idle_timeout, seconds(0), hours(24));
  fields.read("sessionsMax", out.sessions.sessions_max, 0, 10'000'000);
  fields.read("sessionsPerAddressMax", out.sessions.sessions_per_owner_max, 0, 10'000'000);
  fields.read("sessionBytesMax", out.sessions.bytes_max, 65'536, 64 * kBytesMax);
  fields.read("sessionBytesPerAddressMax", out.sessions.bytes_per_owner_max, 65'536, kBytesMax);
  fields.read("sessionTimeout", out.sessions.idle_max, seconds(1), hours(24));
  fields.read("relaySessions", out.relayed_sessions);
  static constexpr std::array<std::string_view, 2> kSubscriptionIds{"shared", "unique"};
  if (const auto word = fields.read_word("subscriptionIds", kSubscriptionIds)) {
    out.unique_subscription_ids = *word == 1;
  }
  if (const YamlNode* compression = fields.find("compression")) {
    read_message_compression(context, *compression, out.compression);
  }
}

void read_tls(const ReadContext& context, const YamlNode& node, std::optional<net::TlsServerOptions>& out) {
  const MapFields fields(context, node, "server.tls",
                         {"certificateFile", "keyFile", "minVersion", "ciphers", "cipherSuites",
                          "clientCaFile", "clientCrlFile"},
                         MapFields::Empty::refused);
  fields.require({"certificateFile", "keyFile"});
  net::TlsServerOptions tls;
  static constexpr std::array<std::string_view, 2> kVersions{"1.2", "1.3"};
  if (const auto word = fields.read_word("minVersion", kVersions)) {
    tls.protocol.min_version = *word == 1 ? net::TlsVersion::tls13 : net::TlsVersion::tls12;
  }
  const auto check = [&](std::string_view key, const net::TlsProtocol& protocol) {
    const auto usable = net::check_protocol(protocol);
    if (usable) return;
    fields.report(fields.find(key)->location, key, "cannot be used: " + usable.error(), "",
                  "names of ciphers with \":\" between them");
  };
  if (fields.read("ciphers", tls.protocol.ciphers)) {
    check("ciphers", {.ciphers = tls.protocol.ciphers});
  };
  if (fields.read("cipherSuites", tls.protocol.cipher_suites)) {
    check("cipherSuites", {.cipher_suites = tls.protocol.cipher_suites});
  }
  fields.read("clientCaFile", tls.client_ca_file);
  if (fields.read("clientCrlFile", tls.client_crl_file) && tls.client_ca_file.empty()) {
    fields.report(fields.find("clientCrlFile")->location, "clientCrlFile",
                  "has no effect without clientCaFile", "", "both, or neither");
  }
  if (fields.read("certificateFile", tls.certificate_file) && fields.read("keyFile", tls.key_file)) out = tls;
}

// "0660" and the like: at most rwxrwxrwx.
std::optional<unsigned> parse_mode(std::string_view text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || mode > 0777) return std::nullopt;
  return mode;
}

void read_unix_socket(const ReadContext& context, const YamlNode& node, ServerConfig& out) {
  const MapFields fields(context, node, "server.unixSocket", {"path", "mode"}, MapFields::Empty::refused);
  fields.require({"path"});
  if (fields.read("path", out.unix_path)) {
    if (const auto address = net::Address::unix_path(out.unix_path); !address) {
      const YamlNode& path = *fields.find("path");
      fields.report(path.location, "path", "cannot be a Unix socket", path.text, "a path of 1 to 107 bytes");
    }
  }
  std::string mode;
  if (!fields.read("mode", mode)) return;
  out.unix_mode = parse_mode(mode);
  if (out.unix_mode) return;
  const YamlNode& bad = *fields.find("mode");
  fields.report(bad.location, "mode", "is not a file mode", bad.text,
                "octal digits up to 0777, such as 0660");
}

void read_limits(const ReadContext& context, const YamlNode& node, ServerConfig& out) {
  const MapFields fields(context, node, "server.limits",
                         {"connectionsMax", "connectionsPerAddressMax", "connectionsPerSecondPerAddress",
                          "handshakeTimeout", "headBytesMax", "headerLinesMax", "batchItemsMax",
                          "batchAnswerBytesMax", "heldBytesMax", "heldBytesPerProjectMax",
                          "heldBytesPerConnectionMax", "unfinishedBytesMax", "receivedBytesPerProjectMax"});
  fields.read("connectionsMax", out.accept.connections_max, 0, 10'000'000);
  fields.read("connectionsPerAddressMax", out.accept.connections_per_address_max, 0, 10'000'000);
  fields.read("connectionsPerSecondPerAddress", out.accept.connections_per_second_per_address, 0, 1'000'000);
  const auto chosen = [](std::uint32_t limit, std::uint32_t by_default) {
    return limit != 0 && limit != by_default;
  };
  const AcceptPlan defaults;
  out.accept.limits_loopback =
      chosen(out.accept.connections_per_address_max, defaults.connections_per_address_max) ||
      chosen(out.accept.connections_per_second_per_address, defaults.connections_per_second_per_address);
  fields.read("handshakeTimeout", out.http.handshake_timeout, milliseconds(100), hours(1));
  fields.read("headBytesMax", out.http.head_bytes_max, 1024, 1 << 20);
  fields.read("headerLinesMax", out.http.header_count_max, 1, 10'000);
  fields.read("batchItemsMax", out.answers.batch_items_max, 1, 1'000'000);
  fields.read("batchAnswerBytesMax", out.answers.batch_answer_bytes_max, 0, kBytesMax);
  fields.read("heldBytesMax", out.answers.held_bytes_max, std::uint64_t{1} << 20, std::uint64_t{1} << 40);
  if (!fields.read("heldBytesPerProjectMax", out.answers.held_bytes_per_project_max, std::uint64_t{1} << 16,
                   std::uint64_t{1} << 40)) {
    out.answers.held_bytes_per_project_max = out.answers.held_bytes_max;
  }
  fields.read("receivedBytesPerProjectMax", out.received_bytes_per_project_max, std::uint64_t{1} << 20,
              std::uint64_t{1} << 40);
  fields.read("unfinishedBytesMax", out.answers.unfinished_bytes_max, std::uint64_t{1} << 20,
              std::uint64_t{1} << 40);
  fields.read("heldBytesPerConnectionMax", out.answers.held_bytes_per_connection_max, std::uint64_t{1} << 16,
              std::uint64_t{1} << 40);
}

void read_end(const MapFields& fields, ServerConfig& out) {
  fields.read("shutdownTimeout", out.shutdown_timeout, seconds(0), hours(1));
  fields.read("shutdownClosesPerSecond", out.shutdown_closes_per_second, 1, 1'000'000);
  fields.read("upgradeTimeout", out.upgrade_timeout, seconds(1), hours(1));
  const YamlNode* const spread = fields.find("shutdownSpread");
  if (spread == nullptr || spread->text == "auto") return;
  Duration time{};
  if (!fields.read("shutdownSpread", time, seconds(0), hours(1), "auto, or ")) return;
  out.shutdown_spread = time;
  if (time > out.shutdown_timeout) {
    fields.report(spread->location, "shutdownSpread", "is longer than shutdownTimeout", spread->text,
                  "auto, or at most the shutdownTimeout");
  }
}

void read_server(const ReadContext& context, const YamlNode& node, ServerConfig& out) {
  const MapFields fields(context, node, "server",
                         {"httpPort",
                          "httpHost",
                          "threads",
                          "upstreamThreads",
                          "maxBodyBytes",
                          "shutdownTimeout",
                          "shutdownSpread",
                          "shutdownClosesPerSecond",
                          "upgradeTimeout",
                          "websocket",
                          "tls",
                          "limits",
                          "proxyProtocol",
                          "unixSocket",
                          "allowedHosts",
                          "allowedOrigins",
                          "compression",
                          "allowInsecurePublic",
                          "memory",
                          "overload",
                          "accessLog",
                          "requestIds"});
  const bool has_port = fields.read("httpPort", out.http_port, 0, kPortMax);
  if (fields.read("httpHost", out.host) && !is_listen_address(out.host)) {
    const YamlNode& host = *fields.find("httpHost");
    fields.report(host.location, "httpHost", "is not an address", host.text,
                  "an IPv4 or IPv6 address without brackets, or localhost");
  }
  fields.read("allowInsecurePublic", out.allows_insecure_public);
  fields.read("threads", out.threads, 0, 1024);
  fields.read("upstreamThreads", out.upstream_threads, 1, 1024);
  fields.read("maxBodyBytes", out.http.body_bytes_max, 1024, kBytesMax);
  read_end(fields, out);
  static constexpr std::array<std::string_view, 2> kProxyProtocol{"off", "required"};
  if (const auto word = fields.read_word("proxyProtocol", kProxyProtocol)) out.proxy_protocol = *word == 1;
  fields.read("allowedHosts", out.browsers.hosts, server::is_host_pattern, server::kHostPatternExpected);
  fields.read("allowedOrigins", out.browsers.origins, server::is_origin_pattern,
              server::kOriginPatternExpected);
  if (const YamlNode* tls = fields.find("tls")) read_tls(context, *tls, out.tls);
  if (const YamlNode* compression = fields.find("compression")) {
    read_answer_compression(context, *compression, out.http.compression);
  }
  if (const YamlNode* unix_socket = fields.find("unixSocket")) {
    read_unix_socket(context, *unix_socket, out);
    out.listens_on_port = has_port;
  }
  if (const YamlNode* limits = fields.find("limits")) read_limits(context, *limits, out);
  read_defence(context, fields, out.defence);
  read_observe(context, fields, out.observe);
  if (const YamlNode* websocket = fields.find("websocket"))
    read_websocket(context, *websocket, out.websocket);
}

void read_metrics(const ReadContext& context, const YamlNode& node, MetricsConfig& out) {
  const MapFields fields(context, node, "metrics", {"enabled", "port", "host"});
  fields.read("enabled", out.enabled);
  std::string host;
  if (fields.read("host", host)) {
    const YamlNode& node_of_host = *fields.find("host");
    if (!is_listen_address(host)) {
      fields.report(node_of_host.location, "host", "is not an address", node_of_host.text,
                    "an IPv4 or IPv6 address without brackets, or localhost");
    } else if (fields.find("port") == nullptr) {
      fields.report(node_of_host.location, "host", "has no effect without metrics.port", "",
                    "both, or neither");
    }
    out.host = host;
  }
  std::uint16_t port = 0;
  if (fields.read("port", port, 0, kPortMax)) out.port = port;
}

void read_web(const ReadContext& context, const YamlNode& node, WebConfig& out) {
  const MapFields fields(context, node, "web", {"enabled", "directory"});
  fields.read("enabled", out.enabled);
  fields.read("directory", out.directory);
}

// Certificates that nobody asks for, and questions whose answer nobody uses.
void check_certificates(const ReadContext& context, const MapFields& file, const Config& config) {
  if (context.diagnostics.first()) return;
  const bool asks = config.server.tls && !config.server.tls->client_ca_file.empty();
  const bool uses = config.access.plan != nullptr && !config.access.plan->certificates.empty();
  if (asks == uses) return;
  context.diagnostics.report(file.find(asks ? "server" : "access")->location,
                             "access.certificates and server.tls.clientCaFile have no effect without each "
                             "other, expected both, or neither");
}

// Nobody opens a node to the world by accident.
void check_exposure(const ReadContext& context, const MapFields& file, const Config& config) {
  const ServerConfig& server = config.server;
  if (context.diagnostics.first() || server.allows_insecure_public) return;
  const YamlNode* const node = file.find("server");
  const Location location = node == nullptr ? file.location() : node->location;
  const bool is_guarded = server.tls.has_value() && config.access.plan != nullptr;
  const bool is_public = server.listens_on_port && !is_loopback_address(server.host);
  if (is_public && !is_guarded) {
    context.diagnostics.report(
        location,
        "server.httpHost is open to other machines without TLS and access control, expected "
        "server.tls and access, or server.allowInsecurePublic: true");
  } else if (config.metrics.port && !config.metrics.host && !is_loopback_address(server.host)) {
    context.diagnostics.report(
        location,
        "metrics.port is open to other machines without credentials, expected metrics.host, "
        "or server.allowInsecurePublic: true");
  }
}

// Everything that the admin API can do, anyone who reaches it can do.
void check_admin(const ReadContext& context, const Config& config) {
  if (context.diagnostics.first() || !config.admin) return;
  const std::uint16_t port = admin_port_of(config.admin->plan);
  if (config.admin->is_public && (config.access.plan == nullptr || !config.server.tls)) {
    context.diagnostics.report(config.admin->location,
                               "admin.host is open to other machines without TLS and access control, "
                               "expected server.tls and access, or a loopback address");
  } else if (port != 0 && (port == config.server.http_port || port == config.metrics.port)) {
    context.diagnostics.report(config.admin->location,
                               "admin.port is in use by another part of the file (\"" + std::to_string(port) +
                                   "\"), expected another port");
  } else if (!config.server.unix_path.empty() &&
             config.server.unix_path == admin_path_of(config.admin->plan)) {
    context.diagnostics.report(config.admin->location, "admin.socket is server.unixSocket.path (" +
                                                           quoted_for_message(config.server.unix_path) +
                                                           "), expected another path");
  }
}

// What the streams name elsewhere in the file.
void check_streams(const ReadContext& context, const Config& config) {
  for (const StreamDefinition& definition : config.streams->definitions) {
    if (!definition.network || network_index(config, *definition.network)) continue;
    context.diagnostics.report(*definition.network_at, definition.path + ".network is unknown (" +
                                                           quoted_for_message(*definition.network) +
                                                           "), expected PROJECT/CHAINID of the file");
  }
  const auto port = config.streams->websocket_port;
  if (!port || *port == 0) return;
  if (*port != config.server.http_port && port != config.metrics.port) return;
  context.diagnostics.report(*config.streams->port_at,
                             "streams.websocketPort is in use by another part of the file (\"" +
                                 std::to_string(*port) + "\"), expected another port");
}

void read_root(const ReadContext& context, const YamlNode& node, Config& out) {
  const MapFields fields(context, node, "",
                         {"logLevel", "logFormat", "tracing", "server", "metrics", "web", "access",
                          "projects", "streams", "canvas", "admin", "relay"});
  // A server of streams or of the canvas alone needs no projects.
  if (fields.find("streams") == nullptr && fields.find("canvas") == nullptr) fields.require({"projects"});
  if (const auto level = fields.read_word("logLevel", kLogLevels)) {
    out.log_level = static_cast<log::Level>(*level);
  }
  if (const YamlNode* server = fields.find("server")) read_server(context, *server, out.server);
  read_tracing(context, fields, out.server.observe);
  if (const YamlNode* metrics = fields.find("metrics")) read_metrics(context, *metrics, out.metrics);
  if (const YamlNode* web = fields.find("web")) read_web(context, *web, out.web);
  if (const YamlNode* access = fields.find("access")) read_access(context, *access, out.access);
  if (fields.find("projects") != nullptr) read_projects(context, fields, out.projects);
  if (const YamlNode* streams = fields.find("streams"))
    read_streams(context, *streams, out.streams.emplace());
  if (out.streams && !context.diagnostics.first()) check_streams(context, out);
  if (const YamlNode* canvas = fields.find("canvas")) read_canvas(context, *canvas, out.canvas.emplace());
  if (out.access.plan != nullptr && !context.diagnostics.first()) {
    check_access_names(context, *fields.find("access"), out);
  }
  if (const YamlNode* admin = fields.find("admin")) read_admin(context, *admin, out.admin);
  read_relay(context, fields, out.streams, out.relay);
  if (!context.diagnostics.first())
    check_relayed_sessions(context, fields, out.server.websocket, out.relay.has_value());
  if (out.canvas && !context.diagnostics.first())
    check_relayed_rooms(context, *fields.find("canvas"), *out.canvas, out.relay.has_value());
  check_certificates(context, fields, out);
  check_admin(context, out);
  check_exposure(context, fields, out);
  // Port 0 twice gives two different ports.
  if (out.metrics.port && *out.metrics.port != 0 && *out.metrics.port == out.server.http_port) {
    const YamlNode* metrics = fields.find("metrics");
    context.diagnostics.report(metrics->location,
                               "metrics.port is the same as server.httpPort (\"" +
                                   std::to_string(*out.metrics.port) +
                                   "\"), expected another port, or no port at all to share it");
  }
}

std::string line_of(const std::string& file, const Diagnostic& diagnostic) {
  std::string text = file + ":";
  if (diagnostic.location.line > 0) {
    text += std::to_string(diagnostic.location.line) + ":" + std::to_string(diagnostic.location.column) + ":";
  }
  return text + " " + diagnostic.message;
}

}  // namespace

std::string ConfigError::message() const {
  return line_of(file, diagnostic);
}

std::string ConfigError::messages() const {
  std::string text = message();
  for (const Diagnostic& other : others) text += "\n" + line_of(file, other);
  return text;
}

std::expected<Config, ConfigError> parse_config(std::string_view text, std::string_view file,
                                                const EnvironmentLookup& environment) {
  const auto failed = [&](Diagnostic diagnostic) {
    return std::unexpected(ConfigError{std::string(file), std::move(diagnostic)});
  };
  const auto root = parse_yaml(text);
  if (!root) return failed(root.error());
  if (root->kind == YamlNode::Kind::null) {
    return failed({{.line = 1, .column = 1}, "the file is empty, expected a map with the key projects"});
  }
  Diagnostics diagnostics;
  Config config;
  read_root({.environment = environment, .diagnostics = diagnostics}, *root, config);
  if (!diagnostics.first()) return config;
  ConfigError error{.file = std::string(file), .diagnostic = *diagnostics.first()};
  for (Diagnostic& other : diagnostics.all()) {
    if (other.location > error.diagnostic.location) error.others.push_back(std::move(other));
  }
  return std::unexpected(std::move(error));
}

std::expected<Config, ConfigError> load_config(const std::string& path,
                                               const EnvironmentLookup& environment) {
  // One byte beyond the limit shows the parser that the file is too large.
  const auto text = read_config_file(path, kYamlBytesMax + 1);
  if (!text) {
    return std::unexpected(
        ConfigError{path, {{}, "cannot be read (" + text.error() + "), expected a YAML file"}});
  }
  auto config = parse_config(*text, path, environment);
  if (config && config->access.plan != nullptr) config->access.files.push_back(path);
  return config;
}

}  // namespace fanfare::gateway
