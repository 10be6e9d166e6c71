#pragma once
// `streams:` of the configuration file: docs/configuration.md and docs/streams.md, "How to write a stream".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config_fields.h"
#include "gateway/config_yaml.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

// A definition that may name its network, which is known once the projects are.
struct StreamDefinition {
  Location location;
  std::string path;                    // "streams.definitions[0]"
  std::optional<std::string> network;  // "main/1"
  std::optional<Location> network_at;
  StreamPlan plan;
};

struct StreamsConfig {
  std::optional<std::uint16_t> websocket_port;  // of its own; empty: none
  std::optional<Location> port_at;
  streams::Limits limits;
  std::vector<UpstreamPlan> upstreams;
  std::vector<StreamDefinition> definitions;
};

void read_streams(const ReadContext& context, const YamlNode& node, StreamsConfig& out);

// The streams that the development chain has by default: row by row what dev_networkStatus, dev_marketsHealth,
// dev_marketReceipts and dev_peers say (examples/streams/devchain.yaml). They poll the network 0.
StreamsPlan dev_streams();
// The file's text, as for read_streams().
std::string_view dev_streams_text();

}  // namespace fanfare::gateway
