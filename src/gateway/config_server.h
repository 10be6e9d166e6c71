#pragma once
// The part `server` of the configuration (docs/configuration.md).

#include "gateway/config.h"
#include "gateway/config_fields.h"

namespace fanfare::gateway {

void read_server(const ReadContext& context, const YamlNode& node, ServerConfig& out);

}  // namespace fanfare::gateway
