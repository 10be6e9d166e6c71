#include "base/check.h"
#include "gateway/config_streams.h"

namespace fanfare::gateway {
namespace {

// examples/streams/devchain.yaml, byte by byte; a test compares them.
constexpr std::string_view kText =
    R"yaml(# The streams of the development chain, as `fanfare serve` has them by default: what stands under `streams:` in a
# configuration file. dev_networkStatus, dev_marketsHealth and dev_peers simulate a network; heights, rates and receipts
# are those of the chain.
definitions:
  - name: network_metrics
    interval: 2s
    network: main/1337
    calls:
      height: eth_blockNumber
      status: dev_networkStatus
    fields:
      network_strength: { pointer: /status/strength, min: 0, max: 100 }
      block_height: { pointer: /height, as: number }
      finality_time: /status/finalitySeconds
      peer_count: /status/peerCount
      tps: /status/transactionsPerSecond
      bandwidth_in: /status/bytesInPerSecond
      bandwidth_out: /status/bytesOutPerSecond
      active_connections: /status/connections

  - name: markets_health
    interval: 5s
    network: main/1337
    calls:
      health: dev_marketsHealth
    fields:
      overall_status: /health/overallStatus
      markets:
        fields:
          compute: /health/markets/compute
          storage: /health/markets/storage
          energy: /health/markets/energy
          ads: /health/markets/ads
      healthy_markets: /health/healthyMarkets
      total_markets: { count: /health/markets }

  - name: receipts
    interval: 3s
    network: main/1337
    calls:
      receipts: { method: dev_marketReceipts, params: [100] }
    fields:
      receipts:
        each: /receipts
        fields:
          id: /id
          market: /market
          block_height: { pointer: /blockHeight, as: number }
          timestamp: /timestamp
          provider: /provider
          consumer: /consumer
          amount: { pointer: /amount, scale: 1e-18 }    # wei to ether
      count: { size: receipts }
    newOnly: { list: receipts, key: id }

  - name: peers
    interval: 10s
    network: main/1337
    calls:
      peers: dev_peers
    fields:
      peers:
        each: /peers
        fields:
          id: /id
          address: /address
          latency_ms: /latencyMs
          is_validator: /isValidator
      total: { count: /peers }
)yaml";

}  // namespace

std::string_view dev_streams_text() {
  return kText;
}

StreamsPlan dev_streams() {
  const auto root = parse_yaml(kText);
  FANFARE_CHECK(root.has_value());
  const EnvironmentLookup no_variables = [](std::string_view) { return std::nullopt; };
  Diagnostics diagnostics;
  StreamsConfig config;
  read_streams({.environment = no_variables, .diagnostics = diagnostics}, *root, config);
  FANFARE_CHECK(!diagnostics.first());
  StreamsPlan plan{.limits = config.limits};
  for (StreamDefinition& definition : config.definitions) plan.streams.push_back(std::move(definition.plan));
  return plan;
}

}  // namespace fanfare::gateway
