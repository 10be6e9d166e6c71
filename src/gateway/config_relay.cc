#include "gateway/config_relay.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/config_env.h"
#include "relay/names.h"
#include "relay/options.h"
#include "streams/catalog.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::string_view kServer = "nats://HOST:PORT or tls://HOST:PORT";

// Messages show no password of a URL.
void read_servers(const ReadContext& context, const MapFields& fields, std::vector<std::string>& out) {
  const auto* const nodes = fields.list("servers", "a list, each entry " + std::string(kServer));
  if (nodes == nullptr) return;
  for (const YamlNode& node : *nodes) {
    const std::string key = "servers[" + std::to_string(out.size()) + "]";
    const auto expanded = expand_environment(node.text, context.environment);
    if (node.kind != YamlNode::Kind::scalar)
      return fields.report(node.location, key, "is no text", "", kServer);
    if (!expanded) return fields.report(node.location, key, expanded.error(), "", kServer);
    if (!relay::is_server(expanded->text))
      return fields.report(node.location, key, "is malformed", relay::without_secret(node.text), kServer);
    out.push_back(expanded->text);
  }
}

void read_milliseconds(const MapFields& fields, std::string_view key, milliseconds& out, Duration min,
                       Duration max) {
  Duration value = out;
  if (fields.read(key, value, min, max)) out = std::chrono::duration_cast<milliseconds>(value);
}

void read_credentials(const MapFields& fields, NatsOptions& out) {
  fields.read("user", out.user);
  fields.read("password", out.password);
  fields.read("token", out.token);
  fields.read("credentialsFile", out.credentials_file);
  const int ways =
      (out.user.empty() ? 0 : 1) + (out.token.empty() ? 0 : 1) + (out.credentials_file.empty() ? 0 : 1);
  if (ways > 1) {
    fields.report(fields.location(), "", "has several kinds of credentials", "",
                  "one of user, token and credentialsFile");
  }
  if (out.user.empty() != out.password.empty())
    fields.report(fields.location(), "", "has one of user and password", "", "both or none");
}

void read_tls(const MapFields& fields, NatsOptions& out) {
  fields.read("tls", out.tls);
  fields.read("caFile", out.ca_file);
  fields.read("certificateFile", out.certificate_file);
  fields.read("keyFile", out.key_file);
  fields.read("expectedHost", out.expected_host);
  if (out.certificate_file.empty() != out.key_file.empty())
    fields.report(fields.location(), "", "has one of certificateFile and keyFile", "", "both or none");
  if (!out.expected_host.empty() && !relay::uses_tls(out))
    fields.report(fields.find("expectedHost")->location, "expectedHost", "has no effect without TLS", "",
                  "tls: true, a caFile, or servers with tls://");
}

void read_replicas(const MapFields& fields, NatsOptions& out) {
  std::uint32_t replicas = 1;
  if (!fields.read("replicas", replicas, 1, 5)) return;
  if (replicas % 2 == 0) {
    fields.report(fields.find("replicas")->location, "replicas", "is even", std::to_string(replicas),
                  "1, 3 or 5");
  }
  out.replicas = static_cast<int>(replicas);
}

void read_kept(const MapFields& fields, NatsStreamLimits& out) {
  fields.read("keptMessagesMax", out.messages_max, 2, 100'000'000);
  fields.read("keptBytesMax", out.bytes_max, 1 << 16, std::uint64_t{1} << 40U);
  read_milliseconds(fields, "keptAgeMax", out.age_max, std::chrono::seconds(1), std::chrono::hours(24 * 365));
}

std::optional<NatsOptions> read_nats(const ReadContext& context, const YamlNode& node) {
  const MapFields fields(
      context, node, "relay.nats",
      {"servers",         "name",      "user",          "password",        "token",
       "credentialsFile", "tls",       "caFile",        "certificateFile", "keyFile",
       "expectedHost",    "replicas",  "inMemory",      "keptMessagesMax", "keptBytesMax",
       "keptAgeMax",      "heartbeat", "reconnectWait", "publishTimeout",  "inFlightMessagesMax",
       "inFlightBytesMax"},
      MapFields::Empty::refused);
  fields.require({"servers"});
  NatsOptions options;
  read_servers(context, fields, options.servers);
  if (fields.read("name", options.name) && !relay::is_name(options.name)) {
    fields.report(fields.find("name")->location, "name", "cannot name streams of the broker", options.name,
                  "1 to 32 of A-Z a-z 0-9 - _");
  }
  read_credentials(fields, options);
  read_tls(fields, options);
  read_replicas(fields, options);
  fields.read("inMemory", options.in_memory);
  read_kept(fields, options.limits);
  read_milliseconds(fields, "heartbeat", options.heartbeat, milliseconds(100), minutes(1));
  read_milliseconds(fields, "reconnectWait", options.reconnect_wait, milliseconds(10), minutes(1));
  read_milliseconds(fields, "publishTimeout", options.publish_timeout, milliseconds(1), minutes(1));
  fields.read("inFlightMessagesMax", options.in_flight_messages_max, 1, 1'000'000);
  fields.read("inFlightBytesMax", options.in_flight_bytes_max, 1024, std::uint64_t{1} << 32U);
  return options;
}

// What a relayed stream cannot do.
void check_stream(const ReadContext& context, const StreamDefinition& definition,
                  const std::optional<NatsOptions>& relay) {
  const auto report = [&](std::string_view text) {
    context.diagnostics.report(definition.location, definition.path + std::string(text));
  };
  if (!relay) return report(".relay has no broker, expected relay.nats.servers in this file");
  const streams::StreamSpec& spec = definition.plan.spec;
  if (!relay::token_of(streams::topic_of(spec.name))) {
    report(".name (" + quoted_for_message(spec.name) +
           ") is too long for the broker's names, expected fewer dots: each counts three times");
  }
}

}  // namespace

void read_relay(const ReadContext& context, const MapFields& file,
                const std::optional<StreamsConfig>& streams, std::optional<NatsOptions>& out) {
  if (const YamlNode* const node = file.find("relay")) {
    const MapFields fields(context, *node, "relay", {"nats"}, MapFields::Empty::refused);
    fields.require({"nats"});
    if (const YamlNode* const nats = fields.find("nats")) out = read_nats(context, *nats);
  }
  if (context.diagnostics.first()) return;
  if (!streams) return;
  for (const StreamDefinition& definition : streams->definitions) {
    if (definition.plan.relayed) check_stream(context, definition, out);
  }
}

void check_relayed_sessions(const ReadContext& context, const MapFields& file,
                            const WebSocketSettings& websocket, bool has_relay) {
  if (!websocket.relayed_sessions) return;
  const YamlNode* const server = file.find("server");
  const auto report = [&](std::string_view text) {
    context.diagnostics.report(server->location, "server.websocket" + std::string(text));
  };
  if (!has_relay) report(".relaySessions has no broker, expected relay.nats.servers in this file");
  if (websocket.subscriptions_per_connection_max > kRelayedSubscriptionsMax) {
    report(".maxSubscriptionsPerConnection is \"" +
           std::to_string(websocket.subscriptions_per_connection_max) + "\", expected at most " +
           std::to_string(kRelayedSubscriptionsMax) + " with relaySessions");
  }
}

}  // namespace fanfare::gateway
