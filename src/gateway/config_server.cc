#include "gateway/config_server.h"

#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/config_defence.h"
#include "gateway/config_endpoint.h"
#include "gateway/config_observe.h"
#include "net/busy_poll.h"
#include "server/browser_rules.h"
#include "session/close_hint.h"

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

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

void read_time_or_auto(const MapFields& fields, std::string_view key, std::optional<Duration>& out,
                       Duration min, Duration max) {
  const YamlNode* const node = fields.find(key);
  Duration time{};
  if (node == nullptr || node->text == "auto") return;
  if (fields.read(key, time, min, max, "auto, or ")) out = time;
}

void read_end(const MapFields& fields, ServerConfig& out) {
  fields.read("shutdownTimeout", out.shutdown_timeout, seconds(0), hours(1));
  fields.read("shutdownClosesPerSecond", out.shutdown_closes_per_second, 1, 1'000'000);
  fields.read("upgradeTimeout", out.upgrade_timeout, seconds(1), hours(1));
  read_time_or_auto(fields, "shutdownRetryAfter", out.shutdown_retry_after, seconds(1),
                    session::kCloseHintMax);
  read_time_or_auto(fields, "shutdownSpread", out.shutdown_spread, seconds(0), hours(1));
  if (out.shutdown_spread > out.shutdown_timeout) {
    const YamlNode& spread = *fields.find("shutdownSpread");
    fields.report(spread.location, "shutdownSpread", "is longer than shutdownTimeout", spread.text,
                  "auto, or at most the shutdownTimeout");
  }
}

}  // namespace

void read_server(const ReadContext& context, const YamlNode& node, ServerConfig& out) {
  const MapFields fields(context, node, "server",
                         {"httpPort",
                          "httpHost",
                          "threads",
                          "upstreamThreads",
                          "busyPollMicroseconds",
                          "maxBodyBytes",
                          "shutdownTimeout",
                          "shutdownSpread",
                          "shutdownClosesPerSecond",
                          "shutdownRetryAfter",
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
  fields.read("busyPollMicroseconds", out.busy_poll_us, 0, net::kBusyPollMax.count());
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

}  // namespace fanfare::gateway
