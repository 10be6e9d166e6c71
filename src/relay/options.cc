#include "relay/options.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/presence/relay_with_presence.h"

namespace fanfare {
namespace {

using std::chrono::milliseconds;

std::string problem_with_name(std::string_view name) {
  if (relay::is_name(name)) return {};
  return joined({"name '", name, "': 1 to 32 of A-Z a-z 0-9 - _"});
}

std::string problem_with_server(std::string_view url) {
  if (relay::is_server(url)) return {};
  return joined({"server '", relay::without_secret(url), "': nats://HOST:PORT or tls://HOST:PORT"});
}

std::string problem_with_credentials(const NatsOptions& options) {
  const int ways = (options.user.empty() ? 0 : 1) + (options.token.empty() ? 0 : 1) +
                   (options.credentials_file.empty() ? 0 : 1);
  if (ways > 1) return "credentials: one of user, token and credentials_file";
  if (options.user.empty() != options.password.empty()) return "user and password: both or none";
  if (options.certificate_file.empty() != options.key_file.empty())
    return "certificate_file and key_file: both or none";
  return {};
}

std::string problem_with_numbers(const NatsOptions& options) {
  if (options.replicas != 1 && options.replicas != 3 && options.replicas != 5)
    return "replicas " + std::to_string(options.replicas) + ": 1, 3 or 5";
  if (options.limits.messages_max == 0 || options.limits.bytes_max < 65'536)
    return "limits: at least 1 message and 64 KiB";
  if (options.limits.age_max < milliseconds::zero() ||
      (options.limits.age_max > milliseconds::zero() && options.limits.age_max < milliseconds(1000))) {
    return "limits.age_max: zero, or one second or more";
  }
  if (options.in_flight_messages_max == 0 || options.in_flight_bytes_max == 0)
    return "in_flight_messages_max and in_flight_bytes_max: at least 1";
  if (options.publish_timeout < milliseconds(1) || options.publish_timeout > std::chrono::minutes(1))
    return "publish_timeout: 1 ms to 1 minute";
  if (options.heartbeat < milliseconds(100) || options.heartbeat > std::chrono::minutes(1))
    return "heartbeat: 100 ms to 1 minute";
  if (options.reconnect_wait < milliseconds(10)) return "reconnect_wait: 10 ms or more";
  return {};
}

}  // namespace

namespace relay {

bool is_server(std::string_view url) {
  const bool has_scheme = url.starts_with("nats://") || url.starts_with("tls://");
  return has_scheme && url.find("://") + 3 < url.size();
}

bool uses_tls(const NatsOptions& options) {
  return options.tls || !options.ca_file.empty() || !options.certificate_file.empty() ||
         std::ranges::any_of(options.servers, [](const auto& url) { return url.starts_with("tls://"); });
}

std::string problem_with_files(const NatsOptions& options) {
  for (const std::string& file :
       {options.ca_file, options.certificate_file, options.key_file, options.credentials_file}) {
    if (!file.empty() && ::access(file.c_str(), R_OK) != 0) return joined({file, ": ", std::strerror(errno)});
  }
  auto loaded = Link::check(options);
  return loaded ? std::string() : std::move(loaded.error());
}

std::string problem_with(const NatsOptions& options) {
  if (options.servers.empty()) return "servers: at least one";
  for (const std::string& server : options.servers) {
    if (auto problem = problem_with_server(server); !problem.empty()) return problem;
  }
  if (auto problem = problem_with_name(options.name); !problem.empty()) return problem;
  if (auto problem = problem_with_credentials(options); !problem.empty()) return problem;
  return problem_with_numbers(options);
}

}  // namespace relay

namespace {

// The relay of the hub, as a program's own.
class PublicRelay final : public Relay, public pubsub::NativeRelay, private pubsub::RelaySink {
 public:
  explicit PublicRelay(const NatsOptions& options) : relay_(options) {}

  void start(fanfare::RelaySink& sink) override {
    sink_ = &sink;
    relay_.start(*this);
  }
  void stop() override { relay_.stop(); }
  // Outside of a hub: everything that the broker has.
  void open(std::string_view topic) override { relay_.open(topic, {.after = {}, .recent_max = SIZE_MAX}); }
  void close(std::string_view topic) override { relay_.close(topic, 0); }
  bool publish(std::string_view topic, Bytes payload, RelayReceipt receipt) override {
    return relay_.publish(topic, SharedBytes(payload), std::move(receipt), std::nullopt);
  }
  pubsub::Relay& native() override { return relay_; }

 private:
  bool on_message(std::string_view topic, Position position, SharedBytes payload) override {
    return sink_->on_message(topic, position, payload.view());
  }
  void on_lost(std::string_view topic, Position until) override { sink_->on_lost(topic, until); }
  void on_current(std::string_view /*topic*/, std::uint64_t /*opening*/) override {}
  void on_down() override { sink_->on_down(); }
  void on_back() override { sink_->on_back(); }

  relay::RelayWithPresence relay_;
  fanfare::RelaySink* sink_ = nullptr;  // from start() on
};

}  // namespace

Expected<std::shared_ptr<Relay>, Error> make_nats_relay(NatsOptions options) {
  if (auto problem = relay::problem_with(options); !problem.empty())
    return Unexpected(Error{.kind = Error::Kind::bad_option, .message = std::move(problem)});
  return std::shared_ptr<Relay>(std::make_shared<PublicRelay>(options));
}

}  // namespace fanfare
