#include "api/server_streams.h"

#include <algorithm>
#include <cstdint>

#include "streamserver/loop_streams.h"

namespace fanfare::api {
namespace {

// The rate's arithmetic stays within its type.
constexpr std::uint32_t kRateMax = 1'000'000;

streams::Limits limits_of(const StreamsOptions& options, const session::SessionSettings& of_server) {
  streams::Limits limits{.connections_max = options.connections_max,
                         .subscriptions_per_connection_max = options.subscriptions_per_connection_max,
                         .message_bytes_max = options.message_bytes_max,
                         .messages_per_second = std::clamp(options.messages_per_second, 1U, kRateMax)};
  limits.ping_interval = of_server.ping_interval;
  limits.outbox_bytes_max = of_server.outbox_bytes_max;
  return limits;
}

}  // namespace

ServerStreams::ServerStreams(pubsub::Hub& hub, StreamsOptions options,
                             const session::SessionSettings& of_server, const ws::DeflateOptions& deflate)
    : path(std::move(options.path)),
      policy{.origins = std::move(options.origins), .deflate = deflate},
      catalog(hub, limits_of(options, of_server)),
      settings(streamserver::session_settings(catalog.limits(), of_server)) {}

}  // namespace fanfare::api
