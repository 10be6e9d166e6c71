#include "gateway/config_relay.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "relay/names.h"

namespace fanfare::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

bool is_server(std::string_view url) {
  return (url.starts_with("nats://") && url.size() > 7) || (url.starts_with("tls://") && url.size() > 6);
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

}  // namespace

void read_relay(const ReadContext& context, const YamlNode& node, std::optional<NatsOptions>& out) {
  const MapFields file(context, node, "relay", {"nats"}, MapFields::Empty::refused);
  file.require({"nats"});
  const YamlNode* const nats = file.find("nats");
  if (nats == nullptr) return;
  const MapFields fields(context, *nats, "relay.nats",
                         {"servers", "name", "user", "password", "token", "credentialsFile", "tls", "caFile",
                          "certificateFile", "keyFile", "expectedHost", "replicas", "inMemory", "heartbeat",
                          "reconnectWait", "publishTimeout", "inFlightMessagesMax", "inFlightBytesMax"},
                         MapFields::Empty::refused);
  fields.require({"servers"});
  NatsOptions options;
  if (!fields.read("servers", options.servers, is_server, "nats://HOST:PORT or tls://HOST:PORT")) return;
  if (fields.read("name", options.name) && !relay::is_name(options.name)) {
    fields.report(fields.find("name")->location, "name", "cannot name streams of the broker", options.name,
                  "1 to 32 of A-Z a-z 0-9 - _");
  }
  read_credentials(fields, options);
  read_tls(fields, options);
  read_replicas(fields, options);
  fields.read("inMemory", options.in_memory);
  read_milliseconds(fields, "heartbeat", options.heartbeat, milliseconds(100), minutes(1));
  read_milliseconds(fields, "reconnectWait", options.reconnect_wait, milliseconds(10), minutes(1));
  read_milliseconds(fields, "publishTimeout", options.publish_timeout, milliseconds(1), minutes(1));
  fields.read("inFlightMessagesMax", options.in_flight_messages_max, 1, 1'000'000);
  fields.read("inFlightBytesMax", options.in_flight_bytes_max, 1024, std::uint64_t{1} << 32U);
  out = std::move(options);
}

}  // namespace fanfare::gateway
