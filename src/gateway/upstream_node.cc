#include "gateway/upstream_node.h"

#include <cstdint>
#include <utility>

#include "gateway/config_endpoint.h"
#include "upstream/http_node.h"
#include "upstream/lanes.h"

namespace fanfare::gateway {
namespace {

std::shared_ptr<ByteShare> share_of(ByteBudget* received) {
  return received == nullptr ? nullptr : std::make_shared<ByteShare>(*received, SIZE_MAX);
}

}  // namespace

UpstreamNode make_upstream_node(upstream::Worker& worker, const UpstreamPlan& upstream,
                                upstream::Observer* observer, ByteBudget* received) {
  const UpstreamLimits& limits = upstream.limits;
  const auto http = [&](std::size_t calls_max, bool http2) {
    return std::make_unique<upstream::HttpNode>(worker,
                                                upstream::HttpOptions{.url = upstream.url,
                                                                      .name = upstream.id,
                                                                      .headers = upstream.headers,
                                                                      .timeout = upstream.timeout,
                                                                      .connections_max = calls_max,
                                                                      .http2 = http2,
                                                                      .client = upstream.http_client},
                                                observer);
  };
  const auto websocket = [&] {
    return std::make_unique<upstream::WebSocketNode>(
        worker,
        upstream::WebSocketOptions{.url = upstream.url,
                                   .name = upstream.id,
                                   .headers = upstream.headers,
                                   .timeout = upstream.timeout,
                                   .received = share_of(received)},
        observer);
  };
  std::unique_ptr<upstream::Backend> for_clients;
  std::unique_ptr<upstream::Backend> for_source;
  upstream::WebSocketNode* pushing = nullptr;
  if (is_websocket_endpoint(upstream.url)) {
    for_clients = websocket();
    auto for_events = websocket();
    pushing = for_events.get();
    for_source = std::move(for_events);
  } else {
    for_clients = http(limits.client_calls_max, true);
    // With HTTP/2 its calls would share a connection with clients'.
    for_source = http(limits.source_calls_max, false);
  }
  auto lanes = std::make_unique<upstream::Lanes>(
      worker, std::move(for_clients), std::move(for_source),
      upstream::LaneOptions{.clients = {.calls_max = limits.client_calls_max,
                                        .waiting_max = limits.queued_calls_max,
                                        .waiting_per_client_max = limits.queued_calls_per_client_max},
                            .source = {.calls_max = limits.source_calls_max},
                            .timeout = upstream.timeout});
  return {.backend = std::move(lanes), .pushing = pushing};
}

std::optional<upstream::HintOptions> hint_options(const UpstreamPlan& upstream, ByteBudget* received) {
  if (is_websocket_endpoint(upstream.url) || upstream.head_hints == upstream::HeadHintsChoice::never)
    return {};
  return upstream::HintOptions{
      .url = upstream.url, .name = upstream.id, .headers = upstream.headers, .received = share_of(received)};
}

}  // namespace fanfare::gateway
