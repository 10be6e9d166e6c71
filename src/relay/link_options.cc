// How a connection to the broker is made.

#include <nats/nats.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "relay/nats_parts.h"

namespace fanfare::relay {
namespace {

using Step = std::expected<void, std::string>;

constexpr int64_t kConnectTimeoutMs = 2000;
constexpr int64_t kPingIntervalMs = 1000;
constexpr int kPingsOutMax = 2;

// `what` names the option, or the file, that did not work.
Step step(natsStatus status, std::string_view what) {
  if (status == NATS_OK) return {};
  return std::unexpected(joined({what, ": ", words_for(status)}));
}

Step set_credentials(natsOptions* made, const NatsOptions& options) {
  if (!options.user.empty())
    return step(natsOptions_SetUserInfo(made, options.user.c_str(), options.password.c_str()), "user");
  if (!options.token.empty()) return step(natsOptions_SetToken(made, options.token.c_str()), "token");
  if (!options.credentials_file.empty()) {
    return step(natsOptions_SetUserCredentialsFromFiles(made, options.credentials_file.c_str(), nullptr),
                options.credentials_file);
  }
  return {};
}

Step set_tls(natsOptions* made, const NatsOptions& options) {
  const bool has_files = !options.ca_file.empty() || !options.certificate_file.empty();
  if (!options.tls && !has_files) return {};
  if (auto done = step(natsOptions_SetSecure(made, true), "tls"); !done) return done;
  if (!options.ca_file.empty()) {
    auto done = step(natsOptions_LoadCATrustedCertificates(made, options.ca_file.c_str()), options.ca_file);
    if (!done) return done;
  }
  if (!options.certificate_file.empty()) {
    auto done = step(
        natsOptions_LoadCertificatesChain(made, options.certificate_file.c_str(), options.key_file.c_str()),
        options.certificate_file);
    if (!done) return done;
  }
  if (options.expected_host.empty()) return {};
  return step(natsOptions_SetExpectedHostname(made, options.expected_host.c_str()), "expected_host");
}

}  // namespace

Step set_options(natsOptions* made, const NatsOptions& options) {
  std::vector<const char*> servers;
  for (const std::string& server : options.servers) servers.push_back(server.c_str());
  if (auto done =
          step(natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size())), "servers");
      !done) {
    return done;
  }
  if (auto done = set_credentials(made, options); !done) return done;
  if (auto done = set_tls(made, options); !done) return done;
  natsOptions_SetName(made, options.name.c_str());
  natsOptions_SetTimeout(made, kConnectTimeoutMs);
  natsOptions_SetPingInterval(made, kPingIntervalMs);
  natsOptions_SetMaxPingsOut(made, kPingsOutMax);
  natsOptions_SetWriteDeadline(made, kWriteDeadlineMs);
  return {};
}

}  // namespace fanfare::relay
