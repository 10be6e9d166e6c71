#include "gateway/config.h"

#include <cstdint>
#include <string>
#include <utility>

#include "gateway/config_access.h"
#include "gateway/config_access_names.h"
#include "gateway/config_endpoint.h"
#include "gateway/config_fields.h"
#include "gateway/config_file.h"
#include "gateway/config_observe.h"
#include "gateway/config_plan.h"
#include "gateway/config_project.h"
#include "gateway/config_relay.h"
#include "gateway/config_server.h"
#include "gateway/mount_plans.h"

namespace fanfare::gateway {
namespace {

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
