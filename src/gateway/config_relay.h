#pragma once
// `relay:` of the configuration file: docs/configuration.md and docs/scaling.md.

#include <optional>

#include "fanfare/nats.h"
#include "gateway/config_fields.h"
#include "gateway/config_yaml.h"

namespace fanfare::gateway {

// `out` is set if the node names at least one server.
void read_relay(const ReadContext& context, const YamlNode& node, std::optional<NatsOptions>& out);

}  // namespace fanfare::gateway
